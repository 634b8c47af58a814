"""Looking at every host at once: the sweep over SSH, the checks of its services, and its power where that is declared.

Each host has a thread of its own while it is looked at, so that one that hangs costs nobody else's time; starts are paced, because
a log-in costs this process some milliseconds of CPU and hundreds at once would run into their own deadlines. Nothing here
changes a host.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from restart.engine.readiness import asked_before, summed_up
from restart.model.answer import Checked, NoAnswer, PowerState
from restart.model.check import Finding, Verdict
from restart.model.inventory import Inventory
from restart.model.question import Shell, ShellReply
from restart.model.world import Gate
from restart.probes import sweep
from restart.probes.output import one_line
from restart.probes.section import Section
from restart.probes.sections import boot, identity, kernel, reboot_required, systemd
from restart.probes.sweep import Swept
from restart.transports.asking import Asking, Runs

SECTIONS: tuple[Section[object], ...] = (
    boot.SECTION,
    identity.SECTION,
    kernel.SECTION,
    reboot_required.SECTION,
    systemd.SECTION,
)

HOST_S = 40.0
"""How long one host may take, everything counted. Past that it is given up, whatever its thread still waits for."""

AT_ONCE_MAX = 400
"""Hosts looked at at once: so many threads hang on hosts that hang."""

START_EVERY_S = 0.015
"""Between the starts of two looks, in seconds: about what a log-in costs this process."""

POWER_S = 5.0
"""How long a power control may take to say whether its host is on."""

ReadPower = Callable[[str, float], PowerState | NoAnswer]
"""What the power control of a host says of it, within so many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen of one host. `at_s` is when its answer came, in seconds since the looking began.

    `ready` has a finding for each of its services; `power` is None where no power control is declared.
    """

    swept: Swept | NoAnswer
    at_s: float = 0.0
    ready: Mapping[str, Finding] = field(default_factory=dict)
    power: PowerState | NoAnswer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """All looks, by host, in inventory order. `began` is the controller's wall clock in seconds since 1970, `took_s` how long it took."""

    looks: Mapping[str, Look]
    began: float
    took_s: float


def look_at_all(
    inventory: Inventory,
    hosts: Sequence[str],
    *,
    gates: Mapping[str, Gate],
    ssh: Runs,
    read_power: ReadPower | None = None,
    sections: Sequence[Section[object]] = SECTIONS,
    checked: bool = True,
    seen: Callable[[str, Look], None] = lambda host, look: None,
    at_once_max: int = AT_ONCE_MAX,
    start_every_s: float = START_EVERY_S,
    host_s: float = HOST_S,
) -> Looked:
    """Look at `hosts`, all at once as far as `at_once_max` allows. Every host has a look, a silent one too.

    `sections` are what the sweep asks; without `checked` the checks of the hosts' services are left out.
    Takes at most `host_s` for each `at_once_max` hosts that hang, and `start_every_s` for each host. `seen` hears of each look,
    from the thread that made it.
    """
    began, start_s = time.time(), time.monotonic()
    asking, services = Asking(inventory, gates=gates, ssh=ssh), _services_of(inventory) if checked else {}

    def look(host: str, heard: Callable[[Look], None]) -> Look:
        return _look(inventory, host, services.get(host, ()), asking, ssh, read_power, sections, start_s, host_s, heard)

    def silent(host: str, known: Look | None) -> Look:
        nothing = NoAnswer(reason="timeout", detail=f"no end of looking at it within {host_s:g} s")
        # A host that has answered is not silent because something beside it is. What was not asked to its end is not known.
        known = known or Look(swept=nothing, at_s=time.monotonic() - start_s)
        unknown = Finding(verdict=Verdict.UNKNOWN, evidence=nothing.detail)
        ready = {name: known.ready.get(name, unknown) for name in services.get(host, ())}
        asked = read_power is not None and inventory.hosts[host].power is not None
        return replace(known, ready=ready, power=nothing if asked else None)

    crowd = _Crowd(look, silent, seen, at_once_max=at_once_max, host_s=host_s, start_s=start_s)
    next_s = start_s
    for host in hosts:
        crowd.wait_for_room()
        pause_s = next_s - time.monotonic()
        if pause_s > 0:
            time.sleep(pause_s)
        next_s = max(next_s, time.monotonic() - 0.5) + start_every_s
        crowd.begin(host)
    found = crowd.end()
    return Looked(
        looks={host: found[host] for host in inventory.hosts if host in found},
        began=began,
        took_s=time.monotonic() - start_s,
    )


class _Crowd:
    """Looks under way, each in a thread of its own; one that does not end in its time is given up, and its thread left to itself."""

    def __init__(
        self,
        look: Callable[[str, Callable[[Look], None]], Look],
        silent: Callable[[str, Look | None], Look],
        seen: Callable[[str, Look], None],
        *,
        at_once_max: int,
        host_s: float,
        start_s: float,
    ) -> None:
        """`look` looks at a host and tells what it has heard so far; `silent` makes of that, or of nothing, the look of one that is given up."""
        self._look, self._silent, self._seen = look, silent, seen
        self._host_s, self._start_s = host_s, start_s
        self._free = threading.Semaphore(at_once_max)
        self._lock = threading.Condition()
        self._found: dict[str, Look] = {}
        self._so_far: dict[str, Look] = {}
        self._told: set[str] = set()
        self._due_s: dict[str, float] = {}

    def wait_for_room(self) -> None:
        """Until one more may be looked at."""
        while not self._free.acquire(timeout=0.2):
            self._give_up_late()

    def begin(self, host: str) -> None:
        """Look at `host`; there is room for it."""
        with self._lock:
            # A little beyond the host's own time: a look that keeps to it ends by itself, and says more.
            self._due_s[host] = time.monotonic() + self._host_s + 1.0
        threading.Thread(target=self._work, args=(host,), name=f"restart survey {host}", daemon=True).start()

    def end(self) -> Mapping[str, Look]:
        """All looks, once whoever is told of them has heard of each."""
        while True:
            with self._lock:
                if self._lock.wait_for(lambda: len(self._told) == len(self._due_s), timeout=0.2):
                    return self._found
            self._give_up_late()

    def _work(self, host: str) -> None:
        try:
            look = self._look(host, partial(self._so_far.__setitem__, host))
        except Exception as error:  # noqa: BLE001 - a worker's edge: a fault of ours is not a fault of the host
            what = f"a fault of this tool: {type(error).__name__}: {error}"
            nothing = NoAnswer(reason="broken", detail=one_line(what))
            look = Look(swept=nothing, at_s=time.monotonic() - self._start_s)
        self._take(host, look)

    def _take(self, host: str, look: Look) -> None:
        """The first look of a host counts."""
        with self._lock:
            if host in self._found:
                return
            self._found[host] = look
        self._free.release()
        try:
            self._seen(host, look)
        finally:
            # Only now: whoever is told of the looks has heard of each at the end.
            with self._lock:
                self._told.add(host)
                self._lock.notify_all()

    def _give_up_late(self) -> None:
        now_s = time.monotonic()
        with self._lock:
            late = [host for host, at_s in self._due_s.items() if at_s <= now_s and host not in self._found]
        for host in late:
            self._take(host, self._silent(host, self._so_far.get(host)))


def _look(
    inventory: Inventory,
    host: str,
    services: Sequence[str],
    asking: Asking,
    ssh: Runs,
    read_power: ReadPower | None,
    sections: Sequence[Section[object]],
    start_s: float,
    host_s: float,
    heard: Callable[[Look], None],
) -> Look:
    """One host: the sweep first, then the checks of its services while there is time, then its power. `heard` gets what is known so far."""
    end_s = time.monotonic() + host_s
    swept = sweep.parse(_sent(ssh, sweep.shell(host, sections)))
    at_s = time.monotonic() - start_s
    heard(Look(swept=swept, at_s=at_s))
    # A host that does not let us in is not asked again over SSH; its other checks may still tell that it works.
    silent = {host: swept} if isinstance(swept, NoAnswer) else {}
    ready: dict[str, Finding] = {}
    for name in services:
        findings = []
        for check in asked_before(inventory.services[name].ready):
            if time.monotonic() + check.timeout_s > end_s:
                findings.append(Finding(verdict=Verdict.UNKNOWN, evidence=f"{check.kind}: no time was left to ask"))
            else:
                findings.append(asking.finding(check, host, name, silent))
        verdict, evidence = summed_up(Checked(findings=tuple(findings)))
        ready[name] = Finding(verdict=verdict, evidence=evidence)
        heard(Look(swept=swept, at_s=at_s, ready=dict(ready)))
    power: PowerState | NoAnswer | None = None
    if read_power is not None and inventory.hosts[host].power is not None:
        left_s = min(POWER_S, end_s - time.monotonic())
        nothing = NoAnswer(reason="timeout", detail="no time was left to ask its power control")
        power = read_power(host, left_s) if left_s > 0 else nothing
    return Look(swept=swept, at_s=at_s, ready=ready, power=power)


def _sent(ssh: Runs, shell: Shell) -> ShellReply | NoAnswer:
    return ssh.run(shell)


def _services_of(inventory: Inventory) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for service in inventory.services.values():
        for host in service.hosts:
            found.setdefault(host, []).append(service.name)
    return found
