"""A host that is silent when its turn comes is tried again, a bounded number of times."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from restart.engine import facts
from restart.engine.silent import AGAIN_S, TRIES_MAX
from restart.model.answer import NoAnswer
from restart.model.inventory import Amount, Service
from restart.model.plan import Plan
from restart.model.request import Claim, Request
from tests.engine.toy import Toy, fixed, fleet, plan_of, play

WEB = Service(name="web", hosts=("w1", "w2", "w3"), max_unavailable=Amount(number=2))


def site(back_s: float | None) -> tuple[Toy, Plan]:
    """w1 has gone silent before the run, and is back at `back_s` (None: never)."""
    inventory = fleet(WEB, policy=fixed(max_failures=1))
    toy = Toy(inventory)
    toy.hosts["w1"].down_since_s, toy.hosts["w1"].up_at_s = 0.0, back_s
    return toy, plan_of(inventory, "w1 w2 w3")


def test_a_host_that_answers_again_within_minutes_is_restarted_in_its_turn() -> None:
    toy, plan = site(None)

    def reachable(toy: Toy) -> None:
        toy.hosts["w1"].down_since_s = None  # its link is back, it has not booted

    toy.script = [(150.0, reachable)]
    played = play(plan, toy)
    assert played.exit_code == 0
    assert played.reboots() == {"w1": 1, "w2": 1, "w3": 1}
    assert any(fact.host == "w1" and "of 5 tries" in (fact.why or "") for fact in played.told(facts.HELD))


def test_a_host_that_boots_by_itself_within_minutes_is_not_restarted_again() -> None:
    toy, plan = site(150.0)
    played = play(plan, toy)
    assert played.exit_code == 0
    assert toy.hosts["w1"].reboots == 0
    assert [fact.host for fact in played.told(facts.MOVE_STARTED)].count("w1") == 4
    assert any(fact.host == "w1" and "1 of 5 tries" in (fact.why or "") for fact in played.told(facts.HELD))


def test_a_host_that_stays_silent_is_given_up_after_its_tries_and_the_others_go_on_meanwhile() -> None:
    toy, plan = site(None)
    played = play(plan, toy)
    assert played.exit_code == 5
    assert played.reboots() == {"w1": 0, "w2": 1, "w3": 1}
    given_up = next(fact for fact in played.told(facts.QUARANTINED) if fact.host == "w1")
    assert given_up.at_s >= (TRIES_MAX - 1) * AGAIN_S
    assert [fact.host for fact in played.told(facts.MOVE_STARTED)].count("w1") == TRIES_MAX
    done = {fact.host: fact.at_s for fact in played.told(facts.MOVE_DONE)}
    assert max(done.values()) < given_up.at_s


@dataclass
class Breaking(Toy):
    """After w1 was claimed for the run and for its move, its connection breaks under the next `breaks` claims."""

    breaks: int = 0
    claims: int = 0

    def carry_out(self, request: Request) -> tuple[float, object]:
        if isinstance(request, Claim) and request.host == "w1":
            self.claims += 1
            if 2 < self.claims <= 2 + self.breaks:
                return self.latency_s, NoAnswer(reason="dropped", detail="the connection broke under the command")
        return super().carry_out(request)


@pytest.mark.parametrize(("breaks", "exit_code"), [(1, 0), (3, 0), (9, 5)])
def test_a_connection_that_breaks_before_the_first_act_is_made_again_a_few_times(breaks: int, exit_code: int) -> None:
    inventory = fleet(WEB, policy=fixed(max_failures=1))
    toy = Breaking(inventory, breaks=breaks)
    played = play(plan_of(inventory, "w1 w2 w3"), toy)
    assert played.exit_code == exit_code
    assert played.reboots() == {"w1": int(not exit_code), "w2": 1, "w3": 1}
    assert [fact.host for fact in played.told(facts.QUARANTINED)] == (["w1"] if exit_code else [])
