"""Sorting what was seen (design: section 4 and rule 17). Pure: times are seconds since 1970 by the controller's own clock.

A host booted at the controller's now less the host's uptime; no wall clock of a host is ever looked at, for after a power cut they lie.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from restart.model.answer import NoAnswer, PowerState
from restart.model.check import Verdict
from restart.model.inventory import Inventory
from restart.model.observation import HostSeen, Observation
from restart.probes.probe import Seen
from restart.probes.sections import boot, kernel, reboot_required, systemd
from restart.probes.sections.systemd import Systemd
from restart.rules.durations import spoken
from restart.rules.moves import expected_s
from restart.survey.look import Look, Looked

RECENT_S = 12 * 3600.0
TOGETHER_S = 30 * 60.0
"""Hosts that came up within so long of each other, and not longer ago than `RECENT_S`, came up after one event."""

RETURNING_MIN_S = 180.0

UNKNOWABLE = frozenset({"auth", "host-key", "privilege", "gateway", "broken"})
"""Reasons of silence that say nothing of the host: we are not let in, or do not get as far as it."""

_WORDS = {
    "unreachable": "no route",
    "refused": "SSH is refused",
    "connect": "hangs: no TCP connection",
    "banner": "hangs: before the log-in",
    "auth": "does not let us in",
    "host-key": "its host key is not the known one",
    "channel": "hangs: opens no session",
    "command": "hangs: a command does not end",
    "dropped": "cuts the connection",
    "timeout": "hangs",
    "gateway": "not reached through its gateway",
    "privilege": "sudo is not allowed",
    "broken": "could not be looked at",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """When the event was, in seconds since 1970, and the hosts whose boots tell so; `hosts` is empty where it was told."""

    since: float
    hosts: tuple[str, ...] = ()
    last: float = 0.0


def event_of(looked: Looked) -> Event | None:
    """The event by default: the earliest boot among the most hosts that came up within 30 min of each other in the last 12 h.

    One host alone is no event: it may have been restarted by anybody. Of two groups alike in number the later one counts.
    """
    boots = sorted((at, host) for host, look in looked.looks.items() if (at := booted_at(looked, look)) is not None)
    recent = [(at, host) for at, host in boots if looked.began - at <= RECENT_S]
    best: tuple[int, int] = (0, 0)
    first = 0
    for last, (at, _) in enumerate(recent):
        while at - recent[first][0] > TOGETHER_S:
            first += 1
        best = max(best, (last - first + 1, first))
    many, first = best
    if many < 2:
        return None
    group = recent[first : first + many]
    return Event(since=group[0][0], hosts=tuple(host for _, host in group), last=group[-1][0])


def booted_at(looked: Looked, look: Look) -> float | None:
    """When the host booted; None: it did not say."""
    seen = _booted(look)
    return None if seen is None else looked.began + look.at_s - seen.uptime_s


def observation_of(inventory: Inventory, looked: Looked, since: float | None) -> Observation:
    """The looks, sorted. `since` is when the event was; None: none is known, and then nobody who is silent can be judged."""
    services = _services_of(inventory)
    return Observation(
        at=rfc3339(looked.began),
        fleet=inventory.fleet,
        since=None if since is None else rfc3339(since),
        hosts={
            host: _seen(inventory, host, services.get(host, ()), looked, look, since)
            for host, look in looked.looks.items()
        },
    )


def rfc3339(at: float) -> str:
    """A moment in UTC, to the second below."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> float:
    """The seconds since 1970 of a moment as RFC 3339 writes it. Raises `ValueError`, also where it has no zone."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return found.timestamp()


def _seen(
    inventory: Inventory, host: str, services: Iterable[str], looked: Looked, look: Look, since: float | None
) -> HostSeen:
    booted, uptime = booted_at(looked, look), _booted(look)
    system = None if isinstance(look.swept, NoAnswer) else look.swept.of(systemd.SECTION)
    running = None if isinstance(look.swept, NoAnswer) else look.swept.of(kernel.SECTION)
    asked = None if isinstance(look.swept, NoAnswer) else look.swept.of(reboot_required.SECTION)
    wants, how = reboot_required.wanted(asked, running)
    boot_s, warm_s, _ = expected_s(inventory, inventory.hosts[host], services)
    patience_s = max(RETURNING_MIN_S, 2 * (boot_s + (warm_s if booted is not None else 0.0)))
    now = looked.began + look.at_s
    if booted is not None:
        state, why, until = _up(look, system, now, booted, since, patience_s)
    else:
        state, why, until = _silent(look, now, since, patience_s)
    return HostSeen(
        ready={name: finding.verdict for name, finding in look.ready.items()},
        boot_id=None if uptime is None else uptime.boot_id,
        uptime_s=None if booted is None else round(max(0.0, looked.began - booted), 1),
        why=why,
        state=state,
        power=look.power.state if isinstance(look.power, PowerState) and look.power.state != "unknown" else None,
        kernel=None if running is None else running.running,
        reboot_required=wants,
        reboot_why=how if wants else "",
        system=None if system is None else system.state,
        failed_units=() if system is None else system.failed,
        returning_until=None if until is None else rfc3339(until),
    )


_State = tuple[str, str, float | None]
"""The state, why, and until when a returning host is waited for."""


def _up(
    look: Look, system: Systemd | None, now: float, booted: float, since: float | None, patience_s: float
) -> _State:
    """A host that answers: well or not, and did it boot after the event?"""
    bad = [f"{name}: {found.evidence}" for name, found in look.ready.items() if found.verdict is Verdict.FAIL]
    unsure = [f"{name}: {found.evidence}" for name, found in look.ready.items() if found.verdict is Verdict.UNKNOWN]
    up = spoken(max(0.0, now - booted))
    if system is not None and system.state == "stopping":
        return "returning", "it is shutting down", now + patience_s
    if system is not None and system.state == "maintenance":
        bad.append("systemd is in maintenance mode")
    if bad or unsure:
        until = booted + patience_s
        if now < until or (system is not None and system.is_booting and now < until + patience_s):
            return (
                "returning",
                f"up for {up}, its services may still be starting: {(bad or unsure)[0]}",
                max(until, now),
            )
        return ("unhealthy" if bad else "unknown"), "; ".join(bad or unsure), None
    failed = f"; failed units: {', '.join(system.failed[:3])}" if system is not None and system.failed else ""
    # Times are to the second, and the answer took a moment: a host on the edge has booted because of the event.
    if since is not None and booted >= since - 1.5:
        return "returned", f"booted at {rfc3339(booted)}, healthy{failed}", None
    return "never-went-down", f"up for {up}, healthy{failed}", None


def _silent(look: Look, now: float, since: float | None, patience_s: float) -> _State:
    """A host that does not answer over SSH, or tells no boot id."""
    if isinstance(look.swept, NoAnswer):
        nothing = look.swept
        why = silence(nothing)
    else:
        return "unknown", "answers, but tells no boot id", None
    if isinstance(look.power, PowerState) and look.power.state == "off":
        return "down", f"its power is off; {why}", None
    if nothing.reason in UNKNOWABLE:
        return "unknown", why, None
    if look.ready and all(found.verdict is Verdict.PASS for found in look.ready.values()):
        return "unknown", f"its services answer, but SSH does not: {why}", None
    if since is None:
        return "unknown", f"{why}; when the event was is not known", None
    until = since + patience_s
    if now < until:
        return "returning", why, until
    return "stuck", why, None


def silence(nothing: NoAnswer) -> str:
    """In which phase a host fell silent, in words, and what it said."""
    return f"{_WORDS.get(nothing.reason, nothing.reason)}{f': {nothing.detail}' if nothing.detail else ''}"


def _booted(look: Look) -> Seen | None:
    return None if isinstance(look.swept, NoAnswer) else look.swept.of(boot.SECTION)


def _services_of(inventory: Inventory) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for service in inventory.services.values():
        for host in service.hosts:
            found.setdefault(host, []).append(service.name)
    return found
