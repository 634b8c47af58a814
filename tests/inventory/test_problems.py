"""What operators read when an inventory is wrong: `problems/NAME.yml` and, beside it, the text in `problems/NAME.txt`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from restart.errors import Exit, InventoryInvalid, Problem
from restart.inventory import read
from restart.inventory.problems import PROBLEMS_MAX
from tests.inventory.reading import GATES, problems_of, small, told

FOLDER = Path(__file__).parent / "problems"
CASES = sorted(FOLDER.glob("*.yml"))


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_the_problems_of_a_file_are_told_as_written_beside_it(file: Path, request: pytest.FixtureRequest) -> None:
    with pytest.raises(InventoryInvalid) as raised:
        read([file], GATES, cycles_are_problems=True)
    text = str(raised.value).replace(f"{FOLDER}/", "").replace(f"{FOLDER.parent}/", "../") + "\n"
    expected = file.with_suffix(".txt")
    if request.config.getoption("--update-golden"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")
    assert raised.value.exit_code == Exit.INVALID


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_problems_stand_in_the_order_of_the_file(file: Path) -> None:
    with pytest.raises(InventoryInvalid) as raised:
        read([file], GATES, cycles_are_problems=True)
    assert list(raised.value.problems) == sorted(set(raised.value.problems))


def test_a_problem_points_at_the_value_and_an_unknown_key_at_the_key(tmp_path: Path) -> None:
    found = problems_of(tmp_path, small(policy=" {max_failures: x, foo: 1}"))
    assert [(problem.line, problem.column) for problem in found] == [(10, 24), (10, 27)]


def test_a_folded_line_and_an_umlaut_do_not_shift_the_place(tmp_path: Path) -> None:
    found = problems_of(tmp_path, small(policy='\n  # ä ö ü\n  {"on_failure": "ä", max_failures: -1}'))
    assert [(problem.line, problem.column) for problem in found] == [(12, 18), (12, 37)]


def test_a_mistake_is_told_once_and_not_by_all_that_follows_from_it(tmp_path: Path) -> None:
    lines = told(tmp_path, small(services="\n  db: {host: db-*}\n  app: {hosts: app-1, depends_on: {db: {needs: 2}}}"))
    assert lines == ["fleet.yml:7:8: services.db: unknown key host (did you mean hosts?)"]


def test_a_thousand_problems_are_enough(tmp_path: Path) -> None:
    wrong = "".join(f"\n  h{number}: {{adress: x}}" for number in range(3 * PROBLEMS_MAX))
    found = problems_of(tmp_path, small(hosts=wrong, services=" {}"))
    assert len(found) == PROBLEMS_MAX + 1
    assert found[-1].what == f"more than {PROBLEMS_MAX} problems; the rest is not shown"


def test_what_is_shown_of_a_file_cannot_steer_the_terminal(tmp_path: Path) -> None:
    lines = told(tmp_path, small(policy=' {"on\\e[2Jfailure": 1, pace: "\\e]0;x\\a' + "y" * 500 + '"}'))
    assert len(lines) == 2
    assert all(re.fullmatch(r"[ -~]{1,300}", line) for line in lines)


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(InventoryInvalid) as raised:
        read([tmp_path / "gone.yml"], GATES)
    assert raised.value.problems == (
        Problem(file=str(tmp_path / "gone.yml"), line=1, column=1, what="cannot be read: No such file or directory"),
    )


def test_a_ring_is_no_problem_unless_asked_for(tmp_path: Path) -> None:
    ring = small(services="\n  db: {hosts: db-*, depends_on: {app: {}}}\n  app: {hosts: app-1, depends_on: {db: {}}}")
    assert told(tmp_path, ring) == []
    assert len(told(tmp_path, ring, cycles_are_problems=True)) == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (small(services="\n  db: {hosts: [db-9, db-1], min_available: 2}"), "db-9 is not a host"),
        (small(services="\n  db: {hosts: [7, db-1], min_available: 2}"), "text expected, not the number 7"),
        (small(hosts="\n- db-1\n"), "keys and values expected, not a list"),
        (small(hosts=""), "no hosts"),
        (small(services="\n  db: {hosts: db-*, ready: [ssh]}"), "a check such as `tcp: 5432` or `ssh: {}` expected"),
        (small(services="\n  db: {hosts: db-*, ready: [{tcp: {port: 0}, within: 1s}]}"), "at least 1 expected, not 0"),
    ],
)
def test_nothing_is_said_of_what_a_mistake_makes_unknown(tmp_path: Path, text: str, line: str) -> None:
    (only,) = told(tmp_path, text)
    assert line in only


def test_a_section_may_be_left_with_all_its_lines_commented_out(tmp_path: Path) -> None:
    empty = dict.fromkeys(("services", "limits", "watch", "policy", "defaults"), "\n  # nothing yet")
    assert told(tmp_path, small(**empty)) == []
