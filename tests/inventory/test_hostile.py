"""Hostile files end in a good error: within 200 MB, in bounded processor time, and without crashing the process."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from restart.errors import Exit, InventoryInvalid, Problem
from restart.inventory import read
from restart.inventory.compose import DEPTH_MAX, read_tree
from restart.model.inventory import Inventory
from tests.inventory.hostile import CASES
from tests.inventory.reading import GATES, ROOT, SMALL, problems_of, told
from tests.inventory.test_format import EVERY_KEY


@pytest.fixture(scope="module")
def reads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], tuple[int, str, Path]]]:
    """How the reading of a hostile file ends: exit status, first problem, and the folder it was read in."""
    folder = tmp_path_factory.mktemp("hostile")
    words = [sys.executable, "-m", "tests.inventory.hostile", str(folder)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as reader:
        asked, told = reader.stdin, reader.stdout
        assert asked is not None
        assert told is not None

        def one(name: str, parser: str) -> tuple[int, str, Path]:
            print(json.dumps([name, parser]), file=asked, flush=True)
            status, first = json.loads(told.readline())
            return status, first, folder

        yield one


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not honour RLIMIT_AS")
@pytest.mark.parametrize(("name", "parser"), CASES)
def test_a_hostile_file_gets_an_error_in_little_memory_and_time(
    name: str, parser: str, reads: Callable[[str, str], tuple[int, str, Path]]
) -> None:
    status, first, folder = reads(name, parser)
    assert status == Exit.INVALID
    assert re.match(rf"{re.escape(str(folder))}/hostile\.yml:\d+:\d+: .", first)
    assert len(first) < 700
    assert first.isprintable()


def test_as_deep_as_allowed_is_no_problem_and_one_more_is() -> None:
    depth = DEPTH_MAX - 1
    tree = read_tree(("a: " + "[" * depth + "]" * depth).encode(), lambda *_: None)
    assert tree["a"]
    (line,) = _unreadable("a: " + "[" * (depth + 1) + "]" * (depth + 1))
    assert line == f"nested more than {DEPTH_MAX} deep"


def _unreadable(text: str) -> list[str]:
    from restart.inventory.tree import Unreadable

    with pytest.raises(Unreadable) as raised:
        read_tree(text.encode(), lambda *_: None)
    return [raised.value.what]


def test_a_byte_order_mark_is_fine(tmp_path: Path) -> None:
    assert told(tmp_path, b"\xef\xbb\xbf" + SMALL.encode()) == []


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_so_are_the_line_endings_of_other_systems(tmp_path: Path, ending: str) -> None:
    assert told(tmp_path, SMALL.replace("\n", ending).encode()) == []


def test_both_parsers_build_the_same_tree() -> None:
    for text in (SMALL, EVERY_KEY):
        fast, slow = (read_tree(text.encode(), lambda *_: None, pure=pure) for pure in (False, True))
        assert fast == slow
        assert fast["hosts"].places == slow["hosts"].places
        assert fast["hosts"]["db-[1-3]" if text is SMALL else "db-[1-2]"].place > 0


def verdict(data: bytes, folder: Path) -> Inventory | tuple[Problem, ...]:
    file = folder / "fuzz.yml"
    file.write_bytes(data)
    try:
        return read([file], GATES, cycles_are_problems=True)
    except InventoryInvalid as invalid:
        return invalid.problems


FUZZ = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(data=st.binary(max_size=300))
@example(data=b"")
@example(data=b"\xef\xbb\xbf")
@example(data=b"a: &a\n b: *a")
@example(data=b"hosts: *x")
@example(data=b"\xc2\x85")
def test_any_bytes_end_in_an_inventory_or_its_problems(data: bytes, tmp_path: Path) -> None:
    found = verdict(data, tmp_path)
    assert isinstance(found, Inventory) or found


@FUZZ
@given(data=st.data())
def test_a_mangled_inventory_ends_in_an_inventory_or_its_problems(data: st.DataObject, tmp_path: Path) -> None:
    text = bytearray(EVERY_KEY.encode())
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(text) - 1))
        length = data.draw(st.integers(0, 12))
        piece = data.draw(
            st.sampled_from([b"", b"~", b"[]", b"{}", b"1", b"[1-3]", b"*", b": ", b"\n", b"'", b"null", b"30s"])
        )
        text[start : start + length] = piece
    found = verdict(bytes(text), tmp_path)
    assert isinstance(found, Inventory) or found


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(["", "x", "30s", "quorum", "db-*", "[1-3]", "{host}"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["db", "tcp", "hosts", "kind", "run", "on", "on:", "within", "1"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@FUZZ
@given(data=st.data())
def test_any_value_in_any_place_ends_in_an_inventory_or_its_problems(data: st.DataObject, tmp_path: Path) -> None:
    import yaml

    document = yaml.safe_load(EVERY_KEY)
    for _ in range(data.draw(st.integers(1, 3))):
        held = document
        while isinstance(held, dict | list) and held:
            steps = list(held) if isinstance(held, dict) else list(range(len(held)))
            step = data.draw(st.sampled_from(steps))
            if not isinstance(held[step], dict | list) or data.draw(st.booleans()):
                held[step] = data.draw(VALUES)
                break
            held = held[step]
    found = verdict(yaml.safe_dump(document, sort_keys=False).encode(), tmp_path)
    assert isinstance(found, Inventory) or found


def test_every_problem_of_a_fuzzed_file_has_a_place_in_it(tmp_path: Path) -> None:
    lines = EVERY_KEY.replace(": ", ": ?").splitlines()
    for problem in problems_of(tmp_path, "\n".join(lines)):
        assert 1 <= problem.line <= len(lines) + 1
        assert problem.column >= 1
