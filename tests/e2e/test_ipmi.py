"""The IPMI method, through `ipmitool`, against `ipmi_sim`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from restart.model.answer import NoAnswer, PowerSwitched
from restart.model.inventory import Host
from restart.model.playbook import PowerControl
from restart.transports.power.ipmi import power
from tests.e2e.ipmi import Ipmi

WITHIN_S = 40.0


def host(bmc: Ipmi, **more: Any) -> Host:
    params = bmc.control(**{"password_command": f"echo {bmc.password}", **more})
    return Host(name="db-1", address="127.0.0.1", power=PowerControl(method="ipmi", params=params))


def test_it_reads_switches_off_and_on_and_cycles(tmp_path: Path) -> None:
    with Ipmi(tmp_path) as bmc:
        target = host(bmc)
        assert power.state(target, WITHIN_S).state == "on"
        assert isinstance(power.switch(target, "off", WITHIN_S), PowerSwitched)
        assert power.state(target, WITHIN_S).state == "off"
        # A host that is off can only be switched on, whatever was asked for.
        assert isinstance(power.switch(target, "force", WITHIN_S), PowerSwitched)
        assert power.switch(target, "cycle", WITHIN_S) == PowerSwitched(detail="off, proved off, on")
        assert power.state(target, WITHIN_S).state == "on"
        assert bmc.sets() == ["power 0", "power 1", "power 0", "power 1"]


def test_a_hard_and_a_graceful_reset(tmp_path: Path) -> None:
    with Ipmi(tmp_path) as bmc:
        assert power.switch(host(bmc), "force", WITHIN_S) == PowerSwitched(detail="hard reset taken")
        assert power.switch(host(bmc), "graceful", WITHIN_S) == PowerSwitched(detail="off, proved off, on")
        assert bmc.sets() == ["reset 1", "shutdown 1", "power 1"]


def test_what_never_goes_off_is_not_switched_on_again(tmp_path: Path) -> None:
    with Ipmi(tmp_path, slow_s=60) as bmc:
        answer = power.switch(host(bmc), "cycle", 5.0)
        assert isinstance(answer, NoAnswer)
        assert (answer.reason, bmc.sets()) == ("timeout", ["power 0"])


@pytest.mark.parametrize("reset", ["off", "cycle", "force", "graceful"])
def test_a_wrong_password_and_a_bmc_that_is_silent_switch_nothing(tmp_path: Path, reset: str) -> None:
    with Ipmi(tmp_path) as bmc:
        answer = power.switch(host(bmc, password_command="echo wr0ng-marker"), reset, 8.0)
        assert isinstance(answer, NoAnswer)
        assert "wr0ng-marker" not in str(answer)
        assert bmc.sets() == []
    silent = power.state(host(bmc), 3.0)
    assert silent.state == "unknown"
    assert silent.detail
