"""Limits that span the runs of one store: no answer, no slot, and what is taken is given back by evidence alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from restart.engine import Engine, facts
from restart.model.answer import NoAnswer
from restart.model.check import Check
from restart.model.event import Word
from restart.model.inventory import Limit, Service
from restart.model.plan import Override, Plan
from restart.model.request import Request, TakeSlots
from tests.engine.toy import Played, Toy, drive_on, fixed, fleet, plan_of, play, replayed, resumed

WEB = Service(name="web", hosts=("w1", "w2", "w3"), ready=(Check(kind="tcp", healthy_for_s=2.0),))
SLOT = "limit.power r1"


def site(cap: int = 2, **given: object) -> tuple[Toy, Plan]:
    limit = Limit(name="power", per="rack", max_in_flight=cap, across_runs=True, **given)  # type: ignore[arg-type]
    racks = {host: {"rack": "r1"} for host in WEB.hosts}
    inventory = fleet(WEB, hosts=racks, limits={"power": limit}, policy=fixed())
    return Toy(inventory), plan_of(inventory, "w1", "w2", "w3")


def test_each_move_holds_its_slot_in_the_store_while_it_moves_and_none_afterwards() -> None:
    toy, plan = site()
    seen: list[float] = []
    toy.script = [(float(at_s), lambda toy: seen.append(toy.ledger.held(SLOT))) for at_s in range(2, 60)]
    assert play(plan, toy).exit_code == 0
    assert max(seen) == 1.0
    assert toy.ledger.held(SLOT) == 0.0


def test_a_move_waits_for_what_another_run_holds_and_says_who_does() -> None:
    toy, plan = site(cap=1)
    toy.ledger.others[SLOT] = {"db-7 of run other": 1.0}
    toy.script = [(300.0, lambda toy: toy.ledger.others.clear())]
    played = play(plan, toy)
    assert played.exit_code == 0
    assert played.told(facts.MOVE_STARTED)[0].at_s >= 300.0
    held = next(fact for fact in played.told(facts.HELD) if fact.data["rule"] == "limit.power")
    assert (held.why or "").startswith(f"{SLOT} spans the runs of this store: 1 of 1 held by db-7 of run other; ")
    assert "--free-slots" in (held.why or "")
    assert (held.why or "").endswith("plan --from RUN --override limit.power)")


def test_no_answer_is_no_slot() -> None:
    class Mute(Toy):
        def carry_out(self, request: Request) -> tuple[float, object]:
            if isinstance(request, TakeSlots) and self.now_s < 100.0:
                return self.latency_s, NoAnswer(reason="broken", detail="locked")
            return super().carry_out(request)

    toy, plan = site()
    mute = Mute(toy.inventory)
    played = play(plan, mute)
    assert played.exit_code == 0
    assert played.told(facts.MOVE_STARTED)[0].at_s >= 100.0
    held = next(fact for fact in played.told(facts.HELD) if fact.data["rule"] == "store")
    assert "no answer from the store, no slot of limit.power" in (held.why or "")
    assert held.data["way_out"] == "by itself when the store answers", "to override the limit would not make it answer"


def test_a_host_that_never_came_back_keeps_its_slot_in_the_store() -> None:
    toy, plan = site()
    toy.hosts["w1"].fault = "never_returns"
    assert play(plan, toy).exit_code == 5
    assert toy.ledger.own[SLOT] == {"w1": 1.0}


@pytest.mark.parametrize("die_after", range(6, 40, 3))
def test_a_crash_at_any_moment_leaves_no_slot_behind_and_none_untaken(die_after: int) -> None:
    toy, plan = site()
    played = play(plan, toy, die_after=die_after)
    assert played.exit_code == 0
    assert toy.ledger.held(SLOT) == 0.0
    assert replayed(plan, played.events).outcome == played.engine.outcome


def test_after_a_crash_the_store_holds_what_is_in_flight_whatever_was_done_to_it() -> None:
    toy, plan = site(cap=1)
    played = Played(Engine(plan), toy, [], [])
    drive_on(played, until=lambda: bool(played.told(facts.REBOOTING)))
    toy.ledger.own.clear()
    toy.script = [
        (toy.now_s + 5.0, lambda toy: toy.ledger.others.setdefault("seen", dict(toy.ledger.own.get(SLOT, {}))))
    ]
    resumed(played)
    assert toy.ledger.others["seen"] == {"w1": 1.0}


def test_the_overridden_limit_is_counted_and_holds_nothing() -> None:
    toy, plan = site(cap=1)
    toy.ledger.others[SLOT] = {"db-7 of run other": 1.0}
    played = play(replace(plan, overrides=(Override(rule="limit.power", reason="agreed"),)), toy)
    assert played.exit_code == 0


def slow_store(seconds: float = 5.0) -> tuple[Toy, Plan]:
    """The store needs a while to answer, so that other things come between."""
    toy, plan = site()
    toy.delay = lambda request: seconds if isinstance(request, TakeSlots) else 0.0
    return toy, plan


@pytest.mark.parametrize(
    ("word", "back", "target"),
    [("pause", "go", None), ("flag", "unflag", "1 everything"), ("flag", "unflag", "1 service web")],
)
def test_a_slot_that_is_given_when_nothing_may_begin_any_more_is_given_back(
    word: str, back: str, target: str | None
) -> None:
    toy, plan = slow_store()
    toy.words = [(3.0, Word(at_s=3.0, word=word, target=target)), (200.0, Word(at_s=200.0, word=back, target=target))]
    seen: list[float] = []
    toy.script = [(at_s, lambda toy: seen.append(toy.ledger.held(SLOT))) for at_s in (4.0, 20.0, 150.0)]
    played = play(plan, toy)
    assert seen == [1.0, 0.0, 0.0], "asked for, and given back"
    assert played.exit_code == 0
    assert toy.ledger.held(SLOT) == 0.0


def test_a_run_that_is_stopped_while_the_store_is_asked_leaves_no_slot_behind() -> None:
    toy, plan = slow_store()
    toy.words = [(3.0, Word(at_s=3.0, word="stop"))]
    played = play(plan, toy)
    assert played.exit_code == 6
    assert sum(played.reboots().values()) == 0
    assert toy.ledger.held(SLOT) == 0.0
