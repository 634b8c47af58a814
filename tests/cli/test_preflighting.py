"""restart preflight: reads only, ends with 4 where something blocks; plan and run refuse that by name until it is overridden or a day old."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from restart.model.answer import NoAnswer
from restart.model.preflight import NOT_TOLD, Found, Grade, HostFound, Preflight
from restart.model.question import ShellReply
from restart.survey.preflight import file
from restart.survey.sort import rfc3339
from tests.cli.conftest import Hangs, Said

Restart = Callable[..., Said]


@pytest.fixture
def dark(tmp_path: Path) -> Iterator[Path]:
    """A fleet of two hosts whose SSH port refuses."""
    with socket.socket() as held:
        # Bound and not listening: it refuses, and nobody else takes it.
        held.bind(("127.0.0.1", 0))
        place = tmp_path / "dark.yml"
        place.write_text(
            f"version: 1\nfleet: dark\ndefaults: {{ssh: {{user: ops, config: /dev/null, port: {held.getsockname()[1]}}}}}\n"
            "hosts: {'a-[1-2]': {address: 127.0.0.1}}\nservices: {web: {hosts: 'a-*'}}\n"
        )
        yield place


def found(grade: Grade = Grade.BLOCKS) -> Found:
    return Found(rule="raid-degraded", grade=grade, evidence="md0 is degraded", why="data", mend="replace the disk")


def keep(tmp_path: Path, *, age_s: float = 60.0, **host: object) -> None:
    """What the last preflight is said to have found on a-1."""
    at = rfc3339(time.time() - age_s)
    looked = HostFound(**{"at": at, "found": (found(),), **host})  # type: ignore[arg-type]
    file.save(tmp_path / "store/preflights/dark.json", Preflight(at=at, fleet="dark", hosts={"a-1": looked}))


def test_a_host_that_cannot_be_looked_at_blocks(restart: Restart, dark: Path) -> None:
    said = restart("preflight", str(dark))
    assert (said.code, said.err) == (4, "")
    assert "BLOCKS  ssh" in said.out
    assert "a-1, a-2: SSH is refused" in said.out


def test_its_json_has_every_finding_with_its_grade_and_mend(restart: Restart, dark: Path) -> None:
    told = json.loads(restart("preflight", str(dark), "--limit", "a-1", "--format", "json").out)
    assert list(told["hosts"]) == ["a-1"]
    assert told["hosts"]["a-1"]["found"][0]["grade"] == "blocks"
    assert told["hosts"]["a-1"]["found"][0]["mend"]
    assert told["summary"]["hosts_by_grade"] == {"blocks": 1, "warns": 0, "notes": 0}


@pytest.mark.parametrize(("refused", "code"), [(True, 4), (False, 130)])
def test_ctrl_c_ends_it_early_with_what_was_found_and_forgets_nothing_of_the_rest(
    restart: Restart, dark: Path, tmp_path: Path, ctrl_c_while_it_hangs: Hangs, refused: bool, code: int
) -> None:
    keep(tmp_path)
    frame = "restart-probe 1 "
    answer = ShellReply(exit_status=0, stdout=f"{frame}begin\n{frame}done\n", stderr="")
    ctrl_c_while_it_hangs("a-1", NoAnswer(reason="refused") if refused else answer)
    said = restart("preflight", str(dark))
    assert said.code == code
    flat = " ".join(said.out.split())
    assert "looked at 1 of 2 hosts" in flat
    assert "ended early" in flat
    assert "UNKNOWN a-1: not looked at. What was known of them stays" in flat
    assert ("Nothing blocks those that were looked at." in flat) != refused
    assert "Nothing blocks. " not in f"{flat} "
    # What was found on a-1 an hour ago blocks as before.
    refusal = restart("plan", str(dark), "--limit", "a-1")
    assert refusal.code == 4
    assert "md0 is degraded" in refusal.err


def late() -> Found:
    return Found(rule=NOT_TOLD, grade=Grade.WARNS, evidence="systemctl did not end in time", why="x", mend="look again")


def test_what_did_not_answer_in_its_time_is_told_where_a_plan_rests_on_it(
    restart: Restart, dark: Path, tmp_path: Path
) -> None:
    keep(tmp_path, found=(late(),))
    said = restart("plan", str(dark), "--limit", "a-1")
    assert said.code == 0
    assert (
        "preflight does not know all of a-1: systemctl did not end in time (look again: restart preflight)" in said.err
    )
    assert "does not know" not in restart("plan", str(dark), "--limit", "a-2").err


def test_what_blocked_stays_where_the_next_look_was_not_told_all() -> None:
    def looked(*told: Found, answered: bool = True) -> Preflight:
        return Preflight(at="", fleet="dark", hosts={"a": HostFound(found=told, answered=answered)})

    warns = found(Grade.WARNS)
    first = looked(found(), warns)
    assert looked(found(), late()).hosts == first.looked_again(looked(late())).hosts
    # What was told again is told once, and a look that was told all knows better.
    assert first.looked_again(looked(found(), late())).hosts == looked(found(), late()).hosts
    assert first.looked_again(looked(warns)).hosts == looked(warns).hosts
    unseen = Found(rule="ssh", grade=Grade.BLOCKS, evidence="refused", why="x", mend="y")
    assert looked(unseen, answered=False).looked_again(looked(late())).hosts == looked(late()).hosts


def test_no_store_is_made_to_look(restart: Restart, dark: Path, tmp_path: Path) -> None:
    restart("preflight", str(dark))
    assert not (tmp_path / "store/store.db").exists()


def test_a_plan_and_a_run_of_a_blocked_host_are_refused_by_name(restart: Restart, dark: Path, tmp_path: Path) -> None:
    keep(tmp_path)
    for command in (("plan", str(dark)), ("run", str(dark), "--no-survey", "--dry-run")):
        said = restart(*command)
        assert said.code == 4
        assert "plan refused: a-1: md0 is degraded" in said.err
        assert "replace the disk, then restart preflight; or --override preflight.raid-degraded" in said.err


def test_an_override_by_name_lets_it_through_and_says_so(restart: Restart, dark: Path, tmp_path: Path) -> None:
    keep(tmp_path)
    words = ("--override", "preflight.raid-degraded", "--reason", "the spare is here on Monday")
    said = restart("plan", str(dark), *words)
    assert said.code == 0
    assert "preflight.raid-degraded is overridden (the spare is here on Monday): a-1: md0 is degraded" in said.err
    other = restart("plan", str(dark), "--override", "preflight.full", "--reason", "x")
    assert other.code == 4


def test_a_host_that_is_not_touched_blocks_nothing(restart: Restart, dark: Path, tmp_path: Path) -> None:
    keep(tmp_path)
    assert restart("plan", str(dark), "--limit", "a-2").code == 0


@pytest.mark.parametrize(
    "host",
    [{"found": (found(Grade.WARNS),)}, {"age_s": 25 * 3600.0}],
    ids=["warns", "old"],
)
def test_what_only_warns_or_is_a_day_old_blocks_nothing(
    restart: Restart, dark: Path, tmp_path: Path, host: dict[str, object]
) -> None:
    keep(tmp_path, **host)  # type: ignore[arg-type]
    assert restart("plan", str(dark)).code == 0


def test_looking_again_at_a_part_keeps_what_is_known_of_the_rest(restart: Restart, dark: Path, tmp_path: Path) -> None:
    keep(tmp_path)
    restart("preflight", str(dark), "--limit", "a-2")
    said = restart("plan", str(dark), "--limit", "a-1")
    assert (said.code, "md0 is degraded" in said.err, "SSH is refused" in said.err) == (4, True, False)


def test_a_host_that_is_silent_now_is_still_blocked_by_what_was_found_before(
    restart: Restart, dark: Path, tmp_path: Path
) -> None:
    keep(tmp_path)
    for _ in range(2):
        restart("preflight", str(dark))
        said = restart("plan", str(dark), "--limit", "a-1")
        assert said.code == 4
        assert (said.err.count("md0 is degraded"), said.err.count("SSH is refused")) == (1, 1)


def test_a_host_that_could_not_be_looked_at_is_not_planned_as_if_it_were_up(
    restart: Restart, dark: Path, tmp_path: Path
) -> None:
    restart("preflight", str(dark))
    said = restart("plan", str(dark), "--mode", "rolling")
    assert said.code == 4
    assert "plan refused: a-1, a-2: SSH is refused" in said.err
    assert "or --override preflight.ssh" in said.err
    words = ("--override", "preflight.ssh", "--reason", "the console shows them idle")
    assert restart("plan", str(dark), *words).code == 0
    # What knows that they are off starts them by other ways.
    assert restart("plan", str(dark), "--mode", "cold-start").code == 0


def test_a_saved_plan_is_refused_too_when_it_is_run(restart: Restart, dark: Path, tmp_path: Path) -> None:
    assert restart("plan", str(dark), "-o", "plan.json").code == 0
    keep(tmp_path)
    assert restart("run", "plan.json", "--reason", "x", "--yes-hosts", "2").code == 4


def test_a_broken_file_is_told_and_not_passed_over(restart: Restart, dark: Path, tmp_path: Path) -> None:
    keep(tmp_path)
    (tmp_path / "store/preflights/dark.json").write_text("[]")
    said = restart("plan", str(dark))
    assert said.code == 2
    assert "look again" in said.err or "look again: restart preflight" in said.err


def test_what_was_found_is_shown_though_it_cannot_be_kept(restart: Restart, dark: Path, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(exist_ok=True)
    (tmp_path / "store/preflights").write_text("in the way")
    said = restart("preflight", str(dark))
    assert said.code == 2
    assert "BLOCKS  ssh" in said.out
    assert "dark.json cannot be " in said.err


@pytest.mark.parametrize("command", ["preflight", "discover", "survey", "validate", "graph"])
def test_a_saved_plan_where_an_inventory_is_wanted_is_told_in_one_line(
    restart: Restart, dark: Path, command: str
) -> None:
    assert restart("plan", str(dark), "-o", "plan.json").code == 0
    said = restart(command, "plan.json")
    assert said.code == 2
    assert said.err.startswith("restart: plan.json is a saved plan, and an inventory is wanted (name the inventory")
    assert said.err.count("\n") == 1


def test_an_inventory_may_be_json(restart: Restart, tmp_path: Path) -> None:
    (tmp_path / "site.json").write_text('{"version": 1, "fleet": "f", "hosts": {"a": {}}}')
    assert restart("validate", str(tmp_path / "site.json")).code == 0
