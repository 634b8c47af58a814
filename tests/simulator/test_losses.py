"""The loss of each host: at which moment, and what comes of it, the same from a shared past and from the start."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import cache

import pytest

from restart.model.check import Check
from restart.model.event import Outcome
from restart.model.inventory import Amount, Host, Inventory, Service
from restart.model.plan import Plan
from restart.model.playbook import Playbook, Rung
from restart.model.rehearsal import Losses
from restart.model.simulation import Result, Score
from restart.planner import make_plan
from restart.simulator.faults import Fault
from restart.simulator.losses import DOWN, NEVER, losses, moments
from restart.simulator.rehearsal import Rehearsal, needed
from restart.simulator.story import Story
from restart.simulator.usual import usual_physics
from tests.inventory.reading import GATES, ROOT

REBOOT = Playbook(name="reboot", restart=(Rung(kind="reboot", down_within_s=60.0, back_within_s=600.0),))

SHARED = """
from restart.simulator.branches import can_branch
from restart.simulator.losses import losses
from tests.simulator.test_losses import rehearsal, web
assert can_branch()
found = [losses(rehearsal(web(4, 2)), at_once=at_once) for at_once in (1, 2, 3)]
assert found[0] == found[1] == found[2]
print(repr(found[0]))
"""


def fleet(**services: Service) -> Inventory:
    hosts = dict.fromkeys(host for service in services.values() for host in service.hosts)
    return Inventory(
        fleet="little",
        hosts={name: Host(name=name, address=name) for name in (*hosts, "alone")},
        services=services,
        playbooks={"reboot": REBOOT},
    )


def web(members: int, may_be_down: int) -> Inventory:
    hosts = tuple(f"web-{number}" for number in range(1, members + 1))
    return fleet(web=Service(name="web", hosts=hosts, max_unavailable=Amount(number=may_be_down)))


def rehearsal(inventory: Inventory) -> Rehearsal:
    plan = make_plan(inventory, made_at="", canaries=0)
    return Rehearsal(plan=plan, physics=usual_physics(plan), gates=GATES, seed=3)


@cache
def lost(members: int, may_be_down: int) -> Losses:
    return losses(rehearsal(web(members, may_be_down)), shared_past=False)


def base(inventory: Inventory, **availability: tuple[tuple[float, int], ...]) -> Result:
    return Result(
        name="little",
        seed=0,
        side="staged",
        outcome=Outcome(state="done", exit_code=0, why=""),
        duration_s=1000.0,
        score=Score(reached=True),
        availability={name: availability.get(name, ((0.0, len(s.hosts)),)) for name, s in inventory.services.items()},
    )


def planned(inventory: Inventory) -> Plan:
    return make_plan(inventory, made_at="")


def test_a_host_is_lost_when_its_service_can_spare_it_least_and_it_is_up() -> None:
    inventory = web(4, 2)
    story = Story(
        began_s={"web-1": 10.0, "web-2": 20.0, "web-3": 300.0, "web-4": 310.0},
        ended_s={"web-1": 200.0, "web-2": 210.0, "web-3": 500.0, "web-4": 510.0},
    )
    steps = ((0.0, 4), (10.0, 3), (20.0, 2), (200.0, 3), (210.0, 4), (300.0, 3), (310.0, 2), (500.0, 3), (510.0, 4))
    found = {moment.host: moment for moment in moments(planned(inventory), base(inventory, web=steps), story)}
    assert (found["web-3"].how, found["web-3"].at_s, found["web-3"].slack) == (DOWN, 21.0, 0)
    # While the first two are away it is in its own restart: the next time that two are away is as thin.
    assert (found["web-1"].how, found["web-1"].at_s, found["web-1"].slack) == (DOWN, 311.0, 0)
    assert found["web-1"].service == "web"


def test_a_host_whose_service_is_thinnest_in_its_own_restart_does_not_return_from_that() -> None:
    inventory = web(2, 1)
    story = Story(began_s={"web-1": 10.0}, ended_s={"web-1": 200.0})
    steps = ((0.0, 2), (10.0, 0), (200.0, 2))
    found = {moment.host: moment for moment in moments(planned(inventory), base(inventory, web=steps), story)}
    assert (found["web-1"].how, found["web-1"].at_s, found["web-1"].slack) == (NEVER, 10.0, -1)


def test_the_tightest_of_its_services_decides() -> None:
    inventory = fleet(
        web=Service(name="web", hosts=("a", "b", "c"), max_unavailable=Amount(number=2)),
        db=Service(name="db", hosts=("a", "d"), max_unavailable=Amount(number=1)),
    )
    result = base(inventory, web=((0.0, 3), (10.0, 2), (20.0, 3)), db=((0.0, 2), (50.0, 1), (60.0, 2)))
    moment = moments(planned(inventory), result, Story())[0]
    assert (moment.host, moment.service, moment.at_s, moment.slack) == ("a", "db", 51.0, 0)


def test_a_host_without_a_service_that_needs_anything_fails_in_its_own_restart() -> None:
    found = moments(planned(web(2, 1)), base(web(2, 1)), Story(began_s={"alone": 400.0}, ended_s={"alone": 600.0}))
    assert (found[-1].host, found[-1].how, found[-1].at_s, found[-1].slack) == ("alone", NEVER, 400.0, None)


@pytest.mark.parametrize(
    ("members", "stated", "floor"), [(3, "quorum", 2), (4, None, 1), (1, None, None), (1, "quorum", 1), (4, "25%", 3)]
)
def test_a_service_needs_its_budget_and_without_one_a_member_of_several(
    members: int, stated: str | None, floor: int | None
) -> None:
    amount = {"quorum": Amount(quorum=True), "25%": Amount(percent=75.0), None: None}[stated]
    assert needed(Service(name="s", hosts=tuple("abcdef"[:members]), min_available=amount)) == floor


def test_a_plan_that_keeps_one_to_spare_survives_any_one_loss() -> None:
    inventory = web(4, 2)
    plan = make_plan(inventory, made_at="", canaries=0)
    careful = replace(inventory, services={"web": replace(inventory.services["web"], max_unavailable=Amount(number=1))})
    # Planned one at a time, judged by a budget that bears two.
    one_by_one = make_plan(careful, made_at="", canaries=0)
    kept = replace(one_by_one, inventory=inventory)
    found = losses(Rehearsal(plan=kept, physics=usual_physics(plan), gates=GATES, seed=3), shared_past=False)
    assert found.survives, [loss for loss in found.losses if not loss.survived]
    assert all(loss.state != "no progress" for loss in found.losses)


def test_a_plan_that_uses_its_whole_budget_does_not_and_says_what_breaks() -> None:
    found = lost(4, 2)
    assert not found.survives
    broken = {loss.host: loss.broken for loss in found.losses if not loss.survived}
    assert set(broken) <= {f"web-{number}" for number in range(1, 5)}
    fate = next(iter(broken.values()))[0]
    assert (fate.service, fate.members, fate.needed, fate.lowest) == ("web", 4, 2, 1)
    assert fate.short_s > 0


def test_who_was_never_restarted_is_blocked_and_the_lost_host_is_not_named_among_them() -> None:
    for loss in lost(4, 2).losses:
        assert loss.host not in loss.blocked
        assert loss.violations == ()
    stopped = [loss for loss in lost(4, 1).losses if loss.blocked]
    assert stopped
    # What is lost before the run has touched it is the world's doing, and the run says so.
    assert {loss.state for loss in stopped} <= {"halted", "drift"}
    assert any(loss.state == "drift" for loss in stopped)


def test_a_budget_that_one_member_less_breaks_whatever_is_planned_is_not_held_against_the_plan() -> None:
    inventory = web(3, 1)
    all_of_it = replace(inventory.services["web"], max_unavailable=None, min_available=Amount(all=True))
    plan = make_plan(inventory, selection=("alone",), made_at="")
    kept = replace(plan, inventory=replace(inventory, services={"web": all_of_it}))
    found = losses(Rehearsal(plan=kept, physics=usual_physics(plan), gates=GATES), shared_past=False)
    assert found.losses[0].fates[0].alone
    assert found.losses[0].fates[0].lowest == 2
    assert found.survives


def test_a_shared_past_and_any_number_of_processes_give_what_a_play_from_the_start_gives() -> None:
    run = subprocess.run(
        [sys.executable, "-c", SHARED],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == repr(lost(4, 2)) + "\n"


def test_a_plan_of_nothing_survives_everything() -> None:
    plan = replace(planned(web(2, 1)), waves=())
    found = losses(Rehearsal(plan=plan, physics=usual_physics(plan), gates=GATES))
    assert len(found.losses) == 3
    assert found.survives


def test_a_run_that_only_a_person_could_bring_on_ends_soon_and_says_who_is_waited_for() -> None:
    # No power control: whoever does not start is switched on by hand, and nobody plays that person. Its watch asks every second.
    always = Check(kind="http", params={"url": "http://127.0.0.1:1/site", "status": [200]}, every_s=1.0)
    inventory = replace(web(3, 1), watch=(always,))
    plan = make_plan(inventory, made_at="", mode="cold-start")
    down = Fault(kind="goes_down", hosts=("web-1",))
    found = Rehearsal(plan=plan, physics=usual_physics(plan), gates=GATES, seed=3, faults=(down,)).play(Story())
    assert found.outcome is None
    assert found.no_progress == (
        "it waits for a person's word, which nobody gives here: web-1: switch web-1 on by hand (and for 3 more)"
    )
    assert found.duration_s < 1800


def test_a_word_that_is_still_to_come_is_waited_for() -> None:
    plan = make_plan(web(3, 1), made_at="", mode="stop-start")
    said = Fault(kind="says", word="approve", target="stage-2", at_s=7200.0)
    found = Rehearsal(plan=plan, physics=usual_physics(plan), gates=GATES, seed=3, faults=(said,)).play(Story())
    assert found.duration_s > 7200
    assert "stage-2" not in found.no_progress
    assert found.score.failed == tuple(plan.inventory.hosts), "a host that moves in both stages counts once"


def test_a_run_paused_by_what_it_cannot_see_ends_soon_where_nobody_lets_it_go() -> None:
    # The watch asks a host that is off until the run starts it, and the run starts nothing before it has seen the watch pass.
    through = Check(kind="http", params={"url": "http://web-1/", "status": [200]}, every_s=1.0)
    inventory = replace(web(3, 1), watch=(through,))
    plan = make_plan(inventory, made_at="", mode="cold-start")
    found = Rehearsal(plan=plan, physics=usual_physics(plan), gates=GATES, seed=3).play(Story())
    assert found.outcome is None
    assert found.no_progress.startswith("it waits for a person's word, which nobody gives here: go: watch 1 (http)")
    assert found.duration_s < 1800
