"""Hosts that come back with the boot id that they had: no proof of a reboot, and no leave to ask for a second one."""

from __future__ import annotations

import pytest

from restart.engine import Engine, facts
from restart.model.inventory import Service
from tests.engine.toy import Played, Toy, drive_on, fixed, fleet, plan_of, resumed


def died_rebooting(*, fault: str, carried_out: bool, up_for_s: float = 1000.0, dead_for_s: float = 0.0) -> Played:
    """The controller dies when it has sent the reboot, and the run is resumed `dead_for_s` later."""
    inventory = fleet(Service(name="web", hosts=("w1",)), policy=fixed())
    toy = Toy(inventory)
    toy.hosts["w1"].fault, toy.hosts["w1"].uptime_from_s = fault, -up_for_s
    played = Played(Engine(plan_of(inventory, "w1")), toy, [], [])
    drive_on(played, until=lambda: bool(played.told(facts.REBOOTING)))
    toy.crash(lambda request: carried_out)
    toy.now_s += dead_for_s
    resumed(played, crash=False)
    return played


@pytest.mark.parametrize("up_for_s", [1.0, 300.0, 1e7])
@pytest.mark.parametrize("dead_for_s", [0.0, 120.0, 4 * 3600.0])
def test_a_host_that_restarted_unheard_and_kept_its_boot_id_is_not_restarted_twice(
    up_for_s: float, dead_for_s: float
) -> None:
    played = died_rebooting(fault="same_boot_id", carried_out=True, up_for_s=up_for_s, dead_for_s=dead_for_s)
    assert played.reboots() == {"w1": 1}
    assert played.exit_code == 9
    assert "by its boot id, but up for" in (played.told(facts.NOT_REBOOTED)[-1].why or "")


@pytest.mark.parametrize("up_for_s", [10.0, 300.0, 1e7])
@pytest.mark.parametrize("dead_for_s", [0.0, 120.0, 4 * 3600.0])
def test_a_host_that_never_heard_of_its_reboot_is_asked_again(up_for_s: float, dead_for_s: float) -> None:
    played = died_rebooting(fault="", carried_out=False, up_for_s=up_for_s, dead_for_s=dead_for_s)
    assert played.reboots() == {"w1": 1}
    assert played.exit_code == 0
    assert len(played.told(facts.REBOOTING)) == 2
