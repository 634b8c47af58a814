"""Later rungs: whoever rebooted a host proves its restart, and no rung takes a host that is up without asking its peers again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from restart.engine import facts
from restart.model.check import Check
from restart.model.inventory import Amount, Service
from restart.model.plan import Plan
from restart.model.playbook import Playbook, Rung
from restart.model.request import Claim, Reboot
from tests.engine.toy import Played, Toy, fixed, fleet, plan_of, play

UNITS = Rung(kind="service_restart", units=("web.service",))
REBOOT = Rung(kind="reboot", back_within_s=120.0)
CYCLE = Rung(kind="power", reset="cycle", back_within_s=120.0)
READY = Check(kind="tcp", healthy_for_s=10.0, within_s=100.0)
WEB = Service(name="web", hosts=("w1", "w2", "w3"), max_unavailable=Amount(number=1), ready=(READY,))


def site(*ladder: Rung) -> tuple[Toy, Plan]:
    """A service of three that spares one, of which `w1` moves."""
    inventory = fleet(WEB, playbooks={"reboot": Playbook(name="reboot", restart=ladder)}, policy=fixed(max_failures=1))
    return Toy(inventory), plan_of(inventory, "w1")


def falls_sick(name: str) -> Callable[[Toy], None]:
    def fall(toy: Toy) -> None:
        toy.hosts[name].sick, toy.hosts[name].lost_s = True, toy.now_s

    return fall


def is_well(name: str) -> Callable[[Toy], None]:
    return lambda toy: setattr(toy.hosts[name], "sick", False)


def second_rung_s(played: Played) -> list[float]:
    return [fact.at_s for fact in played.told(facts.REBOOTING) if fact.data["number"] == 2]


def not_cured() -> tuple[Toy, Plan]:
    """Its units are restarted in vain; it grows well by itself just before its time is over."""
    toy, plan = site(UNITS, REBOOT)
    toy.hosts["w1"].cured_by_units, toy.hosts["w1"].sick = False, True
    toy.hosts["w1"].boot_s = 0.05  # too short for any check to notice
    toy.script = [(95.0, is_well("w1"))]
    return toy, plan


def test_a_host_that_somebody_else_reboots_while_its_checks_hold_is_judged_in_its_new_boot_and_not_rebooted_again() -> (
    None
):
    toy, plan = not_cured()
    toy.script += [(98.0, lambda toy: toy.go_down("w1"))]
    played = play(plan, toy)
    assert played.exit_code == 0
    assert [fact.evidence for fact in played.told(facts.BOOTED)] == [
        "rebooted once more while its checks held (boot id w1#2)"
    ]
    assert toy.hosts["w1"].reboots == 0
    assert played.told(facts.RUNG_FAILED) == []


def test_a_host_that_reboots_again_and_again_is_not_waited_for_for_ever() -> None:
    toy, plan = not_cured()
    toy.script += [(98.0 + 5.0 * number, lambda toy: toy.go_down("w1")) for number in range(400)]
    played = play(plan, toy)
    first = next(fact.at_s for fact in played.told(facts.RUNG_FAILED))
    assert first < 98.0 + 4 * 100.0 + 60.0
    assert toy.hosts["w1"].reboots <= 1


def ignored() -> tuple[Toy, Plan]:
    """`w1` takes its reboot and goes on in its old boot, ready as before; meanwhile `w2` falls sick."""
    toy, plan = site(REBOOT, CYCLE)
    toy.hosts["w1"].fault = "ignores"
    toy.script = [(30.0, falls_sick("w2"))]
    return toy, plan


def test_a_later_rung_does_not_take_a_host_that_is_up_while_its_service_cannot_spare_it() -> None:
    toy, plan = ignored()
    toy.script.append((200.0, is_well("w2")))
    played = play(plan, toy)
    assert played.exit_code == 0
    assert toy.hosts["w1"].switches == ["cycle"]
    assert [at_s > 200.0 for at_s in second_rung_s(played)] == [True]
    assert "budget.web" in [fact.data["rule"] for fact in played.told(facts.HELD) if fact.host == "w1"]
    assert toy.trouble == []


def test_where_the_service_can_never_spare_it_the_ladder_ends_by_name() -> None:
    toy, plan = ignored()
    played = play(plan, toy)
    assert toy.hosts["w1"].switches == []
    (given_up,) = played.told(facts.QUARANTINED)
    assert "its next rung (power) is not taken, budget.web: 2 of 3 would be not ready" in given_up.why


def test_a_later_rung_repairs_a_host_that_is_proved_not_ready_though_its_service_is_short() -> None:
    toy, plan = ignored()
    toy.hosts["w1"].sick = True
    played = play(plan, toy)
    assert toy.hosts["w1"].switches == ["cycle"]
    assert second_rung_s(played)[0] < 75.0


def test_a_host_that_was_silent_and_answers_in_its_old_boot_keeps_its_power_while_its_service_cannot_spare_it() -> None:
    toy, plan = site(REBOOT, CYCLE)
    toy.hosts["w1"].fault, toy.hosts["w1"].boot_s = "same_boot_id", 125.0
    toy.unanswered = lambda request: isinstance(request, Reboot)
    toy.delay = lambda request: 10.0 if isinstance(request, Claim) and toy.now_s > 100.0 else 0.0
    toy.script = [
        (0.5, lambda toy: toy.go_down("w1")),
        (50.0, falls_sick("w2")),
        (150.0, lambda toy: toy.hosts.update(w1=replace(toy.hosts["w1"], fault="", boot_s=20.0))),
        (300.0, is_well("w2")),
    ]
    played = play(plan, toy)
    assert played.exit_code == 0
    assert toy.hosts["w1"].switches == ["cycle"]
    assert [at_s > 300.0 for at_s in second_rung_s(played)] == [True]
    assert toy.trouble == []


@pytest.mark.parametrize("events", range(12, 60, 4))
def test_a_crash_while_a_later_rung_is_held_takes_nothing_down_that_cannot_be_spared(events: int) -> None:
    toy, plan = ignored()
    toy.script.append((200.0, is_well("w2")))
    played = play(plan, toy, die_after=events)
    assert played.exit_code == 0
    assert toy.hosts["w1"].switches == ["cycle"]
    assert toy.trouble == []
