"""What holds a start inside its wave is told with its rule, its numbers and its way out, and not at all where it is overridden."""

from __future__ import annotations

import pytest

from restart.model.check import Check
from restart.model.inventory import Amount, Dependency, Host, Inventory, Policy, Service, Window
from restart.model.plan import Override
from restart.model.playbook import Playbook, Rung
from restart.planner import explain, make_plan

NIGHT = Window(opens="23:00", closes="05:00", zone="UTC")
GATE = Check(kind="http", params={"url": "http://x"}, healthy_for_s=20.0)
TOLD = {
    "canary.web/v7": "w1 goes first of 4, the others when its checks and gates have held for 10m",
    "pace.web/v7": "of 4 of web/v7 1, 2, 4, ... may be under way, as those before are good and gates open; half as many after trouble",
    "gate.db": "its gate must have passed for 20s since the last move near it ended, and not longer ago than 1m",
    "settle.db": "db is left in peace for 45s after its moves in waves before this one",
    "window": "its whole ladder may take 15m15s, and must end inside the maintenance window that is open then",
}


def site(barrier: str) -> Inventory:
    names = ("w1", "w2", "w3", "w4", "d1", "d2")
    hosts = {name: Host(name=name, address=name, labels={"image": "v7"} if name[0] == "w" else {}) for name in names}
    web = Service(
        name="web",
        hosts=names[:4],
        max_unavailable=Amount(number=4),
        depends_on=(Dependency(provider="db"),),
        gate=(Check(kind="approve", params={"text": "look"}),),
    )
    db = Service(name="db", hosts=names[4:], gate=(GATE,), gate_fresh_s=60.0, settle_s=45.0)
    return Inventory(
        fleet="toy",
        hosts=hosts,
        services={"web": web, "db": db},
        policy=Policy(barrier=barrier, canary_for_s=600.0, windows=(NIGHT,)),
        playbooks={"reboot": Playbook(name="reboot", restart=(Rung(kind="reboot"),))},
    )


def lines(barrier: str, *overridden: str) -> dict[str, str]:
    """What is told of w2, by rule."""
    overrides = tuple(Override(rule=rule, reason="to see") for rule in overridden)
    told = [
        line[2:].partition(": ") for line in explain(make_plan(site(barrier), made_at="", overrides=overrides), "w2")
    ]
    return {rule: what for rule, _, what in told if rule in TOLD}


@pytest.mark.parametrize("barrier", ["fleet", "service"])
def test_each_rule_that_holds_a_start_is_told_with_its_numbers_and_its_way_out(barrier: str) -> None:
    found = lines(barrier)
    assert {rule: what.rpartition(" (")[0] for rule, what in found.items()} == TOLD
    assert all(what.endswith(f"--override {rule})") for rule, what in found.items())


@pytest.mark.parametrize("rule", TOLD)
def test_a_rule_that_is_overridden_is_not_told_and_every_other_is(rule: str) -> None:
    assert lines("fleet", rule).keys() == TOLD.keys() - {rule}
