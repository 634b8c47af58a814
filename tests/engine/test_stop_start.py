"""Shutdown, a person's word, cold start: one plan, one run."""

from __future__ import annotations

from dataclasses import replace

from restart.engine import facts, not_yet
from restart.errors import Exit
from restart.model.event import Word
from restart.model.inventory import Amount, Dependency, Service
from restart.model.observation import HostSeen, Observation
from restart.model.plan import Plan
from restart.model.playbook import Playbook, PowerControl, Rung, Step
from restart.planner import make_plan, plan_from_json, plan_json
from tests.engine.toy import Toy, fleet, play

DB = Service(name="db", hosts=("d1", "d2"), min_available=Amount(number=1))
WEB = Service(name="web", hosts=("w1", "w2"), depends_on=(Dependency(provider="db"),))
BOOK = Playbook(
    name="reboot",
    drain=(Step(run="out {host}", undo="in {host}"),),
    stop=(Rung(kind="poweroff"),),
    start=(Rung(kind="power", reset="on", back_within_s=60.0),),
)


def planned() -> tuple[Plan, Toy]:
    inventory = fleet(DB, WEB, playbooks={"reboot": BOOK})
    hosts = {name: replace(host, power=PowerControl(method="toy")) for name, host in inventory.hosts.items()}
    inventory = replace(inventory, hosts=hosts)
    return make_plan(inventory, mode="stop-start", made_at=""), Toy(inventory)


def test_the_plan_is_a_shutdown_and_behind_a_persons_word_a_cold_start() -> None:
    plan, _ = planned()
    assert [(wave.stage, wave.mode, [move.host for move in wave.moves]) for wave in plan.waves] == [
        (1, "shutdown", ["w1", "w2"]),
        (1, "shutdown", ["d1", "d2"]),
        (2, "cold-start", ["d1", "d2"]),
        (2, "cold-start", ["w1", "w2"]),
    ]
    assert [wave.number for wave in plan.waves] == [1, 2, 3, 4]
    assert [bool(wave.approve) for wave in plan.waves] == [False, False, True, False]
    assert plan.waves[2].moves[0].start_s >= plan.waves[1].moves[0].finish_s
    assert plan.estimate.makespan_s >= plan.waves[3].moves[-1].finish_s
    assert plan_from_json(plan_json(plan)) == plan
    assert not_yet(plan) == ()


def test_it_waits_for_the_word_between_and_undrains_what_it_drained() -> None:
    plan, toy = planned()
    toy.words.append((500.0, Word(at_s=0.0, word="approve", target="stage-2", by="ann")))
    played = play(plan, toy)
    assert played.exit_code == Exit.DONE
    off = {fact.host: fact.at_s for fact in played.told(facts.OFF)}
    on = {fact.host: fact.at_s for fact in played.told(facts.BOOTED)}
    assert off.keys() == on.keys() == set(plan.inventory.hosts)
    assert max(off.values()) < 500.0 <= min(on.values())
    assert all(host.switches == ["on"] and host.power == "on" for host in toy.hosts.values())
    assert sorted(toy.ran) == sorted([f"{way} {host}" for host in off for way in ("out", "in")])
    assert toy.ran.index("in d1") > toy.ran.index("out d2")


def test_a_crash_while_it_waits_loses_nothing() -> None:
    plan, toy = planned()
    toy.words.append((500.0, Word(at_s=0.0, word="approve", by="ann")))
    played = play(plan, toy, die_after=60)
    assert played.exit_code == Exit.DONE
    assert all(host.offs == 1 and host.switches == ["on"] for host in toy.hosts.values())


def test_a_cold_start_undrains_what_a_shutdown_before_it_left_drained() -> None:
    plan, toy = planned()
    stop = make_plan(plan.inventory, mode="shutdown", made_at="")
    assert [note for note in stop.notes if note.startswith("stays drained")] == [
        "stays drained until a cold start has their checks hold, or until somebody does it by hand: d1, d2, w1, w2 (`in {host}`)"
    ]
    assert play(stop, toy).exit_code == Exit.DONE
    start = make_plan(plan.inventory, mode="cold-start", made_at="")
    assert all(move.undrain for move in start.moves())
    assert any(note.startswith("undrained once the checks hold") for note in start.notes)
    after = Toy(plan.inventory)
    for host in after.hosts:
        after.go_off(host)
    assert play(start, after).exit_code == Exit.DONE
    assert sorted(after.ran) == ["in d1", "in d2", "in w1", "in w2"]


def test_a_host_whose_checks_do_not_hold_after_its_start_stays_drained() -> None:
    plan, toy = planned()
    start = make_plan(plan.inventory, mode="cold-start", made_at="")
    for host in toy.hosts:
        toy.go_off(host)
    toy.hosts["d1"].sick = True
    assert play(start, toy).exit_code == Exit.HALTED
    assert "in d1" not in toy.ran


def test_a_host_that_is_up_already_is_named_with_the_command_that_undrains_it() -> None:
    plan, _ = planned()
    seen = Observation(at="2026-11-22T00:00:00Z", hosts={"w1": HostSeen(boot_id="b", uptime_s=10.0)})
    start = make_plan(plan.inventory, mode="cold-start", observation=seen, made_at="")
    assert "up already and not undrained: w1; where a shutdown drained them, by hand: `in {host}`" in start.notes
