"""Canaries: watched for longer than others where it is stated, and counted at once when their first rung fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from restart.engine import facts
from restart.model.check import Check, Verdict
from restart.model.event import Word
from restart.model.inventory import Amount, Policy, Service
from restart.model.plan import Override, Plan
from restart.model.playbook import Playbook, Rung
from tests.engine.toy import Toy, fleet, plan_of, play

WEB = Service(name="web", hosts=("w1", "w2", "w3"), max_unavailable=Amount(number=2))
LADDER = Playbook(
    name="reboot",
    restart=(Rung(kind="reboot", back_within_s=60.0), Rung(kind="power", reset="cycle", back_within_s=600.0)),
)


def watched(service: Service = WEB, **given: object) -> tuple[Toy, Plan]:
    given.setdefault("canary_for_s", 300.0)
    inventory = fleet(service, policy=Policy(pace="fixed", canaries=1, **given))  # type: ignore[arg-type]
    return Toy(inventory), plan_of(inventory, "w1 w2 w3", canaries="w1")


def starts(played: object) -> dict[str, float]:
    return {fact.host: fact.at_s for fact in played.told(facts.MOVE_STARTED)}  # type: ignore[attr-defined]


def test_nothing_else_of_the_stratum_starts_before_the_canary_has_held_for_its_time() -> None:
    toy, plan = watched()
    played = play(plan, toy)
    assert played.exit_code == 0
    done = next(fact.at_s for fact in played.told(facts.MOVE_DONE) if fact.host == "w1")
    assert min(starts(played)[host] for host in ("w2", "w3")) >= done + 300.0
    assert [fact.host for fact in played.told(facts.CANARY_HELD)] == ["w1"]


def test_a_canary_that_is_seen_sick_while_it_is_watched_counts_as_down_for_other_strata() -> None:
    web = replace(WEB, max_unavailable=Amount(number=1), settle_s=15.0)
    labels = {"w1": {"image": "a"}, "w2": {"image": "a"}, "w3": {"image": "b"}}
    inventory = fleet(web, hosts=labels, policy=Policy(pace="fixed", canaries=1, canary_for_s=120.0))
    toy, plan = Toy(inventory), plan_of(inventory, "w1", "w3", "w2", canaries="w1")
    done_s = next(fact.at_s for fact in play(plan, toy).told(facts.MOVE_DONE) if fact.host == "w1")
    toy = Toy(inventory)
    toy.script = [
        (done_s + 1.0, lambda toy: setattr(toy.hosts["w1"], "sick", True)),
        (done_s + 60.0, lambda toy: setattr(toy.hosts["w1"], "sick", False)),
    ]
    played = play(plan, toy)
    assert played.exit_code == 0
    assert starts(played)["w3"] >= done_s + 60.0, "within ready_fresh of its last PASS, but its FAIL is known"


def test_a_service_says_otherwise_than_the_policy() -> None:
    toy, plan = watched(replace(WEB, canary_for_s=0.0))
    played = play(plan, toy)
    assert max(starts(played).values()) < 300.0
    assert not played.told(facts.CANARY_WATCHED)


def test_a_canary_that_falls_sick_while_it_is_watched_begins_its_time_anew() -> None:
    toy, plan = watched()
    toy.script = [
        (200.0, lambda toy: setattr(toy.hosts["w1"], "sick", True)),
        (220.0, lambda toy: setattr(toy.hosts["w1"], "sick", False)),
    ]
    played = play(plan, toy)
    assert played.exit_code == 0
    assert starts(played)["w2"] >= 215.0 + 300.0


def test_a_canary_that_stays_sick_is_lost_and_stops_the_run() -> None:
    toy, plan = watched()
    toy.script = [(200.0, lambda toy: setattr(toy.hosts["w1"], "sick", True))]
    played = play(plan, toy)
    assert played.exit_code == 5
    assert [fact.host for fact in played.told(facts.QUARANTINED)] == ["w1"]
    assert "did not hold for 5m" in played.engine.outcome.why
    assert list(starts(played)) == ["w1"]


def test_a_gate_that_fails_while_a_canary_is_watched_begins_its_time_anew() -> None:
    toy, plan = watched(replace(WEB, gate=(Check(kind="http", within_s=600.0, healthy_for_s=0.0),)))
    toy.script = [
        (200.0, lambda toy: toy.turn_gate("web", Verdict.FAIL)),
        (260.0, lambda toy: toy.turn_gate("web", Verdict.PASS)),
    ]
    played = play(plan, toy)
    assert played.exit_code == 0
    assert starts(played)["w2"] >= 255.0 + 300.0


def test_after_a_stop_nobody_waits_for_a_canary() -> None:
    toy, plan = watched()
    toy.words = [(100.0, Word(at_s=0.0, word="stop"))]
    played = play(plan, toy)
    assert played.exit_code == 6
    assert played.engine.outcome is not None
    assert played.facts[-1].at_s < 110.0


@pytest.mark.parametrize("die_after", range(5, 60, 6))
def test_after_a_crash_the_canary_is_watched_for_all_of_its_time(die_after: int) -> None:
    toy, plan = watched()
    played = play(plan, toy, die_after=die_after)
    assert played.exit_code == 0
    held_s = toy.hosts["w1"].uptime_from_s + 10.0
    assert toy.hosts["w2"].lost_s >= held_s + 300.0


# --- the brakes -------------------------------------------------------------------------------------------------------


def two_strata(**given: object) -> tuple[Toy, Plan]:
    web = replace(WEB, hosts=("w1", "w2"), max_unavailable=Amount(number=1))
    app = Service(name="app", hosts=("a1", "a2"), max_unavailable=Amount(number=1))
    labels = {host: {"image": "v7"} for host in ("w1", "w2", "a1", "a2")}
    inventory = fleet(
        web,
        app,
        hosts=labels,
        playbooks={"reboot": LADDER},
        policy=Policy(pace="fixed", canaries=1, max_failures=3, **given),  # type: ignore[arg-type]
    )
    return Toy(inventory), plan_of(inventory, "w1 a1", "w2 a2", canaries="w1 a1")


def test_two_canaries_of_one_image_that_miss_their_first_rung_stop_the_run_while_later_rungs_still_try() -> None:
    toy, plan = two_strata()
    for host in ("w1", "a1"):
        toy.hosts[host].fault = "dead"
    played = play(plan, toy)
    halted = played.told(facts.HALTED)[0]
    assert halted.data["rule"] == "canaries"
    assert halted.at_s < 70.0  # the power rung has ten minutes of its own
    assert sorted(fact.host or "" for fact in played.told(facts.CANARY_LATE)) == ["a1", "w1"]
    assert sorted(toy.hosts[host].switches for host in ("w1", "a1")) == [["cycle"], ["cycle"]]


def test_a_canary_that_a_later_rung_brings_back_counts_no_longer() -> None:
    toy, plan = two_strata()
    toy.hosts["w1"].fault = "never_returns"
    played = play(plan, toy)
    assert [fact.host for fact in played.told(facts.CANARY_LATE)] == ["w1"]
    assert played.exit_code == 0


def test_a_canary_that_no_rung_has_rebooted_goes_on_counting() -> None:
    toy, _ = two_strata()
    toy.hosts["w1"].fault, toy.hosts["a1"].fault = "same_boot_id", "dead"
    played = play(plan_of(toy.inventory, "w1", "a1", "w2 a2", canaries="w1 a1"), toy)
    assert [fact.host for fact in played.told(facts.NOT_REBOOTED)] == ["w1"]
    assert [fact.data["rule"] for fact in played.told(facts.HALTED)] == ["canaries"]
    assert toy.hosts["w2"].reboots == toy.hosts["a2"].reboots == 0


def test_a_lost_canary_that_is_borne_is_replaced_by_the_next_and_a_second_one_closes_the_stratum() -> None:
    inventory = fleet(
        replace(WEB, hosts=("w1", "w2", "w3", "w4"), max_unavailable=Amount(number=4)),
        policy=Policy(pace="fixed", canaries=1, max_failures=3),
    )
    toy = Toy(inventory)
    toy.hosts["w1"].fault = toy.hosts["w2"].fault = "never_returns"
    played = play(plan_of(inventory, "w1 w2 w3 w4", canaries="w1"), toy)
    assert list(starts(played)) == ["w1", "w2"]
    assert played.exit_code == 5


def test_a_canary_has_not_held_before_its_gate_has() -> None:
    gate = Check(kind="http", healthy_for_s=90.0, within_s=300.0)
    toy, plan = watched(replace(WEB, gate=(gate,), canary_for_s=20.0))
    played = play(plan, toy)
    assert played.exit_code == 0
    done = next(fact.at_s for fact in played.told(facts.MOVE_DONE) if fact.host == "w1")
    assert next(fact.at_s for fact in played.told(facts.CANARY_HELD)) >= done + 90.0


FOUR = replace(WEB, hosts=("w1", "w2", "w3", "w4"), max_unavailable=Amount(number=4))


def test_a_canary_that_was_not_rebooted_is_replaced_by_the_next() -> None:
    inventory = fleet(FOUR, policy=Policy(pace="fixed", canaries=1))
    toy = Toy(inventory)
    toy.hosts["w1"].fault = "ignores"
    played = play(plan_of(inventory, "w1 w2 w3 w4", canaries="w1"), toy)
    assert played.exit_code == 9
    assert played.reboots() == {"w1": 0, "w2": 1, "w3": 1, "w4": 1}
    assert starts(played)["w2"] < min(starts(played)[host] for host in ("w3", "w4"))


def test_hosts_that_are_alone_in_their_strata_are_no_canaries() -> None:
    alone = [Service(name=name, hosts=(name,)) for name in ("a", "b", "c")]
    inventory = fleet(*alone, hosts={name: {"image": "v7"} for name in ("a", "b", "c")}, policy=Policy(max_failures=5))
    toy = Toy(inventory)
    toy.hosts["a"].fault = toy.hosts["b"].fault = "no_privilege"
    assert play(plan_of(inventory, "a b", "c"), toy).reboots()["c"] == 1


def two_leading(**given: object) -> tuple[Toy, Plan]:
    """w1 and a1 lead; of w the next is in the rack of a1."""
    other = Service(name="app", hosts=("a1", "a2"), max_unavailable=Amount(number=2))
    racks = {"w1": "r1", "w2": "r2", "w3": "r3", "w4": "r4", "a1": "r2", "a2": "r5"}
    inventory = fleet(
        FOUR,
        other,
        hosts={host: {"rack": rack} for host, rack in racks.items()},
        policy=Policy(pace="fixed", canaries=1, max_failures=9),
    )
    toy = Toy(inventory)
    for host in ("w1", "w2", "a1"):
        toy.hosts[host].fault = "no_privilege"
    return toy, replace(plan_of(inventory, "w1 w2 w3 w4 a1 a2", canaries="w1 a1"), **given)  # type: ignore[arg-type]


def test_the_next_in_the_place_of_a_lost_canary_counts_as_one_for_the_brakes() -> None:
    toy, plan = two_leading()
    played = play(plan, toy)
    assert [fact.data["rule"] for fact in played.told(facts.HALTED)] == ["canaries"]
    assert "a1 and w2 failed and share rack=r2" in (played.told(facts.HALTED)[0].why or "")


def test_where_canaries_are_overridden_nobody_is_one_for_the_brakes_either() -> None:
    toy, plan = two_leading(
        overrides=(Override(rule="canary.web", reason="agreed"), Override(rule="canary.app", reason="agreed"))
    )
    unled = tuple(replace(wave, moves=tuple(replace(move, canary=False) for move in wave.moves)) for wave in plan.waves)
    played = play(replace(plan, waves=unled), toy)
    assert played.told(facts.HALTED) == []
    assert [played.reboots()[host] for host in ("w3", "w4", "a2")] == [1, 1, 1]
