"""A shutdown: consumers first, off proved, floors of what stays up kept on fresh knowledge, power cut only where the ladder says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from restart.engine import facts, not_yet
from restart.errors import Exit
from restart.model.answer import HeldBy
from restart.model.check import Check, Verdict
from restart.model.event import Word
from restart.model.inventory import Amount, Dependency, Inventory, Limit, Service
from restart.model.observation import HostSeen, Observation
from restart.model.playbook import Playbook, PowerControl, Rung, Step
from restart.model.request import PowerOff, Request, SwitchPower
from restart.planner import make_plan
from tests.engine.toy import Played, Toy, drive_on, fixed, fleet, play, resumed

DB = Service(name="db", hosts=("d1", "d2"), min_available=Amount(number=1))
WEB = Service(name="web", hosts=("w1", "w2", "w3"), depends_on=(Dependency(provider="db"),))
OVER_SSH = Rung(kind="poweroff", down_within_s=60.0)
CUT = Rung(kind="power", reset="off")
BOOK = Playbook(name="reboot", stop=(OVER_SSH, CUT))


def stopping(*services: Service, book: Playbook = BOOK, **given: Any) -> tuple[Inventory, Toy]:
    inventory = fleet(*services, playbooks={"reboot": book}, **given)
    hosts = {name: replace(host, power=PowerControl(method="toy")) for name, host in inventory.hosts.items()}
    inventory = replace(inventory, hosts=hosts)
    return inventory, Toy(inventory)


def stop(inventory: Inventory, toy: Toy, *selection: str, **given: Any) -> Played:
    plan = make_plan(
        inventory, mode="shutdown", made_at="", selection=selection or None, within_s=given.pop("within_s", None)
    )
    assert not_yet(plan) == ()
    toy.staying = set(inventory.hosts) - {move.host for move in plan.moves()}
    return play(plan, toy, **given)


def off_at(played: Played) -> dict[str, float]:
    return {fact.host or "": fact.at_s for fact in played.told(facts.OFF)}


def test_consumers_go_off_first_and_off_is_proved_before_their_providers_go() -> None:
    inventory, toy = stopping(DB, WEB)
    played = stop(inventory, toy)
    assert played.exit_code == Exit.DONE
    assert played.engine.outcome is not None
    assert played.engine.outcome.why == "all 5 hosts off"
    off = off_at(played)
    begun = {fact.host: fact.at_s for fact in played.told(facts.MOVE_STARTED)}
    assert max(off[name] for name in WEB.hosts) <= min(begun[name] for name in DB.hosts)
    assert toy.trouble == []
    assert [host.offs for host in toy.hosts.values()] == [1] * 5
    assert all(host.switches == [] for host in toy.hosts.values())


def test_a_host_that_does_not_go_off_has_its_power_cut_by_the_next_rung() -> None:
    inventory, toy = stopping(DB)
    toy.hosts["d1"].fault = "ignores"
    played = stop(inventory, toy)
    assert played.exit_code == Exit.DONE
    assert (toy.hosts["d1"].switches, toy.hosts["d2"].switches) == (["off"], [])
    assert [(fact.host, fact.why) for fact in played.told(facts.RUNG_FAILED)] == [("d1", "still up after 1m")]


def test_without_such_a_rung_no_power_is_cut_and_the_run_halts() -> None:
    inventory, toy = stopping(DB, WEB, book=Playbook(name="reboot"))
    toy.hosts["w2"].fault = "ignores"
    played = stop(inventory, toy)
    assert played.exit_code == Exit.HALTED
    assert all(host.switches == [] for host in toy.hosts.values())
    # Its providers stay up: what needs them may be up still.
    assert (toy.hosts["d1"].power, toy.hosts["d2"].power) == ("on", "on")


def test_the_providers_of_a_failed_consumer_are_held_where_failures_are_contained() -> None:
    cache = Service(name="cache", hosts=("c1",))
    other = Service(name="other", hosts=("o1",), depends_on=(Dependency(provider="cache"),))
    policy = fixed(on_failure="contain", max_failures=0, barrier="service")
    inventory, toy = stopping(DB, WEB, cache, other, book=Playbook(name="reboot"), policy=policy)
    toy.hosts["w2"].fault = "ignores"
    played = stop(inventory, toy)
    assert played.exit_code == Exit.HALTED
    assert {name for name, host in toy.hosts.items() if host.power == "on"} == {"w2", "d1", "d2"}


def test_a_host_that_declines_has_its_power_cut_but_not_one_that_another_run_holds() -> None:
    inventory, toy = stopping(DB, policy=fixed(max_failures=2))
    toy.hosts["d1"].fault = "no_privilege"
    played = stop(inventory, toy)
    assert toy.hosts["d1"].switches == ["off"]
    assert played.exit_code == Exit.DONE
    inventory, toy = stopping(DB)
    toy.hosts["d1"].claim = HeldBy(controller="b", user="bob", run="r2", since="now", for_s=60)
    played = stop(inventory, toy)
    assert played.exit_code == Exit.HELD
    assert toy.hosts["d1"].power == "on"


def test_a_host_that_is_off_already_is_left_alone() -> None:
    inventory, toy = stopping(DB)
    toy.go_off("d2")
    played = stop(inventory, toy)
    assert played.exit_code == Exit.DONE
    assert (toy.hosts["d2"].offs, toy.hosts["d2"].switches) == (0, [])
    assert [fact.evidence for fact in played.told(facts.OFF) if fact.host == "d2"] == [
        "off already, left alone: the toy says so"
    ]  # fmt: skip


def test_a_host_that_hangs_is_not_taken_for_off() -> None:
    inventory, toy = stopping(DB)
    toy.hosts["d2"].fault = "never_returns"
    toy.go_down("d2")
    played = stop(inventory, toy)
    assert played.exit_code == Exit.DONE
    assert toy.hosts["d2"].switches == ["off"]


def test_power_is_not_cut_where_nobody_can_say_whether_the_host_is_on() -> None:
    inventory, toy = stopping(DB)
    toy.hosts["d2"].fault, toy.hosts["d2"].power = "never_returns", "unknown"
    toy.go_down("d2")
    played = stop(inventory, toy)
    assert played.exit_code == Exit.HALTED
    assert toy.hosts["d2"].switches == []
    assert "nobody can say whether it is on" in played.told(facts.QUARANTINED)[0].why


def test_what_is_drained_stays_drained_and_steps_are_not_undone() -> None:
    book = Playbook(name="reboot", drain=(Step(run="out {host}", undo="in {host}"),), stop=(OVER_SSH,))
    inventory, toy = stopping(DB, book=book)
    played = stop(inventory, toy)
    assert played.exit_code == Exit.DONE
    assert sorted(toy.ran) == ["out d1", "out d2"]


def test_limits_hold_moves_in_flight_and_off_frees_their_places() -> None:
    web = replace(WEB, depends_on=())
    inventory, toy = stopping(web, limits={"fleet": Limit(name="fleet", max_in_flight=1)})
    played = stop(inventory, toy)
    off = sorted(off_at(played).values())
    begun = sorted(fact.at_s for fact in played.told(facts.MOVE_STARTED))
    assert begun[1] >= off[0]
    assert begun[2] >= off[1]


def test_a_part_keeps_the_floor_of_what_stays_up_on_fresh_knowledge() -> None:
    index = Service(name="index", hosts=("i1", "i2", "i3", "i4"), min_available=Amount(number=2))
    inventory, toy = stopping(index)
    toy.hosts["i4"].sick = True
    played = stop(inventory, toy, "i1", "i2")
    # The plan knew nothing of i4: two of the four may go, i4 is gone already, so that only one can.
    assert sum(host.power == "off" for host in toy.hosts.values()) == 1
    assert played.exit_code == Exit.DRIFT
    holds = [fact.why for fact in played.told(facts.HELD) if fact.host]
    assert any("3 of 4 would be not ready, at most 2 may be" in (why or "") for why in holds), holds


def test_a_part_without_a_budget_goes_one_at_a_time_and_to_its_end() -> None:
    inventory, toy = stopping(replace(WEB, depends_on=()))
    played = stop(inventory, toy, "w1", "w2")
    assert played.exit_code == Exit.DONE
    off, begun = off_at(played), {fact.host: fact.at_s for fact in played.told(facts.MOVE_STARTED)}
    assert begun["w2"] >= off["w1"]


def test_gates_and_watches_of_what_goes_down_are_not_asked() -> None:
    gate = Check(kind="ssh", healthy_for_s=0.0)
    db = replace(DB, gate=(gate,))
    inventory, toy = stopping(db, WEB, watch=(Check(kind="ssh"),))
    toy.watch = Verdict.FAIL
    toy.gates["db"] = Verdict.FAIL
    assert stop(inventory, toy).exit_code == Exit.DONE


def test_gates_and_watches_of_what_stays_up_hold_it() -> None:
    gate = Check(kind="ssh", healthy_for_s=0.0, within_s=5.0)
    inventory, toy = stopping(replace(DB, gate=(gate,)))
    toy.gates["db"] = Verdict.FAIL
    played = stop(inventory, toy, "d1")
    assert played.exit_code == Exit.HALTED
    assert toy.hosts["d1"].power == "on"


def test_it_tells_who_is_not_off_when_the_time_is_over() -> None:
    inventory, toy = stopping(DB, WEB)
    toy.hosts["w2"].fault = "ignores"
    played = stop(inventory, toy, within_s=30.0)
    (told,) = played.told(facts.TIME_OVER)
    assert told.at_s == pytest.approx(30.0, abs=1.0)
    assert told.why == "the 30s are over and 3 of 5 hosts are not off: w2, d1, d2"


def test_stop_lets_what_is_in_flight_end_and_begins_nothing_new() -> None:
    inventory, toy = stopping(DB, WEB, limits={"fleet": Limit(name="fleet", max_in_flight=1)})
    toy.words.append((0.3, Word(at_s=0.0, word="stop", by="ann")))
    played = stop(inventory, toy)
    assert played.exit_code == Exit.STOPPED
    assert sum(host.power == "off" for host in toy.hosts.values()) <= 1


def test_what_was_switched_off_by_hand_is_proved_off_and_counts() -> None:
    inventory, toy = stopping(DB, WEB, book=Playbook(name="reboot"))
    toy.hosts["w2"].fault = "ignores"
    played = stop(inventory, toy)
    toy.go_off("w2")
    toy.words.append((toy.now_s + 1.0, Word(at_s=0.0, word="done", target="w2", by="ann")))
    resumed(played, crash=False)
    assert played.exit_code == Exit.DONE
    assert all(host.power == "off" for host in toy.hosts.values())


@pytest.mark.parametrize("sent", [PowerOff, SwitchPower])
@pytest.mark.parametrize("arrived", [True, False])
def test_a_crash_while_a_host_is_being_switched_off_switches_nothing_on_and_ends_with_all_off(
    sent: type[Request], arrived: bool
) -> None:
    inventory, toy = stopping(DB, WEB)
    if sent is SwitchPower:
        toy.hosts["d1"].fault = "ignores"
    plan = make_plan(inventory, mode="shutdown", made_at="")
    seen: list[Request] = []
    begin = toy.begin

    def note(request: Request) -> None:
        if isinstance(request, sent) and request.host == "d1":
            seen.append(request)
        begin(request)

    toy.begin = note  # type: ignore[method-assign]
    played = play_until(plan, toy, lambda: bool(seen))
    resumed(played, carried_out=lambda request: arrived)
    assert played.exit_code == Exit.DONE
    assert all(host.power == "off" for host in toy.hosts.values())
    assert all("on" not in host.switches for host in toy.hosts.values())
    assert toy.hosts["d1"].offs <= 1


def play_until(plan: Any, toy: Toy, condition: Any) -> Played:
    from restart.engine import begin

    played = Played(begin(plan), toy, [], [])
    drive_on(played, until=condition)
    return played


@pytest.mark.parametrize("die_after", range(2, 60, 3))
def test_a_crash_at_any_event_ends_with_all_off_and_nothing_done_twice(die_after: int) -> None:
    inventory, toy = stopping(DB, WEB)
    played = stop(inventory, toy, die_after=die_after)
    assert played.exit_code == Exit.DONE
    assert all(host.power == "off" and host.offs == 1 for host in toy.hosts.values())
    assert toy.trouble == []


def test_a_host_that_rebooted_since_it_was_seen_is_switched_off_all_the_same() -> None:
    inventory, toy = stopping(DB)
    seen = {
        name: HostSeen(ready={"db": Verdict.PASS}, boot_id=f"{name}#1", power="on", state="never-went-down")
        for name in DB.hosts
    }
    toy.hosts["d1"].boots = 2
    observation = Observation(at="2026-11-22T00:10:00Z", hosts=seen, fleet=inventory.fleet)
    played = play(make_plan(inventory, mode="shutdown", made_at="", observation=observation), toy)
    assert played.exit_code == Exit.DONE
    assert {name: host.power for name, host in toy.hosts.items()} == {"d1": "off", "d2": "off"}
