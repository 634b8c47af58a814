"""A spare takes the place of a lost member: played whole, by the production engine on a simulated fleet, with the referee at the door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from restart.engine import facts
from restart.model.check import Check
from restart.model.inventory import Amount, Dependency, Inventory, Service, Spares
from restart.model.playbook import Playbook, Rung, Step
from restart.model.simulation import Result
from restart.planner import make_plan
from restart.simulator import play as stage
from restart.simulator.faults import Fault
from restart.simulator.physics.figures import HostFigures, Physics, ServiceFigures
from restart.simulator.referee import Referee
from tests.inventory.reading import GATES
from tests.simulator.random_fleets import REBOOT, ask, fixed, fleet

PROMOTE = Playbook(name="promote", drain=(Step(run="join {host} instead of {member}"),))
DB = Service(
    name="db",
    hosts=("db-1", "db-2", "db-3"),
    min_available=Amount(quorum=True),
    ready=(ask(),),
    spares=Spares(hosts=("spare-1", "spare-2"), playbook="promote"),
)
APP = Service(
    name="app", hosts=("app-1", "app-2"), ready=(ask(),), depends_on=(Dependency(provider="db"),)
)  # fmt: skip
LOST = Fault(kind="never_returns", hosts=("db-1",))


def site(*services: Service, promote: Playbook = PROMOTE, **policy: object) -> Inventory:
    books = {"reboot": REBOOT, "promote": promote}
    policy.setdefault("max_failures", 3)
    policy.setdefault("never_return", 0.5)
    labels: dict[str, dict[str, str]] = {"spare-1": {}, "spare-2": {}}
    return fleet(*(services or (DB, APP)), policy=fixed(**policy), labels=labels, playbooks=books)


def played(
    inventory: Inventory,
    *faults: Fault,
    selection: tuple[str, ...] | None = None,
    warm_s: float = 0.0,
    shallow: tuple[str, ...] = (),
) -> Result:
    physics = Physics(
        hosts={name: HostFigures(boot_s=30.0) for name in inventory.hosts},
        services={name: ServiceFigures(warm_s=warm_s, shallow=shallow) for name in inventory.services},
        latency_s=0.2,
        silence_s=1.0,
    )
    plan = make_plan(inventory, made_at="", selection=selection)
    referee = partial(Referee, seed=7)
    return stage.play(plan, physics, 7, gates=GATES, faults=faults, referee=referee, horizon_s=86_400.0)


def told(result: Result, *names: str) -> list[Mapping[str, Any]]:
    return [row for row in result.rows if row["event"] in names]


def promoted(result: Result) -> list[tuple[object, object]]:
    return [(row["host"], row["data"]["member"]) for row in told(result, facts.PROMOTED)]


def ended(result: Result) -> tuple[str, int]:
    assert result.outcome is not None
    assert result.violations == (), [str(found) for found in result.violations]
    return result.outcome.state, result.outcome.exit_code


def available(result: Result, service: str) -> list[tuple[int, int]]:
    rows = [row["data"] for row in told(result, facts.AVAILABLE) if row["service"] == service]
    return [(data["available"], data["of"]) for data in rows]


def commands(result: Result) -> list[str]:
    return [str(row["evidence"]) for row in told(result, facts.DRAINING)]


def test_a_spare_takes_the_place_of_a_member_that_is_given_up_and_the_rest_goes_on() -> None:
    result = played(site(), LOST)
    assert ended(result) == ("ended", 5)
    assert promoted(result) == [("spare-1", "db-1")]
    assert commands(result) == ["join spare-1 instead of db-1"]
    done = [row["host"] for row in told(result, facts.MOVE_DONE)]
    assert done == ["spare-1", "db-2", "db-3", "app-1", "app-2"]
    # db-1 goes and is lost, the spare is a member, and then db-2 and db-3 go one after the other.
    assert available(result, "db") == [(3, 3), (2, 3), (3, 3), (2, 3), (3, 3), (2, 3), (3, 3)]
    assert result.restarts.get("spare-1") is None


def test_without_a_loss_no_spare_is_touched() -> None:
    result = played(site())
    assert ended(result) == ("done", 0)
    assert not [row for row in result.rows if str(row.get("host", "")).startswith("spare")]


def test_after_a_halt_no_spare_is_called_up() -> None:
    result = played(site(max_failures=0), LOST)
    assert ended(result) == ("halted", 5)
    assert promoted(result) == []


def test_after_a_stop_no_spare_is_called_up() -> None:
    result = played(site(), LOST, Fault(kind="says", word="stop", at_s=300.0))
    assert ended(result)[0] == "stopped"
    assert promoted(result) == []


@pytest.mark.parametrize(
    "fails",
    [Fault(kind="step_fails", hosts=("spare-1",)), Fault(kind="goes_down", hosts=("spare-1",))],
    ids=["its step", "it is dead"],
)
def test_a_spare_that_fails_is_given_up_and_the_next_one_takes_the_place(fails: Fault) -> None:
    result = played(site(), LOST, fails)
    assert ended(result) == ("ended", 5)
    assert promoted(result) == [("spare-1", "db-1"), ("spare-2", "db-1")]
    assert available(result, "db")[-1] == (3, 3)


def test_where_no_spare_is_left_that_is_told_once_and_the_place_counts_as_down() -> None:
    result = played(site(), LOST, Fault(kind="step_fails", hosts=("spare-1", "spare-2")))
    assert ended(result) == ("halted", 5)
    assert [row["data"]["member"] for row in told(result, facts.NO_SPARE)] == ["db-1"]
    assert {row["host"] for row in told(result, facts.REBOOTING)} == {"db-1"}
    assert available(result, "db")[-1] == (2, 3)


def test_failed_spares_count_for_max_failures() -> None:
    result = played(site(max_failures=1), LOST, Fault(kind="step_fails", hosts=("spare-1",)))
    assert ended(result) == ("halted", 5)
    assert promoted(result) == [("spare-1", "db-1")]


def test_two_lost_members_get_two_spares() -> None:
    db = replace(DB, max_unavailable=Amount(number=1), min_available=None)
    result = played(site(db, APP, max_failures=5), LOST, Fault(kind="never_returns", hosts=("db-2",)))
    assert ended(result) == ("ended", 5)
    assert promoted(result) == [("spare-1", "db-1"), ("spare-2", "db-2")]
    assert available(result, "db")[-1] == (3, 3)


def test_a_spare_is_no_ready_member_before_its_move_has_ended_whatever_it_answers() -> None:
    # Asked over SSH alone, a host that was never promoted passes.
    result = played(site(replace(DB, ready=()), APP), LOST)
    assert ended(result) == ("ended", 5)
    rows = [row for row in result.rows if row["event"] in (facts.PROMOTED, facts.AVAILABLE, facts.MOVE_DONE)]
    called_up = next(at for at, row in enumerate(rows) if row["event"] == facts.PROMOTED)
    done = next(at for at, row in enumerate(rows) if row["event"] == facts.MOVE_DONE)
    between = [
        row["data"]["available"]
        for row in rows[called_up:done]
        if row["event"] == facts.AVAILABLE and row["service"] == "db"
    ]
    assert between in ([], [3])  # it was down before, and is ready with the end of its move
    assert rows[done]["host"] == "spare-1"


def test_a_member_that_comes_back_after_all_is_one_more() -> None:
    back = Fault(kind="comes_back_corrupt", hosts=("db-1",), for_s=350.0)
    result = played(site(), back, Fault(kind="says", word="retry", target="db-1", at_s=400.0))
    assert ended(result) == ("done", 0)
    assert promoted(result) == [("spare-1", "db-1")]
    assert available(result, "db")[-1] == (4, 4)


def test_a_spare_with_a_ladder_is_restarted_by_it() -> None:
    book = replace(PROMOTE, restart=(Rung(kind="reboot"),))
    result = played(site(promote=book), LOST)
    assert ended(result) == ("ended", 5)
    assert result.restarts["spare-1"] == 1


def test_a_spare_of_two_services_is_used_once() -> None:
    web = replace(
        DB, name="web", hosts=("web-1", "web-2", "web-3"), spares=Spares(hosts=("spare-1",), playbook="promote")
    )
    db = replace(DB, spares=Spares(hosts=("spare-1",), playbook="promote"))
    result = played(site(db, web, max_failures=5), LOST, Fault(kind="never_returns", hosts=("web-1",)))
    assert ended(result) == ("halted", 5)  # the other service cannot go on
    assert len(promoted(result)) == 1


def test_a_spare_keeps_the_budgets_of_what_it_carries_already() -> None:
    other = Service(name="other", hosts=("spare-1", "o-1"), max_unavailable=Amount(number=1), ready=(ask(),))
    result = played(site(DB, APP, other), LOST)
    assert ended(result) == ("ended", 5)
    assert promoted(result) == [("spare-1", "db-1")]
    started = next(row for row in told(result, facts.MOVE_STARTED) if row["host"] == "spare-1")
    assert started["data"]["services"] == ["db", "other"]


def test_spares_outside_the_selection_are_not_touched() -> None:
    result = played(site(), LOST, selection=("db-*",))
    assert ended(result) == ("halted", 5)
    assert promoted(result) == []


def test_a_spare_waits_for_the_gates_near_it_but_not_for_the_one_that_it_repairs() -> None:
    db = replace(DB, gate=(ask("group", "controller", healthy_for_s=4.0, within_s=900.0),))
    result = played(site(db, APP), LOST)
    assert ended(result) == ("ended", 5)
    assert promoted(result) == [("spare-1", "db-1")]


WHOLE = played(site(), LOST)


def events_of_the_promotion() -> range:
    """The numbers of the events after the member's loss to the end of the spare's move."""
    heard = 0
    first = last = 0
    for row in WHOLE.rows:
        if "input" in row:
            heard += 1
        elif row["event"] == facts.PROMOTED:
            first = heard
        elif row["event"] == facts.MOVE_DONE and row["host"] == "spare-1":
            last = heard
    return range(first + 1, last + 2)


@pytest.mark.parametrize("moment", ["appending", "appended", "begun"])
def test_a_controller_that_dies_anywhere_in_a_promotion_is_resumed_to_the_same_end(moment: str) -> None:
    for event in events_of_the_promotion():
        result = played(site(), LOST, Fault(kind="controller_dies", event=event, moment=moment))
        assert result.resumes == 1
        assert ended(result) == ("ended", 5), event
        assert promoted(result) == [("spare-1", "db-1")], event
        assert available(result, "db")[-1] == (3, 3), event
        assert set(commands(result)) == {"join spare-1 instead of db-1"}


def test_a_spare_that_is_promoted_is_not_compared_and_that_is_said() -> None:
    compared = Check(kind="same_as_before")
    inventory = site(replace(DB, same_as_before=compared), replace(APP, same_as_before=compared))
    result = played(inventory, LOST)
    assert ended(result) == ("ended", 5)
    without = [(row["host"], row["why"]) for row in told(result, facts.NOT_COMPARED)]
    assert without == [("spare-1", "it takes the place of db-1, and runs other things from then on")]
    assert {row["host"] for row in told(result, facts.BASELINE)} >= {"db-2", "db-3", "app-1", "app-2"}
