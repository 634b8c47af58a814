"""Gates, question by question: when one has passed for a start."""

from __future__ import annotations

from restart.engine.baselines import Baselines
from restart.engine.guards import Guards
from restart.engine.outbox import Outbox
from restart.model.answer import Checked
from restart.model.check import Check, Finding, Verdict
from restart.model.inventory import Service
from tests.engine.toy import fleet

DB = Service(name="db", hosts=("db-1",), gate=(Check(kind="http", params={}, every_s=2.0, healthy_for_s=12.0),))


def asked_until(guards: Guards, outbox: Outbox, since_s: float, until_s: float) -> None:
    """Somebody waits for the gate of db, which passes each time that it is asked."""
    while outbox.now_s < until_s:
        outbox.now_s += 0.5
        guards.passed("db", since_s)
        for request in outbox.take():
            outbox.answer(request.id, Checked(findings=(Finding(verdict=Verdict.PASS),)))


def test_a_gate_that_passes_holds_its_time_anew_for_who_starts_after_a_later_move() -> None:
    outbox, inventory = Outbox(), fleet(DB)
    baselines = Baselines(inventory, away=lambda: (), caused=lambda: ())
    guards = Guards(inventory, outbox, lambda service, why: None, lambda service: None, baselines)
    asked_until(guards, outbox, 0.0, 14.0)
    assert guards.passed("db", 0.0)
    assert not guards.passed("db", 6.0), "of a move that ended at 6 s it says what was so for 8 s, and must for 12 s"
    asked_until(guards, outbox, 6.0, 25.0)
    assert not guards.passed("db", 6.0)
    asked_until(guards, outbox, 6.0, 27.0)
    assert guards.passed("db", 6.0)
