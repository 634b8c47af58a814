"""Drains that run on another host, in shutdowns and cold starts: that host may go off first, and come up last."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from restart.engine import facts
from restart.errors import Exit
from restart.model.inventory import Dependency, Host, Inventory, Service
from restart.model.plan import Plan
from restart.model.playbook import Playbook, PowerControl, Rung, Step
from restart.planner import make_plan
from tests.engine.toy import Played, Toy, fixed, fleet, play

BOOK = Playbook(
    name="reboot",
    restart=(Rung(kind="reboot"),),
    start=(Rung(kind="power", reset="on", back_within_s=60.0),),
    stop=(Rung(kind="poweroff", down_within_s=60.0), Rung(kind="power", reset="off")),
)
DRAINED = replace(BOOK, name="drained", drain=(Step(run="out {host}", undo="in {host}", on="lb-1"),))
WEB = Service(name="web", hosts=("w1", "w2"), playbook="drained")
FREE = Service(name="lb", hosts=("lb-1",))
NEEDS_WEB = Service(name="lb", hosts=("lb-1",), depends_on=(Dependency(provider="web"),))


def site(*services: Service, **given: Any) -> tuple[Inventory, Toy]:
    given.setdefault("policy", fixed(barrier="service"))
    inventory = fleet(*services, playbooks={"reboot": BOOK, "drained": DRAINED}, **given)
    hosts = {name: replace(host, power=PowerControl(method="toy")) for name, host in inventory.hosts.items()}
    inventory = replace(inventory, hosts=hosts)
    return inventory, Toy(inventory)


def stop(inventory: Inventory, toy: Toy, **given: Any) -> tuple[Plan, Played]:
    plan = make_plan(inventory, mode="shutdown", made_at="")
    return plan, play(plan, toy, **given)


def off_at(played: Played) -> dict[str, float]:
    return {fact.host or "": fact.at_s for fact in played.told(facts.OFF)}


def test_the_host_on_which_a_drain_runs_goes_off_after_those_that_are_drained_there() -> None:
    inventory, toy = site(FREE, WEB)
    plan, played = stop(inventory, toy)
    assert played.exit_code == Exit.DONE
    assert off_at(played)["lb-1"] > max(off_at(played)["w1"], off_at(played)["w2"])
    assert sorted(toy.ran) == ["out w1", "out w2"]
    assert played.told(facts.LEFT_OUT) == []
    assert "lb-1 goes off after w1, w2, whose drain runs on it" in plan.notes


def test_where_the_order_says_otherwise_the_drain_is_left_out_and_the_shutdown_goes_on() -> None:
    inventory, toy = site(NEEDS_WEB, WEB)
    plan, played = stop(inventory, toy)
    assert played.exit_code == Exit.DONE
    assert off_at(played)["lb-1"] < min(off_at(played)["w1"], off_at(played)["w2"])
    assert toy.ran == []
    left_out = played.told(facts.LEFT_OUT)
    assert [(fact.host, fact.evidence, fact.why) for fact in left_out] == [
        ("w1", "out w1", "it runs on lb-1, which is off"),
        ("w2", "out w2", "it runs on lb-1, which is off"),
    ]
    assert "the part of the drain of w1, w2 that runs on lb-1 is left out: lb-1 is off by then" in plan.notes


def test_a_host_that_is_silent_but_not_proved_off_still_fails_the_drain() -> None:
    inventory, toy = site(FREE, WEB)
    toy.script = [(0.0, lambda world: world.go_down("lb-1")), (0.0, silent)]
    _, played = stop(inventory, toy)
    assert played.exit_code == Exit.HALTED
    assert played.told(facts.LEFT_OUT) == []
    assert {name: host.offs for name, host in toy.hosts.items()} == {"w1": 0, "w2": 0, "lb-1": 0}


def silent(toy: Toy) -> None:
    toy.hosts["lb-1"].up_at_s = None


def test_a_host_of_no_service_waits_for_those_that_are_drained_on_it() -> None:
    inventory, toy = site(WEB, hosts={"lb-1": {}})
    assert isinstance(inventory.hosts["lb-1"], Host)
    _, played = stop(inventory, toy)
    assert played.exit_code == Exit.DONE
    assert off_at(played)["lb-1"] > max(off_at(played)["w1"], off_at(played)["w2"])
    assert len(toy.ran) == 2


def test_peers_that_are_drained_on_each_other_all_go_off() -> None:
    books = {
        name: replace(BOOK, name=name, drain=(Step(run="out {host}", undo="in {host}", on=on),))
        for name, on in (("a", "b"), ("b", "c"), ("c", "a"))
    }
    inventory, toy = site(Service(name="db", hosts=("a", "b", "c")))
    hosts = {name: replace(host, playbook=name) for name, host in inventory.hosts.items()}
    inventory = replace(inventory, hosts=hosts, playbooks={"reboot": BOOK, **books})
    toy.inventory = inventory
    _, played = stop(inventory, toy)
    assert played.exit_code == Exit.DONE
    assert all(host.power == "off" for host in toy.hosts.values())


@pytest.mark.parametrize("die_after", [None, *range(4, 60, 8)])
def test_a_cold_start_undrains_on_a_host_that_comes_later_once_that_is_up(die_after: int | None) -> None:
    inventory, toy = site(NEEDS_WEB, WEB)
    for host in toy.hosts.values():
        host.power, host.down_since_s = "off", 0.0
    played = play(make_plan(inventory, mode="cold-start", made_at=""), toy, die_after=die_after)
    assert played.exit_code == Exit.DONE
    assert set(toy.ran) == {"in w1", "in w2"}
    if die_after is None:
        assert [(fact.host, fact.data["on"]) for fact in played.told(facts.OWED)] == [("w1", "lb-1"), ("w2", "lb-1")]
        done = {fact.host: fact.at_s for fact in played.told(facts.MOVE_DONE)}
        assert done["lb-1"] > max(done["w1"], done["w2"])


def test_an_undo_that_was_owed_and_fails_is_the_failure_of_that_host_and_named() -> None:
    inventory, toy = site(NEEDS_WEB, WEB)
    for host in toy.hosts.values():
        host.power, host.down_since_s = "off", 0.0
    toy.steps = {"in w2": 1}
    played = play(make_plan(inventory, mode="cold-start", made_at=""), toy)
    assert played.exit_code == Exit.HALTED
    (lost,) = played.told(facts.QUARANTINED)
    assert (lost.host, "still drained there: `in w2` for w2" in (lost.why or "")) == ("lb-1", True)
