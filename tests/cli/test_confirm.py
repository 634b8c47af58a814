"""The question before a run, on a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from restart.cli.confirm import Consent, ask, ask_beyond
from restart.cli.rooms import Shape, gates, make_plan, read_inventory
from restart.errors import Refused, UsageMistake
from restart.model.plan import Plan, StandBy
from restart.model.playbook import Rung
from restart.reports.plan_text import scope_text

Answers = Callable[..., list[str]]


@pytest.fixture
def plan(shop: Path) -> Plan:
    return make_plan(read_inventory(shop, gates()), Shape(), None)


@pytest.fixture
def part(shop: Path) -> Plan:
    """Two of ten hosts, below confirm_above (50%)."""
    return make_plan(read_inventory(shop, gates()), Shape(limits=("web-01,web-02",)), None)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """A person at the terminal who gives these answers; the questions are returned as they are asked."""

    def present(*given: str) -> list[str]:
        asked: list[str] = []
        left = list(given)

        def prompt(text: str, **_: Any) -> str:
            asked.append(text)
            return left.pop(0)

        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("click.prompt", prompt)
        monkeypatch.setattr("click.confirm", lambda text, **more: prompt(text) == "y")
        return asked

    return present


def test_a_small_scope_is_asked_once(part: Plan, answers: Answers) -> None:
    asked = answers("y")
    ask(part, Consent())
    assert asked == ["Go on?"]


def test_no_means_no(part: Plan, answers: Answers) -> None:
    answers("n")
    with pytest.raises(Refused, match="you said no"):
        ask(part, Consent())


def test_yes_skips_the_question_of_a_small_scope_only(part: Plan, plan: Plan) -> None:
    ask(part, Consent(yes=True))
    with pytest.raises(Refused, match="10 of 10 hosts is 100% of the fleet, above confirm_above"):
        ask(plan, Consent(yes=True, paths=("gate-1",)))


def test_nobody_to_ask_is_a_mistake_of_usage(part: Plan) -> None:
    with pytest.raises(UsageMistake, match="--yes"):
        ask(part, Consent())


def test_a_large_scope_wants_the_number_typed(plan: Plan, answers: Answers) -> None:
    asked = answers("gate-1", "10")
    ask(plan, Consent())
    assert len(asked) == 2
    answers("gate-1", "9")
    with pytest.raises(Refused, match="'9' is not 10"):
        ask(plan, Consent())


def test_a_path_of_one_host_is_confirmed_by_name(plan: Plan, answers: Answers) -> None:
    with pytest.raises(Refused, match="--yes-path gate-1"):
        ask(plan, Consent(hosts=10))
    ask(plan, Consent(hosts=10, paths=("gate-1",)))
    answers("web-01")
    with pytest.raises(Refused, match="'web-01' is not gate-1"):
        ask(plan, Consent(hosts=10))


def test_the_number_of_hosts_counts_only_the_waves_that_are_run(plan: Plan) -> None:
    ask(plan, Consent(hosts=1), until_wave=1)
    with pytest.raises(Refused, match="--yes-hosts says 10, this run restarts 1"):
        ask(plan, Consent(hosts=10), until_wave=1)


def test_a_resume_beyond_the_wave_that_was_confirmed_wants_the_number_of_the_rest(plan: Plan, answers: Answers) -> None:
    gate = ("gate-1",)
    what = "9 hosts beyond wave 1 were not confirmed yet; with those before them 10 of 10 is 100% of the fleet"
    with pytest.raises(Refused, match=what):
        ask_beyond(plan, Consent(paths=gate), after_wave=1)
    with pytest.raises(Refused, match="--yes-hosts says 10, this resume restarts 9 beyond wave 1"):
        ask_beyond(plan, Consent(hosts=10, paths=gate), after_wave=1)
    with pytest.raises(Refused, match="--yes-path gate-1"):
        ask_beyond(plan, Consent(hosts=9), after_wave=1)
    ask_beyond(plan, Consent(hosts=9, paths=gate), after_wave=1)
    asked = answers("gate-1", "9")
    ask_beyond(plan, Consent(), after_wave=1)
    assert len(asked) == 2
    answers("gate-1", "8")
    with pytest.raises(Refused, match="'8' is not 9"):
        ask_beyond(plan, Consent(), after_wave=1)
    last = len(plan.waves)
    ask_beyond(plan, Consent(), after_wave=last)


def test_of_a_plan_below_confirm_above_the_resume_itself_is_the_word_for_the_rest(part: Plan) -> None:
    ask_beyond(part, Consent(), after_wave=1)


def test_what_lies_beyond_the_wave_is_shown(plan: Plan) -> None:
    shown = scope_text(plan, after_wave=1)
    assert shown.startswith("This restarts 9 hosts of shop (90% of the fleet of 10)")
    assert f"  goes on after wave 1 of {len(plan.waves)}\n" in shown
    first = plan.waves[0].moves[0].host
    assert first not in shown.split("services")[0].split("hosts     ")[1]


def test_on_a_real_terminal_a_wrong_number_ends_with_4(shop: Path) -> None:
    master, slave = os.openpty()
    command = [
        sys.executable,
        "-m",
        "restart",
        "run",
        "shop.yml",
        "--no-survey",
        "--reason",
        "x",
        "--limit",
        "db-*,web-*",
    ]
    env = {**os.environ, "TERM": "dumb"}
    try:
        with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env) as process:
            os.close(slave)
            shown = ""
            while "to go on" not in shown:
                shown += os.read(master, 4096).decode()
            os.write(master, b"8\n")
            while "is not 9" not in shown:
                shown += os.read(master, 4096).decode()
            assert process.wait(30) == 4
    finally:
        os.close(master)
    assert "\x1b" not in shown


@pytest.fixture
def cutting(part: Plan) -> Plan:
    """`part`, whose last rung cycles power."""
    books = {
        name: replace(book, restart=(*book.restart, Rung(kind="power", reset="cycle")))
        for name, book in part.inventory.playbooks.items()
    }
    return replace(part, inventory=replace(part.inventory, playbooks=books))


def test_cutting_power_wants_a_word_of_its_own(cutting: Plan) -> None:
    assert "web-01, web-02: power may be cut (ForceOff)" in scope_text(cutting)
    for consent in (Consent(yes=True), Consent(yes=True, hosts=2)):
        with pytest.raises(Refused, match=r"the ladders of 2 hosts may cut their power .* --yes-force-off 2"):
            ask(cutting, consent)
    with pytest.raises(Refused, match="--yes-force-off says 3, the ladders of 2 hosts"):
        ask(cutting, Consent(yes=True, cuts=3))
    ask(cutting, Consent(yes=True, cuts=2))


def test_at_a_terminal_the_number_of_hosts_to_cut_is_typed(cutting: Plan, answers: Answers) -> None:
    asked = answers("2", "y")
    ask(cutting, Consent())
    assert "Type the number of these hosts" in asked[0]
    answers("3")
    with pytest.raises(Refused, match="'3' is not 2"):
        ask(cutting, Consent())


def test_to_allow_cuts_that_no_ladder_makes_is_another_scope(part: Plan) -> None:
    with pytest.raises(Refused, match="--yes-force-off says 2, the ladders of 0 hosts"):
        ask(part, Consent(yes=True, cuts=2))


def test_cuts_are_confirmed_for_the_whole_run_because_a_resume_asks_nobody_again(cutting: Plan) -> None:
    waves = (replace(cutting.waves[0], moves=cutting.waves[0].moves[:1]),)
    rest = tuple(move for wave in cutting.waves for move in wave.moves if move not in waves[0].moves)
    split = replace(cutting, waves=(*waves, replace(cutting.waves[0], number=2, moves=rest)))
    with pytest.raises(Refused, match="--yes-force-off says 1, the ladders of 2 hosts"):
        ask(split, Consent(yes=True, cuts=1), until_wave=1)
    ask(split, Consent(yes=True, cuts=2), until_wave=1)


def test_spares_whose_playbook_may_cut_power_are_counted(part: Plan, cutting: Plan) -> None:
    book = next(iter(cutting.inventory.playbooks))
    spare = StandBy(host="web-06", service="web", playbook=book, why="stands by")
    with pytest.raises(Refused, match="the ladders of 3 hosts may cut their power"):
        ask(replace(cutting, spares=(spare,)), Consent(yes=True))
