"""Power as requests reach it: methods bounded and never raising; off proved by a power control, or by silence."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from restart.model.answer import NoAnswer, PowerState, PowerSwitched, StillUp, WentOff
from restart.model.inventory import Host, Inventory
from restart.model.playbook import PowerControl
from restart.model.question import Shell, ShellReply
from restart.model.request import AwaitOff, ReadPower, SwitchPower
from restart.runner import off, power
from restart.runner.hosts import Hosts, Identity

OLD, NEW = "6e44b5f0-5a3b-4b4e-9df6-2f4c3c1f2a10", "7e44b5f0-5a3b-4b4e-9df6-2f4c3c1f2a11"


class Method:
    """A method whose answers a test gives."""

    method = "toy"
    schema: Mapping[str, Any] = {}

    def __init__(self, answer: Callable[[], Any], *, tells: bool = True) -> None:
        self._answer = answer
        self._tells = tells
        self.asked = 0

    def params(self, value: Any) -> Mapping[str, Any]:
        return dict(value)

    def tells(self, params: Mapping[str, Any]) -> bool:
        return self._tells

    def state(self, host: Host, within_s: float) -> Any:
        self.asked += 1
        return self._answer()

    def switch(self, host: Host, reset: str, within_s: float) -> Any:
        return self._answer()


class Ssh:
    """Replies to knocks in turn; the last one for ever."""

    def __init__(self, *replies: str | NoAnswer) -> None:
        self._replies = list(replies)
        self.forgotten = 0

    def run(self, shell: Shell) -> ShellReply | NoAnswer:
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, NoAnswer):
            return reply
        return ShellReply(exit_status=0, stdout=f"restart-probe 1 boot={reply} uptime=9.5\n", stderr="")

    def forget(self, host: str) -> None:
        self.forgotten += 1

    def close(self) -> None:
        """Nothing is open."""


REFUSED = NoAnswer(reason="refused", detail="a port 22")


def carry_out(request: Any, *, ssh: Ssh | None = None, method: Method | None = None, declared: bool = True) -> Any:
    control = PowerControl(method="toy") if declared else None
    inventory = Inventory(fleet="t", hosts={"a": Host(name="a", address="a", power=control)}, services={})
    identity = Identity(run="r1", controller="laptop", user="ann")
    powers: dict[str, Any] = {"toy": method} if method is not None else {}
    hosts = Hosts(inventory, gates={}, identity=identity, ssh=ssh or Ssh(REFUSED), powers=powers, poll_s=0.01)
    return hosts.carry_out(request, threading.Event())


def switch(within_s: float = 5.0) -> SwitchPower:
    return SwitchPower(id="q", host="a", reset="cycle", within_s=within_s)


def await_off(within_s: float = 0.3) -> AwaitOff:
    return AwaitOff(id="q", host="a", boot_id=OLD, within_s=within_s)


def test_a_switch_and_a_look_are_handed_to_the_hosts_method() -> None:
    ssh = Ssh(OLD)
    assert carry_out(switch(), method=Method(lambda: PowerSwitched(detail="x")), ssh=ssh) == PowerSwitched(detail="x")
    # What is open to the host would be said to a boot that has ended.
    assert ssh.forgotten == 1
    assert carry_out(ReadPower(id="q", host="a"), method=Method(lambda: PowerState(state="on"))).state == "on"


def test_a_host_without_power_control_and_a_method_that_is_missing_are_answers() -> None:
    none = carry_out(switch(), declared=False)
    assert none == NoAnswer(reason="command", detail="a has no power control: write `power:` at the host")
    assert carry_out(switch()) == NoAnswer(reason="command", detail="no power method toy is installed")
    assert carry_out(ReadPower(id="q", host="a")).state == "unknown"


def test_a_method_that_raises_is_an_answer() -> None:
    def broken() -> Any:
        raise KeyError("PowerState")

    assert carry_out(switch(), method=Method(broken)) == NoAnswer(reason="broken", detail="KeyError: 'PowerState'")
    assert carry_out(ReadPower(id="q", host="a"), method=Method(broken)).state == "unknown"


def test_a_method_that_hangs_costs_its_time_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "GRACE_S", 0.1)
    let_go = threading.Event()
    start_s = time.monotonic()
    answer = carry_out(switch(0.2), method=Method(lambda: let_go.wait(30)))
    let_go.set()
    assert answer == NoAnswer(reason="timeout", detail="its power control gave no answer within 0.2 s")
    assert time.monotonic() - start_s < 5


def test_off_is_what_the_power_control_says_though_ssh_is_silent() -> None:
    states = iter([PowerState(state="on"), PowerState(state="unknown"), PowerState(state="off", detail="d")])
    answer = carry_out(await_off(5.0), method=Method(lambda: next(states)), ssh=Ssh(REFUSED))
    assert isinstance(answer, WentOff)
    assert answer.how == "its power control says off (d)"


def test_a_power_control_that_says_on_is_not_outvoted_by_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(off, "SILENT_S", 0.0)
    assert carry_out(await_off(), method=Method(lambda: PowerState(state="on"))) == StillUp(boot_id=OLD)


def test_a_power_control_that_cannot_tell_proves_nothing() -> None:
    answer = carry_out(await_off(), method=Method(lambda: PowerState(state="unknown", detail="no route")))
    assert answer == NoAnswer(reason="timeout", detail="not proved off within 300ms: no route")


@pytest.mark.parametrize("reason", ["refused", "unreachable", "connect", "banner", "dropped"])
def test_without_one_silence_that_lasts_proves_it(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    monkeypatch.setattr(off, "SILENT_S", 0.2)
    start_s = time.monotonic()
    answer = carry_out(await_off(), declared=False, ssh=Ssh(OLD, NoAnswer(reason=reason)))
    assert isinstance(answer, WentOff)
    assert time.monotonic() - start_s >= 0.2
    assert reason in answer.how


def test_silence_that_is_broken_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(off, "SILENT_S", 0.2)
    replies = [REFUSED] * 5 + [OLD] + [REFUSED] * 5 + [OLD]
    assert carry_out(await_off(0.15), declared=False, ssh=Ssh(*replies)) == StillUp(boot_id=OLD, uptime_s=9.5)


def test_a_host_that_answers_with_another_boot_id_did_not_go_off() -> None:
    answer = carry_out(await_off(60.0), declared=False, ssh=Ssh(REFUSED, NEW))
    assert answer == StillUp(boot_id=NEW, uptime_s=9.5)


def test_a_gateway_that_is_down_proves_nothing_of_the_host_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(off, "SILENT_S", 0.0)
    answer = carry_out(await_off(0.1), declared=False, ssh=Ssh(NoAnswer(reason="gateway", detail="gw: refused")))
    assert isinstance(answer, NoAnswer)
    assert "gateway, gw: refused" in answer.detail


def test_a_refusal_by_a_host_that_was_never_reached_does_not_prove_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(off, "SILENT_S", 0.0)
    never = AwaitOff(id="q", host="a", boot_id="", within_s=0.1)
    assert isinstance(carry_out(never, declared=False, ssh=Ssh(REFUSED)), NoAnswer)
    assert isinstance(carry_out(never, declared=False, ssh=Ssh(NoAnswer(reason="unreachable"))), WentOff)


def test_wake_on_lan_leaves_the_proof_to_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(off, "SILENT_S", 0.0)
    method = Method(lambda: PowerState(state="on"), tells=False)
    assert isinstance(carry_out(await_off(), method=method), WentOff)
    assert method.asked == 0
