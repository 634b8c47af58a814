"""Edges written into an inventory's text: comments and layout stay, the file validates, and what cannot be done safely is refused by name."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from restart.errors import Drift, InventoryInvalid, UsageMistake
from restart.inventory import edit, read
from restart.inventory.edit import Addition, Edited, with_edges
from restart.model.inventory import Dependency
from tests.inventory.reading import GATES

HEAD = "version: 1\nfleet: lab   # ours\nhosts: {'a-[1-2]': {}, b-1: {}, c-1: {}}\n"
CACHE = Addition(consumer="web", edge=Dependency(provider="cache"), why="seen 2026-11-28: a-1 -> c-1:6379")
ORDER = Addition(consumer="web", edge=Dependency(provider="db", kind="after", at="boot"))


def edited(path: Path, *additions: Addition) -> Edited:
    return with_edges([path], read([path], GATES), additions, GATES)


def text_with(tmp_path: Path, text: str, *additions: Addition) -> str:
    """The file's new text; all additions must have been made."""
    path = tmp_path / "inventory.yml"
    path.write_bytes(text.encode())
    made = edited(path, *additions)
    assert made.not_made == ()
    assert path.read_bytes() == text.encode(), "nothing is written yet"
    edit.write(made)
    found = read([path], GATES, cycles_are_problems=True)
    for addition in additions:
        assert addition.edge in found.services[addition.consumer].depends_on
    return path.read_bytes().decode()


LAYOUTS = {
    "block": (
        "services:\n  web:\n    # the front\n    hosts: a-*   # two\n    max_unavailable: 1\n  # below\n  db: {hosts: b-1}\n  cache: {hosts: c-1}\n",
        "    hosts: a-*   # two\n    depends_on:\n      cache: {kind: requires}  # seen 2026-11-28: a-1 -> c-1:6379\n    max_unavailable: 1\n",
    ),
    "block with edges": (
        "services:\n  web:\n    hosts: a-*\n    depends_on:\n      db: {kind: requires}  # the shop\n      # no more\n    max_unavailable: 1\n  db: {hosts: b-1}\n  cache: {hosts: c-1}\n",
        "      db: {kind: requires}  # the shop\n      cache: {kind: requires}  # seen",
    ),
    "edges of several lines": (
        "services:\n  web:\n    hosts: a-*\n    depends_on:\n        db:\n            kind: requires\n            break:\n              with: |\n                one\n                two\n              undo: three\n\n    # after\n    max_unavailable: 1\n  db: {hosts: b-1}\n  cache: {hosts: c-1}\n",
        "              undo: three\n        cache: {kind: requires}",
    ),
    "a block text last": (
        "services:\n  web:\n    hosts: a-*\n    depends_on:\n      db:\n        break:\n          undo: three\n          with: |\n            one\n\n\n    max_unavailable: 1\n  db: {hosts: b-1}\n  cache: {hosts: c-1}\n",
        "            one\n      cache: {kind: requires}",
    ),
    "an edge without a value": (
        "services:\n  web:\n    hosts: a-*\n    depends_on:\n      db:   # required\n  db: {hosts: b-1}\n  cache: {hosts: c-1}\n",
        "      db:   # required\n      cache: {kind: requires}",
    ),
    "braces": (
        "services:\n  web: {hosts: a-*, max_unavailable: 1}  # front\n  db: {hosts: b-1}\n  cache: {hosts: c-1}\n",
        "  web: {hosts: a-*, max_unavailable: 1, depends_on: {cache: {kind: requires}}}  # front\n",
    ),
    "braces with edges": (
        "services:\n  web: {depends_on: {db: {kind: requires}, }, hosts: a-*}\n  db: {hosts: b-1}\n  cache: {hosts: c-1}\n",
        "{db: {kind: requires}, cache: {kind: requires}, }",
    ),
    "braces over several lines": (
        "services:\n  web: {\n    hosts: a-*,  # two\n    depends_on: {\n      db: {kind: requires}  # the shop\n    }\n  }\n  db: {hosts: b-1}\n  cache: {hosts: c-1}\n",
        "      db: {kind: requires}, cache: {kind: requires}  # the shop\n",
    ),
    "empty braces": (
        "services:\n  web: {hosts: a-*, depends_on: {}}\n  db: {hosts: b-1}\n  cache: {hosts: c-1}\n",
        "depends_on: {cache: {kind: requires}}",
    ),
    "hosts as a list": (
        "services:\n  web:\n    hosts:\n    - a-1\n    - a-2  # spare\n    max_unavailable: 1\n  db: {hosts: b-1}\n  cache: {hosts: c-1}\n",
        "    - a-2  # spare\n    depends_on:\n      cache: {kind: requires}",
    ),
    "at the end without a line break": (
        "services:\n  db: {hosts: b-1}\n  cache: {hosts: c-1}\n  web:\n    hosts: a-*",
        "    hosts: a-*\n    depends_on:\n      cache: {kind: requires}",
    ),
    "quotes and letters of other tongues": (
        "services:\n  'web':\n    \"hosts\": 'a-*'   # für Ödön 🙂\n    'depends_on': {\"db\": {kind: requires}}  # ü\n  db: {hosts: b-1}\n  cache: {hosts: c-1}\n",
        '{"db": {kind: requires}, cache: {kind: requires}}  # ü',
    ),
    "carriage returns": (
        "services:\r\n  web:\r\n    hosts: a-*\r\n  db: {hosts: b-1}\r\n  cache: {hosts: c-1}\r\n",
        "    hosts: a-*\r\n    depends_on:\r\n      cache: {kind: requires}",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_edge_finds_its_place_and_nothing_else_changes(layout: str, tmp_path: Path) -> None:
    before, expected = LAYOUTS[layout]
    after = text_with(tmp_path, HEAD.replace("\n", "\r\n" if "\r" in before else "\n") + before, CACHE)
    assert expected in after
    # Every line that was there is there, save the ones that grew.
    gone = [line for line in before.splitlines() if line not in after.splitlines()]
    assert all(line.split("}")[0].split(",")[0][:8] in after for line in gone)
    assert len(gone) <= 1
    if "\r" in before:
        assert after.count("\n") == after.count("\r\n")


def test_several_edges_of_several_services_at_once(tmp_path: Path) -> None:
    text = HEAD + "services:\n  web:\n    hosts: a-*\n  db: {hosts: b-1}\n  cache: {hosts: c-1}\n"
    more = Addition(consumer="db", edge=Dependency(provider="cache"))
    after = text_with(tmp_path, text, CACHE, ORDER, more)
    assert (
        "      cache: {kind: requires}  # seen 2026-11-28: a-1 -> c-1:6379\n      db: {kind: after, at: boot}\n"
        in after
    )
    assert "  db: {hosts: b-1, depends_on: {cache: {kind: requires}}}\n" in after


def test_a_folder_of_files_is_edited_where_the_service_stands(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "1.yml").write_text(HEAD + "services:\n  db: {hosts: b-1}\n  cache: {hosts: c-1}\n")
    (folder / "2.yml").write_text("services:\n  web: {hosts: a-*}\n")
    made = edited(folder, CACHE, Addition(consumer="db", edge=Dependency(provider="cache")))
    assert set(made.texts) == {folder / "1.yml", folder / "2.yml"}
    edit.write(made)
    assert [edge.provider for edge in read([folder], GATES).services["web"].depends_on] == ["cache"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        # The same mapping stands for two services.
        ("services:\n  web: {hosts: a-*, depends_on: &all {db: {}}}\n  app: {hosts: a-*, depends_on: *all}\n", "alias"),
        ("services:\n  app: &app {hosts: a-*}\n  web: *app\n", "alias"),
    ],
)
def test_what_cannot_be_edited_safely_is_refused_by_name_with_its_place(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "inventory.yml"
    path.write_text(HEAD + text + "  db: {hosts: b-1}\n  cache: {hosts: c-1}\n")
    made = edited(path, CACHE, Addition(consumer="db", edge=Dependency(provider="cache")))
    refused = made.not_made[0]
    assert len(made.not_made) == 1
    assert refused.addition == CACHE
    assert why in refused.why
    assert refused.place.startswith(f"{path}:")
    assert refused.addition.line() == "cache: {kind: requires}"
    # The others are made all the same.
    edit.write(made)
    assert [edge.provider for edge in read([path], GATES).services["db"].depends_on] == ["cache"]
    assert "cache" not in {edge.provider for edge in read([path], GATES).services["web"].depends_on}


def test_a_ring_is_refused_because_the_file_would_not_validate(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yml"
    path.write_text(
        HEAD + "services:\n  web: {hosts: a-*}\n  db: {hosts: b-1, depends_on: {web: {}}}\n  cache: {hosts: c-1}\n"
    )
    made = edited(path, Addition(consumer="web", edge=Dependency(provider="db")), CACHE)
    assert made.made == (CACHE,)
    assert "require each other" in made.not_made[0].why


def test_an_inventory_that_changed_since_it_was_read_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yml"
    text = HEAD + "services:\n  web: {hosts: a-*}\n  db: {hosts: b-1}\n  cache: {hosts: c-1}\n"
    path.write_text(text)
    inventory = read([path], GATES)
    for changed in (text.replace("b-1}", "c-1}"), text + "oops\n"):
        path.write_text(changed)
        made = with_edges([path], inventory, [CACHE], GATES)
        assert made.texts == {}
        assert "changed while" in made.not_made[0].why


def test_an_inventory_with_a_ring_of_its_own_takes_nothing_and_names_the_ring(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yml"
    path.write_text(
        HEAD
        + "services:\n  web: {hosts: a-*}\n  db: {hosts: b-1, depends_on: {x: {}}}\n  x: {hosts: b-1, depends_on: {db: {}}}\n  cache: {hosts: c-1}\n"
    )
    made = edited(path, CACHE)
    assert "require each other" in made.not_made[0].why


def test_a_file_that_is_not_utf_8_or_has_a_mark_before_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yml"
    text = HEAD + "services:\n  web: {hosts: a-*}\n  db: {hosts: b-1}\n  cache: {hosts: c-1}\n"
    for data in (text.encode("utf-16"), text.encode("utf-8-sig")):
        path.write_bytes(data)
        try:
            inventory = read([path], GATES)
        except InventoryInvalid:
            continue  # then it is no inventory either
        made = with_edges([path], inventory, [CACHE], GATES)
        assert made.texts == {}
        assert made.not_made[0].why


def test_writing_keeps_the_mode_and_the_link_and_leaves_no_other_file(tmp_path: Path) -> None:
    real = tmp_path / "real.yml"
    real.write_text(HEAD + "services:\n  web: {hosts: a-*}\n  db: {hosts: b-1}\n  cache: {hosts: c-1}\n")
    real.chmod(0o640)
    link = tmp_path / "inventory.yml"
    link.symlink_to("real.yml")
    edit.write(edited(link, CACHE))
    assert link.is_symlink()
    assert "cache: {kind" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert sorted(os.listdir(tmp_path)) == ["inventory.yml", "real.yml"]


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    one, two = folder / "1.yml", folder / "2.yml"
    one.write_text(HEAD + "services:\n  db: {hosts: b-1}\n  cache: {hosts: c-1}\n")
    two.write_text("services:\n  web: {hosts: a-*}\n")
    made = edited(folder, Addition(consumer="db", edge=Dependency(provider="cache")), CACHE)
    two.write_text("services:\n  web: {hosts: a-*}  # somebody was here\n")
    with pytest.raises(Drift, match="was changed"):
        edit.write(made)
    assert "depends_on" not in one.read_text() + two.read_text()
    assert sorted(os.listdir(folder)) == ["1.yml", "2.yml"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "inventory.yml"
    path.write_text(HEAD + "services:\n  web: {hosts: a-*}\n  db: {hosts: b-1}\n  cache: {hosts: c-1}\n")
    made = edited(path, CACHE)

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageMistake, match="No space left"):
        edit.write(made)
    assert "depends_on" not in path.read_text()
    assert os.listdir(tmp_path) == ["inventory.yml"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    flows=st.tuples(st.booleans(), st.booleans()),
    edges=st.sampled_from([None, "", "db", "db deep"]),
    noise=st.lists(st.sampled_from(["# note", "", "   # deeper", "# web:"]), max_size=3),
    indent=st.integers(1, 5),
    order=st.booleans(),
)
def test_whatever_the_layout_it_is_edited_rightly_or_refused(
    tmp_path: Path, flows: tuple[bool, bool], edges: str | None, noise: list[str], indent: int, order: bool
) -> None:
    one, two = " " * indent, " " * (2 * indent)
    held = {"db": "{db: {kind: after}}", "db deep": "{db: {needs: 1}}", "": "{}"}.get(edges or "", "{}")
    lines: list[str] = []
    if flows[0]:
        tail = "" if edges is None else f", depends_on: {held}"
        lines = [f"{one}web: {{hosts: a-*{tail}}}", *noise]
    else:
        entry = [f"{two}hosts: a-*", *noise]
        if edges is not None and flows[1]:
            entry += [f"{two}depends_on: {held}"]
        elif edges:
            entry += [
                f"{two}depends_on:",
                f"{two}  db:",
                f"{two}   {'needs: 1' if 'deep' in edges else 'kind: after'}",
                *noise,
            ]
        lines = [f"{one}web:", *(reversed_entry(entry) if order else entry)]
    text = HEAD + "services:\n" + "\n".join(lines) + f"\n{one}db: {{hosts: b-1}}\n{one}cache: {{hosts: c-1}}\n"
    path = tmp_path / "inventory.yml"
    path.write_text(text)
    before = read([path], GATES)
    made = with_edges([path], before, [CACHE], GATES)
    edit.write(made)
    after = read([path], GATES)
    edges_after = after.services["web"].depends_on
    if made.made:
        assert edges_after == (*before.services["web"].depends_on, CACHE.edge)
        for line in noise:
            assert path.read_text().count(line) >= noise.count(line)
    else:
        assert after == before


def reversed_entry(entry: list[str]) -> list[str]:
    """The service's `hosts` last."""
    return [*entry[1:], entry[0]]
