"""Power rungs: asked for before they are used, proved by boot id, never repeated blindly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from restart.engine import Engine, facts
from restart.engine.table import Phase
from restart.model.answer import HeldBy
from restart.model.inventory import Amount, Limit, Service
from restart.model.plan import Plan
from restart.model.playbook import Playbook, Rung
from restart.model.request import SwitchPower
from tests.engine.toy import Played, Toy, drive_on, fixed, fleet, plan_of, play, resumed

REBOOT = Rung(kind="reboot", back_within_s=60.0)
CYCLE = Rung(kind="power", reset="cycle", back_within_s=120.0)
WEB = Service(name="web", hosts=("w1", "w2", "w3"), max_unavailable=Amount(number=1))


def site(*ladder: Rung, act: str = "restart", **given: object) -> tuple[Toy, Plan]:
    playbook = Playbook(name="reboot", **{act: ladder})
    inventory = fleet(WEB, playbooks={"reboot": playbook}, policy=fixed(max_failures=1), **given)
    return Toy(inventory), plan_of(inventory, "w1", "w2", "w3")


def test_a_host_that_does_not_return_from_its_reboot_is_power_cycled_once() -> None:
    toy, plan = site(REBOOT, CYCLE)
    toy.hosts["w1"].fault = "never_returns"
    played = play(plan, toy)
    assert played.exit_code == 0
    assert [toy.hosts[name].switches for name in ("w1", "w2", "w3")] == [["cycle"], [], []]
    assert [(fact.host, fact.data["rung"], fact.data["number"]) for fact in played.told(facts.REBOOTING)][:2] == [
        ("w1", "reboot", 1),
        ("w1", "power", 2),
    ]
    assert toy.trouble == []


def test_a_host_that_does_not_return_from_a_power_cycle_either_is_quarantined_after_the_time_of_each() -> None:
    toy, plan = site(REBOOT, CYCLE)
    toy.hosts["w1"].fault = "dead"
    played = play(plan, toy)
    assert played.exit_code == 5
    failed = played.told(facts.RUNG_FAILED)
    assert [fact.data["rung"] for fact in failed] == ["reboot", "power"]
    assert failed[0].at_s == pytest.approx(60.0, abs=5.0)
    assert failed[1].at_s - failed[0].at_s == pytest.approx(120.0, abs=5.0)
    assert [fact.host for fact in played.told(facts.QUARANTINED)] == ["w1"]


@pytest.mark.parametrize("reset", ["force", "cycle", "graceful"])
def test_a_host_that_is_off_is_switched_on_and_nothing_else(reset: str) -> None:
    toy, plan = site(REBOOT, replace(CYCLE, reset=reset))
    toy.hosts["w1"].fault = "never_returns"
    toy.hosts["w1"].power = "off"
    assert play(plan, toy).exit_code == 0
    assert toy.hosts["w1"].switches == ["on"]


@pytest.mark.parametrize(("reset", "sent"), [("cycle", []), ("force", []), ("graceful", ["graceful"])])
def test_power_is_not_cut_where_nobody_can_say_whether_the_host_is_on(reset: str, sent: list[str]) -> None:
    toy, plan = site(REBOOT, replace(CYCLE, reset=reset))
    toy.hosts["w1"].fault = "dead"
    toy.hosts["w1"].power = "unknown"
    played = play(plan, toy)
    assert toy.hosts["w1"].switches == sent
    assert any("nobody can say" in (fact.why or "") for fact in played.told(facts.RUNG_FAILED)) == (not sent)


def test_a_blind_rung_cuts_power_all_the_same() -> None:
    toy, plan = site(REBOOT, replace(CYCLE, blind=True))
    toy.hosts["w1"].fault, toy.hosts["w1"].power = "never_returns", "unknown"
    assert play(plan, toy).exit_code == 0
    assert toy.hosts["w1"].switches == ["cycle"]


def test_a_host_that_declined_its_reboot_keeps_its_power_and_is_put_back_as_it_was() -> None:
    toy, plan = site(REBOOT, CYCLE)
    toy.hosts["w1"].fault = "no_privilege"
    played = play(plan, toy)
    assert toy.hosts["w1"].switches == []
    assert [fact.host for fact in played.told(facts.UNTOUCHED)] == ["w1"]
    assert toy.up("w1")


def test_a_host_that_another_run_has_claimed_meanwhile_keeps_its_power() -> None:
    toy, plan = site(CYCLE)

    def claimed(toy: Toy) -> None:
        toy.hosts["w2"].claim = HeldBy(controller="elsewhere", user="eve", run="other", since="", for_s=600.0)

    toy.script = [(1.0, claimed)]
    play(plan, toy)
    assert toy.hosts["w2"].switches == []


def test_a_host_that_is_still_up_in_its_old_boot_is_power_cycled() -> None:
    toy, plan = site(REBOOT, CYCLE)
    toy.hosts["w1"].fault = "ignores"
    assert play(plan, toy).exit_code == 0
    assert toy.hosts["w1"].switches == ["cycle"]


def test_a_power_rung_that_comes_first_is_carried_out_under_the_rules_of_a_first_act() -> None:
    toy, plan = site(CYCLE)
    played = play(plan, toy)
    assert played.exit_code == 0
    assert [toy.hosts[name].switches for name in ("w1", "w2", "w3")] == [["cycle"]] * 3
    assert toy.trouble == []


def test_a_later_rung_takes_its_slots_anew() -> None:
    held = {
        "boot": Limit(name="boot", max_in_flight=1, held_until="booted"),
        "fleet": Limit(name="fleet", max_in_flight=3),
    }
    web = replace(WEB, max_unavailable=Amount(number=3))
    playbook = Playbook(name="reboot", restart=(replace(REBOOT, back_within_s=600.0), CYCLE))
    inventory = fleet(web, playbooks={"reboot": playbook}, limits=held, policy=fixed(max_failures=3))
    toy = Toy(inventory)
    toy.hosts["w1"].warm_s = 1000.0  # its checks fail 300s after its boot, while w2 boots in the only slot
    toy.hosts["w2"].boot_s = 330.0
    played = play(plan_of(inventory, "w1 w2 w3"), toy)
    failed, cycled = (
        next(fact.at_s for fact in played.told(name) if fact.host == "w1" and fact.data["rung"] == rung)
        for name, rung in ((facts.RUNG_FAILED, "reboot"), (facts.REBOOTING, "power"))
    )
    back = next(fact.at_s for fact in played.told(facts.BOOTED) if fact.host == "w2")
    assert failed < back <= cycled


# --- crashes ----------------------------------------------------------------------------------------------------------


def crash_at_the_switch(toy: Toy, plan: Plan, *, carried_out: bool) -> Played:
    """The controller dies when the switch of w1 was sent; `carried_out` says whether it arrived."""
    played = Played(Engine(plan), toy, [], [])
    drive_on(played, until=lambda: played.engine.states["w1"].phase is Phase.SWITCHING)
    resumed(played, carried_out=lambda request: carried_out or not isinstance(request, SwitchPower))
    return played


def test_a_power_cycle_is_not_repeated_after_a_crash_when_the_boot_id_proves_it() -> None:
    toy, plan = site(REBOOT, CYCLE)
    toy.hosts["w1"].fault = "never_returns"
    played = crash_at_the_switch(toy, plan, carried_out=True)
    assert toy.hosts["w1"].switches == ["cycle"]
    assert played.exit_code == 0


def test_a_power_cycle_that_nothing_proves_after_a_crash_is_in_doubt() -> None:
    toy, plan = site(REBOOT, CYCLE)
    toy.hosts["w1"].fault = "never_returns"
    played = crash_at_the_switch(toy, plan, carried_out=False)
    assert toy.hosts["w1"].switches == []
    assert [fact.host for fact in played.told(facts.IN_DOUBT)] == ["w1"]
    assert played.exit_code == 6


def test_a_cycle_that_died_between_off_and_on_is_ended_by_switching_on() -> None:
    toy, plan = site(REBOOT, CYCLE)
    toy.hosts["w1"].fault = "never_returns"
    toy.script = [(62.0, lambda toy: setattr(toy.hosts["w1"], "power", "off"))]
    played = crash_at_the_switch(toy, plan, carried_out=False)
    assert toy.hosts["w1"].switches == ["on"]
    assert played.exit_code == 0


def test_a_switch_whose_answer_is_lost_is_not_sent_again_but_waited_for() -> None:
    toy, plan = site(REBOOT, CYCLE)
    toy.hosts["w1"].fault = "never_returns"
    toy.unanswered = lambda request: isinstance(request, SwitchPower)
    play(plan, toy)
    assert toy.hosts["w1"].switches == ["cycle"]


# --- a start ----------------------------------------------------------------------------------------------------------


def test_each_rung_is_taken_from_the_ladder_of_the_moves_act() -> None:
    toy, plan = site(replace(CYCLE, reset="on"), act="start")
    for host in toy.hosts.values():
        host.power, host.down_since_s = "off", 0.0
    waves = tuple(replace(wave, moves=tuple(replace(move, act="start") for move in wave.moves)) for wave in plan.waves)
    assert play(replace(plan, mode="cold-start", waves=waves), toy).exit_code == 0
    assert [toy.hosts[name].switches for name in ("w1", "w2", "w3")] == [["on"]] * 3
