"""Drift: what has changed since a plan was made counts where its waves cannot bear it, and only there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from restart.model.check import Verdict
from restart.model.inventory import Amount, Host, Inventory, Service
from restart.model.observation import HostSeen, Observation
from restart.model.playbook import Playbook, Rung
from restart.planner import make_plan
from restart.planner.drift import differences

AT = "2026-11-22T00:10:00Z"
HOSTS = ("a", "b", "c", "d")
INVENTORY = Inventory(
    fleet="toy",
    hosts={host: Host(name=host, address=host) for host in HOSTS},
    services={"web": Service(name="web", hosts=HOSTS, max_unavailable=Amount(number=2))},
    playbooks={"reboot": Playbook(name="reboot", restart=(Rung(kind="reboot"),))},
)


def seen(*down: str, silent: tuple[str, ...] = ()) -> Observation:
    hosts = {
        host: HostSeen(
            ready={"web": Verdict.FAIL if host in (*down, *silent) else Verdict.PASS},
            boot_id=None if host in silent else f"{host}1",
            state="stuck" if host in silent else "unhealthy" if host in down else "never-went-down",
            why="SSH is refused" if host in silent else "",
        )
        for host in HOSTS
    }
    return Observation(at=AT, hosts=hosts, fleet="toy")


PLAN = make_plan(INVENTORY, selection=("a", "b"), observation=seen(), made_at=AT)


@pytest.mark.parametrize("now", [seen(), seen("c"), seen("a"), seen("a", "c")])
def test_what_the_waves_can_bear_is_no_drift(now: Observation) -> None:
    assert differences(PLAN, now) == ()


def test_more_members_down_than_the_waves_can_bear_is_drift() -> None:
    assert differences(PLAN, seen("c", "d")) == (
        "web: c, d are no longer ready; with 2 of 4 down beside the plan nobody of it may restart, at most 2 may be down",
    )


def test_a_host_of_the_plan_that_is_gone_is_drift() -> None:
    assert differences(PLAN, seen(silent=("a",))) == (
        "a was up when the plan was made, and is not now: SSH is refused",
    )


def test_a_recovery_whose_hosts_came_back_meanwhile_holds_still() -> None:
    plan = make_plan(INVENTORY, observation=seen("a", silent=("b",)), made_at=AT, mode="recover")
    assert differences(plan, seen()) == ()
    assert differences(plan, seen("a", silent=("b",))) == ()


def test_a_plan_that_knew_of_the_loss_holds_still() -> None:
    plan = make_plan(INVENTORY, selection=("a",), observation=seen("c"), made_at=AT)
    assert differences(plan, seen("c")) == ()
    assert differences(replace(plan, observation=None), seen("c")) == ()
