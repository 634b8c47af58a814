"""Hooks: set before anything is touched, undone once all is done, named where they stay."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from restart.engine import Engine, facts
from restart.engine.stages import begin
from restart.model.answer import NoAnswer
from restart.model.check import OF_RUN, Check
from restart.model.event import Word
from restart.model.hook import Hook, Silence
from restart.model.inventory import Inventory, Service
from restart.model.request import Ask, Claim, Reboot, Release, Request, RunHook
from tests.engine.toy import Played, Toy, drive_on, fixed, fleet, plan_of, play, resumed

DB = Service(name="db", hosts=("db-1", "db-2", "db-3"))
NOOUT = Hook(name="noout", run="ceph osd set noout", undo="ceph osd unset noout", on="db-1")
SCALER = Hook(name="scaler", run="scaler pause", undo="scaler go")
QUIET = Hook(name="quiet", silence=Silence(alertmanager="http://am", matchers=("team=db",), for_s=60.0))


class Recording(Toy):
    """A toy world that remembers what reached it, in order."""

    def begin(self, request: Request) -> None:
        self.sent = [*getattr(self, "sent", []), request]
        super().begin(request)


def site(*hooks: Hook, **given: Any) -> Inventory:
    return fleet(DB, policy=fixed(), hooks=hooks or (NOOUT, SCALER), **given)


def run(inventory: Inventory, toy: Toy) -> Played:
    return play(plan_of(inventory, "db-1", "db-2", "db-3"), toy)


def hooks_of(toy: Toy) -> list[str]:
    return [said for said in toy.ran if said.startswith(("set ", "undo "))]


def test_hooks_are_set_in_order_before_anything_else_and_undone_in_reverse_at_the_end() -> None:
    inventory = site()
    toy = Recording(inventory)
    played = run(inventory, toy)
    assert played.exit_code == 0
    kinds = [type(request) for request in toy.sent if isinstance(request, RunHook | Reboot | Release)]
    assert kinds == [RunHook, RunHook, Reboot, Reboot, Reboot, RunHook, RunHook, Release, Release, Release]
    assert hooks_of(toy) == ["set noout", "set scaler", "undo scaler", "undo noout"]
    assert [fact.data["name"] for fact in played.told(facts.HOOK_SET)] == ["noout", "scaler"]
    assert played.told(facts.HOOK_LEFT) == []


def test_the_next_hook_is_set_only_when_the_one_before_is_answered() -> None:
    inventory = site()
    toy = Recording(inventory)
    toy.delay = lambda request: 9.0 if isinstance(request, RunHook) else 0.0
    played = run(inventory, toy)
    first, second = (fact.at_s for fact in played.told(facts.HOOK_SET))
    assert second - first >= 9.0
    assert played.told(facts.MOVE_STARTED)[0].at_s >= second


def test_a_hook_that_fails_restarts_nothing_and_undoes_what_was_set() -> None:
    inventory = site(SCALER, NOOUT, QUIET)
    toy = Recording(inventory, steps={"set noout": 3})
    played = run(inventory, toy)
    assert played.exit_code == 5
    assert sum(played.reboots().values()) == 0
    assert hooks_of(toy) == ["set scaler", "set noout", "undo noout", "undo scaler"]
    assert "the hook noout could not be set: exit 3" in played.engine.outcome.why  # type: ignore[union-attr]
    assert played.told(facts.HOOK_LEFT) == []
    assert played.told(facts.HALTED)[0].data["rule"] == "hooks.noout"


def test_a_lost_answer_of_a_hook_is_asked_for_again_a_few_times() -> None:
    class Silent(Recording):
        def carry_out(self, request: Request) -> tuple[float, object]:
            delay_s, answer = super().carry_out(request)
            lost = isinstance(request, RunHook) and not request.undo and len(hooks_of(self)) <= self.lost
            return delay_s, NoAnswer(reason="dropped") if lost else answer

    for lost, exit_code in ((2, 0), (3, 5)):
        inventory = site(SCALER)
        toy = Silent(inventory)
        toy.lost = lost  # type: ignore[attr-defined]
        played = run(inventory, toy)
        assert played.exit_code == exit_code
        assert hooks_of(toy)[-1] == "undo scaler", "it may have been set for all we know"


@pytest.mark.parametrize("word", ["stop", "let-go"])
def test_a_run_that_is_stopped_leaves_its_hooks_and_says_how_to_undo_them(word: str) -> None:
    inventory = site(NOOUT, QUIET)
    toy = Recording(inventory)
    toy.words = [(12.0, Word(at_s=0.0, word=word, by="ann"))]
    played = run(inventory, toy)
    assert played.exit_code == 6
    assert [said for said in hooks_of(toy) if said.startswith("undo")] == []
    left = {fact.data["name"]: fact.data["by_hand"] for fact in played.told(facts.HOOK_LEFT)}
    assert left["noout"] == "ceph osd unset noout (on db-1)"
    assert "amtool silence expire" in left["quiet"]


def test_a_run_that_is_halted_leaves_its_hooks_and_a_resume_that_is_done_undoes_them() -> None:
    inventory = site()
    toy = Recording(inventory)
    toy.hosts["db-3"].fault = "never_returns"
    played = run(inventory, toy)
    assert played.exit_code == 5
    assert len(played.told(facts.HOOK_LEFT)) == 2
    toy.hosts["db-3"].fault = ""
    toy.hosts["db-3"].up_at_s = toy.now_s
    toy.words = [(toy.now_s, Word(at_s=0.0, word="retry", by="ann", target="db-3"))]
    resumed(played)
    assert played.exit_code == 0
    assert hooks_of(toy) == ["set noout", "set scaler", "undo scaler", "undo noout"], "none is set twice"


@pytest.mark.parametrize("dies_after", range(1, 60, 2))
def test_wherever_the_controller_dies_every_hook_is_set_before_the_first_reboot_and_none_is_left(
    dies_after: int,
) -> None:
    inventory = site()
    toy = Recording(inventory)
    played = Played(Engine(plan_of(inventory, "db-1", "db-2", "db-3")), toy, [], [])
    drive_on(played, die_after=dies_after)
    if played.engine.outcome is None:
        resumed(played)
    assert played.exit_code == 0
    said = hooks_of(toy)
    first_undo = next(index for index, text in enumerate(said) if text.startswith("undo"))
    assert set(said[:first_undo]) == {"set noout", "set scaler"}
    assert {text for text in said[first_undo:] if text.startswith("set")} == set()
    assert set(said[first_undo:]) == {"undo noout", "undo scaler"}
    order = [request for request in toy.sent if isinstance(request, RunHook | Reboot)]
    before = [request.hook for request in order[: next(i for i, r in enumerate(order) if isinstance(r, Reboot))]]  # type: ignore[union-attr]
    assert {"noout", "scaler"} <= set(before)


def test_an_undo_that_fails_is_told_and_the_run_does_not_end_as_done() -> None:
    inventory = site()
    toy = Recording(inventory, steps={"undo scaler": 1})
    played = run(inventory, toy)
    assert played.exit_code == 5
    assert hooks_of(toy)[-1] == "undo noout", "the others are undone all the same"
    assert [fact.data["name"] for fact in played.told(facts.HOOK_LEFT)] == ["scaler"]
    assert "could not be undone: scaler" in played.engine.outcome.why  # type: ignore[union-attr]
    toy.steps.clear()
    resumed(played)
    assert played.exit_code == 0
    assert hooks_of(toy)[-1] == "undo scaler"


def test_a_silence_is_renewed_while_the_run_goes_on() -> None:
    inventory = site(QUIET)
    toy = Recording(inventory)
    played = run(inventory, toy)
    assert played.exit_code == 0
    times = hooks_of(toy)
    assert times.count("set quiet") >= 3
    assert times[-1] == "undo quiet"
    assert len(played.told(facts.HOOK_SET)) == 1


def test_a_foreign_claim_at_the_start_sets_no_hook() -> None:
    from restart.model.answer import HeldBy

    inventory = site()
    toy = Recording(inventory)
    toy.hosts["db-2"].claim = HeldBy(controller="lap", user="bob", run="r9", since="then", for_s=60.0)
    played = run(inventory, toy)
    assert played.exit_code == 7
    assert hooks_of(toy) == []
    assert any(isinstance(request, Claim) for request in toy.sent)


def test_a_plan_of_two_stages_sets_its_hooks_once_and_undoes_them_after_the_last() -> None:
    inventory = site()
    plan = plan_of(inventory, "db-1", "db-2")
    plan = replace(plan, waves=(plan.waves[0], replace(plan.waves[1], stage=2)))
    toy = Recording(inventory)
    played = Played(begin(plan), toy, [], [])  # type: ignore[arg-type]
    drive_on(played)
    assert played.exit_code == 0
    assert hooks_of(toy) == ["set noout", "set scaler", "undo scaler", "undo noout"]
    assert played.told(facts.HOOK_LEFT) == []


def test_after_a_crash_a_silence_is_made_sure_of_before_the_next_reboot_and_renewed_again() -> None:
    inventory = site(QUIET)
    toy = Recording(inventory)
    played = Played(Engine(plan_of(inventory, "db-1", "db-2", "db-3")), toy, [], [])
    drive_on(played, until=lambda: bool(played.told(facts.MOVE_DONE)))
    toy.sent = []
    resumed(played)
    assert played.exit_code == 0
    order = [type(request) for request in toy.sent if isinstance(request, RunHook | Reboot)]
    assert order[0] is RunHook, "nobody knows whether it has ended meanwhile"
    assert order.count(RunHook) >= 3, "set, renewed, undone"


def test_a_hook_that_cannot_be_set_again_after_a_crash_takes_none_of_them_back() -> None:
    inventory = site(NOOUT, QUIET)
    toy = Recording(inventory)
    played = Played(Engine(plan_of(inventory, "db-1", "db-2", "db-3")), toy, [], [])
    drive_on(played, until=lambda: bool(played.told(facts.REBOOTING)))
    toy.steps["set quiet"] = 1
    resumed(played)
    assert played.exit_code == 5
    assert not [said for said in hooks_of(toy) if said.startswith("undo")], (
        "a host may be away still, and the run go on"
    )
    assert {fact.data["name"] for fact in played.told(facts.HOOK_LEFT)} == {"noout", "quiet"}


def test_what_a_hook_causes_is_the_run_s_own_only_while_it_stands() -> None:
    watch = Check(kind="alertmanager", params={"url": "http://am", "alive": ["alertname=Watchdog"]}, every_s=2.0)
    inventory = site(replace(NOOUT, causes=("CephFlags",)), watch=(watch,))
    toy = Recording(inventory)
    assert run(inventory, toy).exit_code == 0
    told = []
    for request in toy.sent:
        if isinstance(request, RunHook):
            told.append("undo" if request.undo else "set")
        elif isinstance(request, Ask) and request.subject == "watch":
            told.append("caused" if "caused" in request.checks[0].params[OF_RUN] else "not caused")
    assert told.index("not caused") < told.index("set") < told.index("caused") < told.index("undo")
    assert "caused" not in told[: told.index("set")]
    assert "not caused" not in told[told.index("set") : told.index("undo")]
