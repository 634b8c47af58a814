"""The Redfish method against the emulator of sushy-tools, with TLS and log-in."""

from __future__ import annotations

import ipaddress
import time
from pathlib import Path
from typing import Any

import pytest

from restart.model.answer import NoAnswer, PowerState, PowerSwitched
from restart.model.inventory import Host
from restart.model.playbook import PowerControl
from restart.transports.power.redfish import power
from tests.e2e.redfish import Redfish, certify

ID = "11111111-2222-3333-4444-555555555555"
OTHER = "99999999-2222-3333-4444-555555555555"
WITHIN_S = 30.0


@pytest.fixture
def password(tmp_path: Path) -> str:
    path = tmp_path / "password"
    path.write_text("s3cret-of-the-bmc\n", encoding="utf-8")
    path.chmod(0o600)
    return str(path)


def host(bmc: Redfish, password: str, **more: Any) -> Host:
    params = bmc.control(password_file=password, **more)
    return Host(name="web-1", address="127.0.0.1", power=PowerControl(method="redfish", params=params))


def folder(tmp_path: Path) -> Path:
    found = tmp_path / "bmc"
    found.mkdir()
    return found


@pytest.mark.parametrize("auth", ["session", "basic"])
def test_it_reads_and_switches_off_and_on_and_logs_out(tmp_path: Path, password: str, auth: str) -> None:
    with Redfish(folder(tmp_path), {ID: "web-1"}) as bmc:
        target = host(bmc, password, auth=auth)
        assert power.state(target, WITHIN_S).state == "on"
        assert isinstance(power.switch(target, "off", WITHIN_S), PowerSwitched)
        assert power.state(target, WITHIN_S).state == "off"
        assert power.switch(target, "off", WITHIN_S) == PowerSwitched(detail="it was off already")
        assert isinstance(power.switch(target, "on", WITHIN_S), PowerSwitched)
        assert power.state(target, WITHIN_S).state == "on"
        assert bmc.log("reset") == ["ForceOff", "On"]
        opened = len(bmc.log("session"))
        assert opened == (0 if auth == "basic" else 6)
        ended = [path for path in bmc.log("path") if "SessionService/Sessions/" in path]
        assert len(ended) == opened


def test_a_cycle_is_off_proved_off_and_on(tmp_path: Path, password: str) -> None:
    with Redfish(folder(tmp_path), {ID: "web-1"}, slow_s=1.5) as bmc:
        start_s = time.monotonic()
        assert power.switch(host(bmc, password), "cycle", WITHIN_S) == PowerSwitched(detail="off, proved off, on")
        assert time.monotonic() - start_s >= 1.5
        assert bmc.log("reset") == ["ForceOff", "On"]


def test_what_never_goes_off_is_not_switched_on_again(tmp_path: Path, password: str) -> None:
    with Redfish(folder(tmp_path), {ID: "web-1"}, slow_s=60) as bmc:
        answer = power.switch(host(bmc, password), "cycle", 3.0)
        assert isinstance(answer, NoAnswer)
        assert (answer.reason, bmc.log("reset")) == ("timeout", ["ForceOff"])
        assert "not off within 3 s" in answer.detail


@pytest.mark.parametrize(
    ("reset", "offers", "sent"),
    [
        ("graceful", ["On", "ForceOff", "GracefulRestart"], ["GracefulRestart"]),
        ("graceful", ["On", "GracefulShutdown"], ["GracefulShutdown", "On"]),
        ("force", ["On", "ForceOff", "ForceRestart"], ["ForceRestart"]),
        ("force", ["On", "ForceOff", "PowerCycle"], ["PowerCycle"]),
        ("cycle", ["On", "PowerCycle"], ["PowerCycle"]),
        ("cycle", ["ForceOn", "ForceOff"], ["ForceOff", "ForceOn"]),
        ("graceful", ["On", "ForceOff"], []),
        ("force", ["On", "ForceOff"], []),
        ("cycle", ["On", "GracefulShutdown"], []),
        ("off", ["On", "GracefulShutdown"], []),
    ],
)
@pytest.mark.parametrize("offered_by", ["action", "action-info"])
def test_only_what_the_bmc_offers_is_sent(
    tmp_path: Path, password: str, reset: str, offers: list[str], sent: list[str], offered_by: str
) -> None:
    with Redfish(folder(tmp_path), {ID: "web-1"}, offers=offers, offered_by=offered_by) as bmc:
        answer = power.switch(host(bmc, password, auth="basic"), reset, WITHIN_S)
        assert bmc.log("reset") == sent
        if sent:
            assert isinstance(answer, PowerSwitched)
        else:
            assert isinstance(answer, NoAnswer)
            assert "the BMC offers no" in answer.detail


def test_a_reset_whose_answer_is_lost_is_not_sent_again(tmp_path: Path, password: str) -> None:
    with Redfish(folder(tmp_path), {ID: "web-1"}, drop=True) as bmc:
        answer = power.switch(host(bmc, password, auth="basic"), "force", WITHIN_S)
        assert isinstance(answer, NoAnswer)
        time.sleep(3)  # longer than the library would wait before it tried again
        assert bmc.log("reset") == ["ForceRestart"]


def test_of_several_systems_the_named_one_is_switched(tmp_path: Path, password: str) -> None:
    with Redfish(folder(tmp_path), {ID: "web-1", OTHER: "web-2"}) as bmc:
        assert isinstance(power.switch(host(bmc, password, system=OTHER), "off", WITHIN_S), PowerSwitched)
        assert power.state(host(bmc, password, system=OTHER), WITHIN_S).state == "off"
        assert power.state(host(bmc, password, system=ID), WITHIN_S).state == "on"
        unnamed = power.state(host(bmc, password), WITHIN_S)
        assert (unnamed.state, "exactly one" in unnamed.detail) == ("unknown", True)
        wrong = power.state(host(bmc, password, system="3"), WITHIN_S)
        assert "it has no system 3" in wrong.detail


def test_a_certificate_that_does_not_verify_gets_no_password(tmp_path: Path, password: str) -> None:
    with Redfish(folder(tmp_path), {ID: "web-1"}) as bmc:
        other = tmp_path / "other"
        other.mkdir()
        certify(other, ipaddress.ip_address("127.0.0.1"))
        answer = power.state(host(bmc, password, ca_file=str(other / "ca.pem")), WITHIN_S)
        assert answer.state == "unknown"
        assert answer.detail.startswith(f"connect: {bmc.url}: certificate verify failed")
        assert bmc.log("session") == bmc.log("path") == bmc.log("refused") == []


def test_the_certificate_of_another_machine_gets_no_password(tmp_path: Path, password: str) -> None:
    bmc = Redfish(folder(tmp_path), {ID: "web-1"})
    certify(bmc.folder, ipaddress.ip_address("127.0.0.2"))  # by the authority that is trusted
    with bmc:
        answer = power.switch(host(bmc, password), "off", WITHIN_S)
        assert isinstance(answer, NoAnswer)
        assert "certificate verify failed" in answer.detail
        assert bmc.log("session") == bmc.log("path") == bmc.log("refused") == bmc.log("reset") == []


@pytest.mark.parametrize("auth", ["session", "basic"])
def test_a_wrong_password_is_told_without_it(tmp_path: Path, auth: str) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("wr0ng-marker\n", encoding="utf-8")
    wrong.chmod(0o600)
    with Redfish(folder(tmp_path), {ID: "web-1"}) as bmc:
        answer = power.switch(host(bmc, str(wrong), auth=auth), "off", WITHIN_S)
        assert isinstance(answer, NoAnswer)
        assert answer.reason == "auth"
        assert "wr0ng-marker" not in str(answer)
        assert bmc.log("reset") == []


def test_a_bmc_that_is_not_there_is_told_within_its_time(tmp_path: Path, password: str) -> None:
    bmc = Redfish(folder(tmp_path), {ID: "web-1"})  # never started
    start_s = time.monotonic()
    answer = power.state(host(bmc, password), WITHIN_S)
    assert isinstance(answer, PowerState)
    assert answer.state == "unknown"
    assert answer.detail == f"refused: {bmc.url}: Connection refused"
    assert time.monotonic() - start_s < 10
