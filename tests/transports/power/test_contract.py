"""What holds for every power method on the shelf: its schema, its params, and data instead of exceptions where nothing answers."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from restart.inventory import schema
from restart.model.answer import NoAnswer, PowerState, PowerSwitched
from restart.model.inventory import Host
from restart.model.playbook import PowerControl
from restart.model.world import Power

POWERS: Mapping[str, Power] = {point.name: point.load() for point in entry_points(group="restart.power")}
BMC = {"user": "ops", "password_env": "NO_SUCH_VARIABLE_HERE"}
EXAMPLES: Mapping[str, list[Any]] = {
    "command": [{"on": "true"}, {"on": "pdu on {host}", "off": "pdu off {host}", "state": "pdu state {host}"}],
    "ipmi": [{"address": "bmc-1", **BMC}, {"address": "bmc-1", "user": "ops", "password_file": "/etc/x", "port": 6230}],
    "libvirt": [{}, {"uri": "test:///default", "domain": "db-1"}],
    "redfish": [{"url": "https://bmc-1", **BMC}, {"url": "https://bmc-1:8443/", **BMC, "auth": "basic", "system": "1"}],
    "wol": [{"mac": "52:54:00:12:34:56"}, {"mac": "525400123456", "broadcast": "127.0.0.1", "port": 40000}],
}
WRONG: Mapping[str, list[Any]] = {
    "command": [{}, {"of": "x"}, {"on": 3}],
    "ipmi": [{"address": "x"}, {"user": "x"}, {"address": "x", "user": "y", "password": "z"}],
    "libvirt": [{"url": "x"}, "db-1"],
    "redfish": [{"url": "http://x", **BMC}, {"url": "https://u:p@x", **BMC}, {"url": "https://x", "password": "x"}],
    "wol": [{"mac": "aa:bb"}, {}],
}
CASES = [(method, value) for method, values in EXAMPLES.items() for value in values]


def host(method: str, params: Mapping[str, Any], name: str = "a b") -> Host:
    return Host(name=name, address="127.0.0.1", power=PowerControl(method=method, params=params))


def test_our_own_methods_are_on_the_shelf() -> None:
    assert {"command", "ipmi", "libvirt", "redfish", "wol"} <= POWERS.keys() == EXAMPLES.keys() == WRONG.keys()


@pytest.mark.parametrize(("method", "value"), CASES)
def test_an_example_fits_its_schema_and_is_read(method: str, value: Any) -> None:
    jsonschema.validate(value, POWERS[method].schema)
    assert POWERS[method].params(value) == value


@pytest.mark.parametrize(("method", "value"), [(method, value) for method, values in WRONG.items() for value in values])
def test_what_is_wrong_does_not_fit(method: str, value: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, POWERS[method].schema)


def test_every_key_of_every_method_is_documented_in_the_inventorys_schema() -> None:
    methods = schema({}, POWERS)["$defs"]["power"]["properties"]
    assert methods.keys() == POWERS.keys()
    for held in methods.values():
        assert held["description"]
        assert all(key["description"] for key in held["properties"].values())
        assert held["additionalProperties"] is False


@pytest.mark.parametrize("method", ["redfish", "ipmi"])
@pytest.mark.parametrize("sources", [{}, {"password_env": "A", "password_file": "/b"}])
def test_a_method_with_a_password_wants_one_source_of_it(method: str, sources: Mapping[str, str]) -> None:
    where = {"url": "https://x"} if method == "redfish" else {"address": "x"}
    with pytest.raises(ValueError, match="write one of password_env, password_file, password_command"):
        POWERS[method].params({**where, "user": "ops", **sources})


@pytest.mark.parametrize(("method", "value"), CASES)
@pytest.mark.parametrize("reset", ["graceful", "force", "cycle", "off"])
def test_where_nothing_can_be_switched_the_answer_says_why(
    method: str, value: Any, reset: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no ipmitool, no virsh, no pdu
    start_s = time.monotonic()
    answer = POWERS[method].switch(host(method, value), reset, 2.0)
    assert isinstance(answer, NoAnswer)
    assert answer.reason
    assert answer.detail
    state = POWERS[method].state(host(method, value), 2.0)
    assert isinstance(state, PowerState)
    assert state.state == "unknown"
    assert state.detail
    assert time.monotonic() - start_s < 10


def test_wake_on_lan_sends_the_magic_packet() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(5)
        params = {"mac": "52:54:00:12:34:56", "broadcast": "127.0.0.1", "port": listening.getsockname()[1]}
        answer = POWERS["wol"].switch(host("wol", params), "on", 5.0)
        assert isinstance(answer, PowerSwitched)
        assert listening.recv(2000) == b"\xff" * 6 + bytes.fromhex("525400123456") * 16
    assert POWERS["wol"].tells({}) is False


class Pdu:
    """Outlets in a folder, and the commands that switch them."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self.log.touch()
        note = f"echo {{host}} $0 >> {self.log}"
        self.params = {
            "on": f"echo on > {folder}/state; set -- on; {note} on",
            "off": f"(sleep 0.3; echo off > {folder}/state) & set -- off; {note} off",
            "state": f"cat {folder}/state",
        }
        (folder / "state").write_text("on\n", encoding="utf-8")

    def said(self) -> list[str]:
        return [line.split()[-1] for line in self.log.read_text(encoding="utf-8").splitlines()]


def test_a_command_switches_and_off_is_proved_before_on(tmp_path: Path) -> None:
    pdu = Pdu(tmp_path)
    target = host("command", pdu.params)
    assert POWERS["command"].state(target, 5.0).state == "on"
    assert POWERS["command"].switch(target, "cycle", 10.0) == PowerSwitched(detail="off, proved off, on")
    assert pdu.said() == ["off", "on"]
    assert POWERS["command"].switch(target, "off", 10.0) == PowerSwitched(
        detail="proved off: the command state says off"
    )


def test_a_command_fills_and_quotes_the_host(tmp_path: Path) -> None:
    target = host("command", {"on": f"printf %s {{host}} > {tmp_path}/who"}, name="a b; touch x")
    assert isinstance(POWERS["command"].switch(target, "on", 5.0), PowerSwitched)
    assert (tmp_path / "who").read_text(encoding="utf-8") == "a b; touch x"


def test_a_command_that_fails_or_is_not_declared_is_told() -> None:
    target = host("command", {"on": "echo the outlet is stuck >&2; exit 3"})
    assert POWERS["command"].switch(target, "on", 5.0) == NoAnswer(
        reason="command", detail="the command on ended with 3: the outlet is stuck"
    )
    assert POWERS["command"].switch(target, "off", 5.0) == NoAnswer(
        reason="command", detail="no command off is declared"
    )
    answer = POWERS["command"].switch(target, "cycle", 5.0)
    assert isinstance(answer, NoAnswer)
    assert "off is not proved" in answer.detail


VIRSH = """#!/bin/sh
echo "$@" >> {folder}/calls
while [ "$1" != --domain ] && [ $# -gt 0 ]; do verb=$1; shift; done
case $verb in
    domstate) cat {folder}/state;;
    start) echo running > {folder}/state;;
    destroy) echo "shut off" > {folder}/state;;
esac
"""


def test_libvirt_goes_by_the_domains_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "virsh").write_text(VIRSH.format(folder=tmp_path), encoding="utf-8")
    (tmp_path / "virsh").chmod(0o755)
    (tmp_path / "state").write_text("running\n", encoding="utf-8")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    target = host("libvirt", {"uri": "qemu:///system"}, name="db-1")
    power = POWERS["libvirt"]
    assert power.state(target, 5.0) == PowerState(state="on", detail="virsh says running")
    assert power.switch(target, "cycle", 10.0) == PowerSwitched(detail="off, proved off, on")
    assert power.switch(target, "force", 10.0) == PowerSwitched(detail="virsh reset taken")
    assert power.switch(target, "graceful", 10.0) == PowerSwitched(detail="virsh reboot taken")
    assert isinstance(power.switch(target, "off", 10.0), PowerSwitched)
    assert power.state(target, 5.0).state == "off"
    assert power.switch(target, "off", 10.0) == PowerSwitched(detail="it was off already")
    assert isinstance(power.switch(target, "force", 10.0), PowerSwitched)  # what is off can only be switched on
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    acts = [call.split()[3] for call in calls if "domstate" not in call]
    assert acts == ["destroy", "start", "reset", "reboot", "destroy", "start"]
    assert all(call.startswith("-q -c qemu:///system") and call.endswith("--domain db-1") for call in calls)
