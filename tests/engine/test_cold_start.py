"""A cold start: groups open their consumers, quorums start together, what is up is left alone, a person is waited for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from restart.engine import facts
from restart.errors import Exit
from restart.model.check import Check, Verdict
from restart.model.event import Word
from restart.model.inventory import Amount, Dependency, Inventory, Limit, Service
from restart.model.playbook import Playbook, PowerControl, Rung
from restart.planner import make_plan
from tests.engine.toy import Played, Toy, fixed, fleet, play

QUORUM = Amount(quorum=True)
QUEUE = Service(name="queue", hosts=("q1", "q2", "q3"), min_available=QUORUM, ready_when=QUORUM)
APP = Service(name="app", hosts=("a1", "a2"), depends_on=(Dependency(provider="queue"),))
ON = Playbook(
    name="reboot", restart=(Rung(kind="reboot"),), start=(Rung(kind="power", reset="on", back_within_s=60.0),)
)


def cold(*services: Service, by_hand: bool = False, up: str = "", **given: object) -> tuple[Inventory, Toy]:
    """These services, all hosts off but those in `up`; switched on by their power controls, or `by_hand`."""
    given.setdefault(
        "playbooks", {"reboot": Playbook(name="reboot", restart=(Rung(kind="reboot"),)) if by_hand else ON}
    )
    given.setdefault("policy", fixed(barrier="service"))
    inventory = fleet(*services, **given)
    if not by_hand:
        hosts = {name: replace(host, power=PowerControl(method="toy")) for name, host in inventory.hosts.items()}
        inventory = replace(inventory, hosts=hosts)
    toy = Toy(inventory)
    for name, host in toy.hosts.items():
        if name not in up.split():
            host.power, host.down_since_s = "off", 0.0
    return inventory, toy


def start(inventory: Inventory, toy: Toy, **given: object) -> Played:
    return play(make_plan(inventory, mode="cold-start", made_at=""), toy, **given)  # type: ignore[arg-type]


def when(played: Played, fact: str) -> dict[str, float]:
    return {found.host or "": found.at_s for found in played.told(fact)}


def test_consumers_start_when_the_group_of_their_provider_is_ready() -> None:
    inventory, toy = cold(QUEUE, APP)
    toy.hosts["q3"].boot_s = 55.0
    played = start(inventory, toy)
    assert played.exit_code == Exit.DONE
    began, done = when(played, facts.MOVE_STARTED), when(played, facts.MOVE_DONE)
    assert began["q1"] == began["q2"] == began["q3"]
    assert max(done["q1"], done["q2"]) <= began["a1"] < done["q3"]


def test_under_the_barrier_of_the_fleet_they_wait_for_the_whole_wave() -> None:
    inventory, toy = cold(QUEUE, APP, policy=fixed())
    toy.hosts["q3"].boot_s = 55.0
    played = start(inventory, toy)
    assert when(played, facts.MOVE_STARTED)["a1"] >= when(played, facts.MOVE_DONE)["q3"]


def test_a_host_that_is_up_is_not_touched_and_its_checks_are_held() -> None:
    inventory, toy = cold(QUEUE, APP, up="q2")
    played = start(inventory, toy)
    assert played.exit_code == Exit.DONE
    assert (toy.hosts["q2"].switches, toy.hosts["q1"].switches) == ([], ["on"])
    assert [fact.host for fact in played.told(facts.UP_ALREADY)] == ["q2"]
    assert "q2" in when(played, facts.MOVE_DONE)


def test_a_host_that_is_up_and_sick_is_given_up_and_still_not_touched() -> None:
    inventory, toy = cold(QUEUE, up="q2", policy=fixed(max_failures=1))
    toy.hosts["q2"].sick = True
    played = start(inventory, toy)
    assert toy.hosts["q2"].switches == []
    assert [fact.why for fact in played.told(facts.QUARANTINED)] == [
        "up already, but not ready within 300s: queue: toy"
    ]  # fmt: skip


def test_a_failed_member_is_borne_while_the_group_can_still_be_ready() -> None:
    inventory, toy = cold(QUEUE, APP, policy=fixed(max_failures=1))
    toy.hosts["q3"].fault = "dead"
    played = start(inventory, toy)
    assert played.exit_code == Exit.HALTED  # a host failed
    assert set(when(played, facts.MOVE_DONE)) == {"q1", "q2", "a1", "a2"}


def test_consumers_of_a_group_that_can_never_be_ready_are_held_by_name() -> None:
    inventory, toy = cold(QUEUE, APP, policy=fixed(max_failures=3))
    toy.hosts["q3"].fault = toy.hosts["q2"].fault = "dead"
    played = start(inventory, toy)
    assert "requires.app.queue: app requires queue: 1 of 3 ready, 2 open it" in played.engine.outcome.why
    assert toy.hosts["a1"].switches == []


def test_a_quorum_waits_until_enough_of_it_find_a_place_at_once() -> None:
    other = Service(name="other", hosts=("o1",))
    inventory, toy = cold(other, QUEUE, limits={"fleet": Limit(name="fleet", max_in_flight=2)})
    toy.hosts["o1"].boot_s = 40.0
    played = start(inventory, toy)
    assert played.exit_code == Exit.DONE
    began = when(played, facts.MOVE_STARTED)
    assert began["q1"] == began["q2"]
    assert began["o1"] != began["q1"] or began["q1"] >= when(played, facts.MOVE_DONE)["o1"]


def test_order_only_waits_for_the_boot_and_not_for_the_checks() -> None:
    slow = Service(name="slow", hosts=("s1",), ready=(Check(kind="command", healthy_for_s=100.0),))
    later = Service(name="later", hosts=("l1",), depends_on=(Dependency(provider="slow", kind="after"),))
    inventory, toy = cold(slow, later)
    played = start(inventory, toy)
    began = when(played, facts.MOVE_STARTED)
    assert when(played, facts.BOOTED)["s1"] <= began["l1"] < when(played, facts.MOVE_DONE)["s1"]


def test_without_power_control_a_person_is_asked_for_each_host_by_name() -> None:
    inventory, toy = cold(Service(name="one", hosts=("h1",)), by_hand=True)

    def switched_on(world: Toy) -> None:
        world.hosts["h1"].up_at_s = world.now_s + 20.0

    toy.script = [(500.0, switched_on)]
    played = start(inventory, toy)
    assert [fact.evidence for fact in played.told(facts.APPROVAL_WANTED)] == ["switch h1 on by hand"]
    assert played.exit_code == Exit.DONE
    # Nobody said so, and the host answers all the same.
    assert 500.0 < when(played, facts.BOOTED)["h1"] < 900.0


def test_a_persons_word_ends_the_waiting_too() -> None:
    inventory, toy = cold(Service(name="one", hosts=("h1",)), by_hand=True)
    toy.script = [(500.0, lambda world: setattr(world.hosts["h1"], "up_at_s", 520.0))]
    toy.words = [(505.0, Word(at_s=0.0, word="approve", by="ops", target="h1"))]
    played = start(inventory, toy)
    assert played.exit_code == Exit.DONE
    assert when(played, facts.BOOTED)["h1"] == pytest.approx(520.0, abs=1.0)


def test_a_watch_through_a_service_that_is_off_is_suspended_until_it_is_ready() -> None:
    metrics = Service(name="metrics", hosts=("m1",))
    watch = Check(kind="prometheus", service="metrics", within_s=60.0)
    inventory, toy = cold(metrics, APP, QUEUE, watch=(watch,))
    toy.watch = Verdict.FAIL
    played = start(inventory, toy)
    assert played.exit_code == Exit.HALTED
    assert toy.hosts["m1"].switches == ["on"]
    assert toy.hosts["q1"].switches == [], "once metrics is ready its word counts"


def asked_by(inventory: Inventory, host: str, *rules: str) -> Inventory:
    """As the controller finds it from local files: the host is what these watches and gates ask."""
    hosts = {**inventory.hosts, host: replace(inventory.hosts[host], on_path="a watch asks it", asked_by=rules)}
    return replace(inventory, hosts=hosts)


def test_a_watch_without_a_service_waits_for_the_host_that_it_asks() -> None:
    metrics = Service(name="metrics", hosts=("m1",))
    watch = Check(kind="prometheus", within_s=60.0)
    inventory, toy = cold(metrics, APP, QUEUE, watch=(watch,))
    inventory = asked_by(inventory, "m1", "watch.1")
    toy.inventory = inventory
    toy.watch = Verdict.UNKNOWN
    # It answers as soon as m1 is up and no sooner; without the rule nothing would ever be switched on.
    toy.script = [(1.0 + 5 * step, answers_with("m1")) for step in range(40)]
    played = start(inventory, toy)
    assert played.exit_code == Exit.DONE
    assert played.told(facts.PAUSED) == []
    assert next(fact.verdict for fact in played.told(facts.WATCH)) is Verdict.PASS


def answers_with(host: str) -> Callable[[Toy], None]:
    """The watch sees what `host` sees: it answers once that is up."""

    def look(toy: Toy) -> None:
        toy.watch = Verdict.PASS if toy.up(host) else Verdict.UNKNOWN

    return look


def test_once_that_host_is_given_up_the_silence_of_the_watch_counts_and_tells() -> None:
    metrics = Service(name="metrics", hosts=("m1",))
    inventory, toy = cold(
        metrics, APP, QUEUE, watch=(Check(kind="prometheus", within_s=60.0),), policy=fixed(max_failures=5)
    )
    inventory = asked_by(inventory, "m1", "watch.1")
    toy.inventory = inventory
    toy.watch = Verdict.UNKNOWN
    toy.hosts["m1"].fault = "dead"
    toy.words = [(4000.0, Word(at_s=0.0, word="stop", by="ops"))]
    played = start(inventory, toy)
    assert [fact.host for fact in played.told(facts.QUARANTINED)][:1] == ["m1"]
    assert any("UNKNOWN" in (fact.why or "") for fact in played.told(facts.PAUSED))


@pytest.mark.parametrize("die_after", range(1, 160, 6))
def test_a_cold_start_that_dies_anywhere_switches_each_host_on_and_ends_well(die_after: int) -> None:
    inventory, toy = cold(QUEUE, APP)
    played = start(inventory, toy, die_after=die_after)
    assert played.exit_code == Exit.DONE
    assert all(set(host.switches) == {"on"} for host in toy.hosts.values())
    assert toy.trouble == []


@pytest.mark.parametrize("die_after", range(1, 40, 3))
def test_a_start_by_hand_that_dies_anywhere_still_looks_out_for_its_host(die_after: int) -> None:
    inventory, toy = cold(Service(name="one", hosts=("h1",)), by_hand=True)
    toy.script = [(2000.0, lambda world: setattr(world.hosts["h1"], "up_at_s", 2020.0))]
    assert start(inventory, toy, die_after=die_after).exit_code == Exit.DONE
