"""A rehearsal of a plan that was made on a survey begins as the fleet was seen, not with a fleet that is well."""

from __future__ import annotations

from restart.model.check import Verdict
from restart.model.inventory import Amount, Service
from restart.model.observation import HostSeen, Observation
from restart.model.plan import Plan
from restart.planner import make_plan
from restart.simulator import play as stage
from restart.simulator.referee import Referee
from restart.simulator.usual import seen_at_first, usual_physics
from tests.inventory.reading import GATES
from tests.simulator.random_fleets import ask, fixed, fleet
from tests.simulator.test_recovery import LADDER, powered

WEB = Service(name="web", hosts=("w1", "w2", "w3", "w4"), max_unavailable=Amount(number=1), ready=(ask(),))
BOOT_ID = "6e0b7f3a-0000-4000-8000-00000000000"


def surveyed() -> Plan:
    inventory = powered(fleet(WEB, policy=fixed(max_failures=3), playbooks={"reboot": LADDER}))
    seen = {
        "w1": HostSeen(ready={"web": Verdict.PASS}, boot_id=f"{BOOT_ID}1", state="never-went-down"),
        "w2": HostSeen(ready={"web": Verdict.FAIL}, boot_id=f"{BOOT_ID}2", state="unhealthy", why="tcp 80 is refused"),
        "w3": HostSeen(ready={"web": Verdict.UNKNOWN}, state="stuck", why="hangs"),
        "w4": HostSeen(ready={"web": Verdict.UNKNOWN}, state="down", power="off", why="its power is off"),
    }
    at = "2026-11-22T00:10:00Z"
    return make_plan(inventory, observation=Observation(at=at, hosts=seen), made_at=at, mode="recover")


def test_it_begins_with_who_was_off_who_hung_and_who_was_not_ready() -> None:
    plan = surveyed()
    result = stage.play(plan, usual_physics(plan, spread=0.0), 1, gates=GATES, referee=Referee)
    assert result.availability["web"][0] == (0.0, 1)
    assert result.violations == ()
    assert result.outcome is not None
    assert (result.outcome.exit_code, result.score.reached) == (0, True), result.outcome.why
    assert result.restarts == {"w2": 1, "w3": 1}  # the fourth was off: it is started, and nothing is taken from it
    assert result.availability["web"][-1][1] == 4


def test_it_is_said_where_it_begins() -> None:
    assert seen_at_first(surveyed()) == (
        "Begins as the fleet was seen at 2026-11-22T00:10:00Z: 2 silent or off, 1 up and not ready.",
    )
