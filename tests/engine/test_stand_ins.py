"""Declared breaks: a ring is started through a stand-in, and a second pass takes it out again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from restart.engine import facts
from restart.errors import Exit
from restart.model.event import Word
from restart.model.inventory import Break, Dependency, Service
from restart.planner import make_plan
from tests.engine.test_cold_start import cold, start, when
from tests.engine.toy import Toy, fixed, play

STAND_IN = Break(with_run="static {host}", undo="dynamic {host}", why="a file")
LDAP = Service(name="ldap", hosts=("l1", "l2"), depends_on=(Dependency(provider="dns", stand_in=STAND_IN),))
DNS = Service(name="dns", hosts=("d1",), depends_on=(Dependency(provider="ldap"),))


def commands(toy: Toy, *words: str) -> list[str]:
    return [line for line in toy.ran if line.split()[0] in words]


def test_a_ring_is_started_through_its_stand_in_and_closed_again() -> None:
    inventory, toy = cold(LDAP, DNS)
    played = start(inventory, toy)
    assert played.exit_code == Exit.DONE
    assert commands(toy, "static", "dynamic") == ["static l1", "static l2", "dynamic l1", "dynamic l2"]
    assert {name: host.reboots for name, host in toy.hosts.items()} == {"l1": 1, "l2": 1, "d1": 0}
    removed = played.told(facts.STAND_IN_REMOVED)
    assert [(fact.host, fact.service, fact.data["provider"]) for fact in removed] == [
        ("l1", "ldap", "dns"),
        ("l2", "ldap", "dns"),
    ]
    assert played.told(facts.STAND_IN_LEFT) == []


def test_the_second_pass_goes_by_rolling_rules_once_the_provider_is_ready() -> None:
    inventory, toy = cold(LDAP, DNS)
    played = start(inventory, toy)
    began = [fact for fact in played.told(facts.MOVE_STARTED) if fact.wave and fact.wave > 2]
    done = [fact for fact in played.told(facts.MOVE_DONE) if fact.wave and fact.wave > 2]
    assert [fact.host for fact in began] == ["l1", "l2"]
    assert began[1].at_s >= done[0].at_s
    assert began[0].at_s >= when(played, facts.MOVE_DONE)["d1"]


def test_a_stand_in_elsewhere_is_put_up_before_its_consumer_is_started() -> None:
    elsewhere = replace(STAND_IN, on="ns")
    ldap = replace(LDAP, depends_on=(Dependency(provider="dns", stand_in=elsewhere),))
    inventory, toy = cold(ldap, DNS, Service(name="ns", hosts=("ns",)), up="ns")
    played = play(make_plan(inventory, selection=("l*", "d1"), mode="cold-start", made_at=""), toy)
    assert played.exit_code == Exit.DONE
    put_up = {fact.host: fact.at_s for fact in played.told(facts.STAND_IN)}
    booted = {fact.host: fact.at_s for fact in reversed(played.told(facts.BOOTED))}
    assert put_up["l1"] < booted["l1"]
    assert [fact.data["on"] for fact in played.told(facts.STAND_IN)] == ["ns", "ns"]


def test_a_host_that_was_up_gets_no_stand_in_and_is_not_restarted() -> None:
    inventory, toy = cold(LDAP, DNS, up="l1")
    played = start(inventory, toy)
    assert played.exit_code == Exit.DONE
    assert commands(toy, "static", "dynamic") == ["static l2", "dynamic l2"]
    assert toy.hosts["l1"].reboots == 0


def test_where_no_stand_in_was_needed_the_second_pass_restarts_nobody() -> None:
    inventory, toy = cold(LDAP, DNS, up="l1 l2")
    played = start(inventory, toy)
    assert played.exit_code == Exit.DONE
    assert {name: host.reboots for name, host in toy.hosts.items()} == {"l1": 0, "l2": 0, "d1": 0}


def test_a_run_that_ends_before_the_second_pass_names_what_is_left_in_place() -> None:
    inventory, toy = cold(LDAP, DNS)
    played = start(inventory, toy, until_wave=2)
    left = played.told(facts.STAND_IN_LEFT)
    assert [(fact.host, fact.why) for fact in left] == [
        ("l1", "still there on l1: take it out with `dynamic {host}`"),
        ("l2", "still there on l2: take it out with `dynamic {host}`"),
    ]
    assert played.engine.outcome.why.endswith("stand-ins left in place: l1 (for dns), l2 (for dns)")


def test_a_stand_in_that_cannot_be_put_up_gives_its_host_up_by_name() -> None:
    inventory, toy = cold(LDAP, DNS, policy=fixed(max_failures=1))
    toy.steps["static l2"] = 3
    played = start(inventory, toy)
    assert [fact.why for fact in played.told(facts.QUARANTINED)] == ["the stand-in for dns could not be put up: exit 3"]
    assert played.exit_code == Exit.HALTED


def test_a_stop_between_the_passes_says_what_is_left() -> None:
    inventory, toy = cold(LDAP, DNS)
    toy.words = [(40.0, Word(at_s=0.0, word="stop", by="ops"))]
    played = start(inventory, toy)
    assert played.exit_code == Exit.STOPPED
    assert "stand-ins left in place: l1 (for dns)" in played.engine.outcome.why


@pytest.mark.parametrize("die_after", range(1, 170, 6))
def test_a_run_that_dies_anywhere_leaves_no_stand_in_behind(die_after: int) -> None:
    inventory, toy = cold(LDAP, DNS)
    played = start(inventory, toy, die_after=die_after)
    assert played.exit_code == Exit.DONE
    assert set(commands(toy, "static", "dynamic")) == {"static l1", "static l2", "dynamic l1", "dynamic l2"}
    assert {name: host.reboots for name, host in toy.hosts.items()} == {"l1": 1, "l2": 1, "d1": 0}


def test_a_host_that_reboots_by_itself_in_the_second_pass_still_loses_its_stand_in() -> None:
    inventory, toy = cold(LDAP, DNS)
    began = [fact.at_s for fact in start(inventory, toy).told(facts.MOVE_STARTED) if fact.wave and fact.wave > 2]
    inventory, toy = cold(LDAP, DNS)
    toy.script = [(began[0] + 1.0, lambda world: world.go_down("l2"))]
    played = start(inventory, toy)
    # What it was started with is a file: another boot does not take it away, only `undo` does.
    assert commands(toy, "dynamic") == ["dynamic l1", "dynamic l2"]
    assert {str(fact.host) for fact in played.told(facts.STAND_IN_REMOVED)} == {"l1", "l2"}
