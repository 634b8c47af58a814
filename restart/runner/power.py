"""Power controls as requests reach them: the right method for each host, and an end to every call, whatever a method does."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

from restart.model.answer import NoAnswer, PowerState, PowerSwitched
from restart.model.inventory import Host, Inventory
from restart.model.request import SwitchPower
from restart.model.world import Power
from restart.probes.output import one_line
from restart.transports.power import credentials

STATE_S = 30.0
"""How long reading a power state may take: log in, look, log out, on a slow BMC."""

GRACE_S = 5.0
"""How much longer than it was given a method may take to switch before its call is given up."""

READ_GRACE_S = 0.5
"""The same for reading, which can be asked again."""

A = TypeVar("A")


class PowerControls:
    """The power controls of the inventory's hosts. Used from any number of threads."""

    def __init__(self, inventory: Inventory, powers: Mapping[str, Power]) -> None:
        """`powers` are the methods, by name. From now on no child of this process inherits the passwords in its environment."""
        self._hosts = inventory.hosts
        self._powers = powers
        controls = [host.power.params for host in inventory.hosts.values() if host.power is not None]
        credentials.take_over({params["password_env"] for params in controls if "password_env" in params})

    def tells(self, name: str) -> bool:
        """Whether the host has a power control that can prove it off."""
        host = self._hosts[name]
        power = self._method(host)
        return host.power is not None and not isinstance(power, NoAnswer) and power.tells(host.power.params)

    def state(self, name: str, within_s: float = STATE_S) -> PowerState:
        """What the power of the host is, told within `within_s` and a moment."""
        host = self._hosts[name]
        power = self._method(host)
        if isinstance(power, NoAnswer):
            return PowerState(state="unknown", detail=power.detail)
        answer = _bounded(lambda: power.state(host, within_s), within_s, READ_GRACE_S)
        if isinstance(answer, NoAnswer):
            return PowerState(state="unknown", detail=f"{answer.reason}: {answer.detail}")
        return answer

    def switch(self, request: SwitchPower) -> PowerSwitched | NoAnswer:
        """Carry out the switch."""
        host = self._hosts[request.host]
        power = self._method(host)
        if isinstance(power, NoAnswer):
            return power
        return _bounded(lambda: power.switch(host, request.reset, request.within_s), request.within_s, GRACE_S)

    def _method(self, host: Host) -> Power | NoAnswer:
        if host.power is None:
            return NoAnswer(reason="command", detail=f"{host.name} has no power control: write `power:` at the host")
        found = self._powers.get(host.power.method)
        if found is None:
            return NoAnswer(reason="command", detail=f"no power method {host.power.method} is installed")
        return found


def _bounded(call: Callable[[], A], within_s: float, grace_s: float) -> A | NoAnswer:
    """What `call` returns, waited for `within_s` and a little; a library that hangs beyond that keeps its thread, not the run."""
    done: queue.SimpleQueue[A | NoAnswer] = queue.SimpleQueue()

    def work() -> None:
        try:
            done.put(call())
        except Exception as error:  # noqa: BLE001 - a worker's edge, and a plugin is foreign code
            done.put(NoAnswer(reason="broken", detail=one_line(f"{type(error).__name__}: {error}")))

    threading.Thread(target=work, name="restart power", daemon=True).start()
    try:
        return done.get(timeout=within_s + grace_s)
    except queue.Empty:
        return NoAnswer(reason="timeout", detail=f"its power control gave no answer within {within_s:g} s")
