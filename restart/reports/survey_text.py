"""What a survey saw, for people and for machines: counts, whoever is not well, every service against its budget, who wants a reboot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from restart.model.check import Verdict
from restart.model.inventory import Inventory
from restart.model.observation import HostSeen, Observation
from restart.reports.prose import aligned, count, listed, printable, wrapped
from restart.rules.budgets import budget
from restart.rules.durations import spoken

STATES: Mapping[str, str] = {
    "returned": "returned by itself",
    "never-went-down": "never went down",
    "unhealthy": "up but unhealthy",
    "returning": "returning",
    "stuck": "stuck",
    "down": "down",
    "unknown": "unknown",
}
"""Each state and how it is said; well ones first."""

WELL = ("returned", "never-went-down")
WIDTH = 80
WHY_MIN = 30


def survey_text(
    inventory: Inventory, observation: Observation, *, took_s: float, unseen: Sequence[str] = (), width: int = WIDTH
) -> str:
    """The survey. `unseen` are hosts that were to be looked at when it was ended early. Ends with a newline."""
    sections = (
        _head(inventory, observation, took_s, width),
        _early(unseen, width),
        _counts(observation, width),
        _unwell(observation, width),
        _services(inventory, observation),
        _wanting(observation, width),
    )
    return "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"


def _early(unseen: Sequence[str], width: int) -> Iterator[str]:
    if unseen:
        what = f"Ended early; not looked at: {listed(unseen)}. Nothing is kept to plan on: look again when there is time for all."
        yield from wrapped(what, width=width)


def survey_json(
    inventory: Inventory, observation: Observation, *, took_s: float, unseen: Sequence[str] = ()
) -> dict[str, Any]:
    """What a machine wants to read beside the observation itself; `unseen` as for `survey_text`."""
    wanting = [host for host, seen in observation.hosts.items() if seen.reboot_required]
    return {
        "took_s": round(took_s, 3),
        "counts": {state: len(hosts) for state, hosts in _by_state(observation).items()},
        "services": [
            {"service": name, "hosts": hosts, "available": available, "looked_at": looked, "budget": needed,
             "below_budget": needed is not None and available + hosts - looked < needed}
            for name, hosts, available, looked, needed in _availability(inventory, observation)
        ],
        "reboot_required": wanting,
        "not_looked_at": list(unseen),
    }  # fmt: skip


def _by_state(observation: Observation) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {state: [] for state in STATES}
    for host, seen in observation.hosts.items():
        found.setdefault(seen.state or "unknown", []).append(host)
    return found


def _head(inventory: Inventory, observation: Observation, took_s: float, width: int) -> Iterator[str]:
    looked, fleet = len(observation.hosts), len(inventory.hosts)
    of = "" if looked == fleet else f" of {fleet}"
    yield f"{inventory.fleet}: looked at {looked}{of} {'host' if fleet == 1 else 'hosts'} at {observation.at}, in {spoken(took_s)}"
    if observation.since is None:
        text = "No event is known: no two hosts came up together in the last 12 h. If there was one, say when: --since TIME"
        yield from wrapped(text, width=width, first="  ")
    else:
        yield f"  The event was at {observation.since}."


def _counts(observation: Observation, width: int) -> Iterator[str]:
    for state, hosts in _by_state(observation).items():
        if hosts:
            yield from wrapped(
                listed(hosts), width=width, first=f"{len(hosts):>6}  {STATES[state]:<18}  ", rest=" " * 28
            )


def _unwell(observation: Observation, width: int) -> Iterator[str]:
    rows = [(host, seen) for host, seen in observation.hosts.items() if seen.state not in WELL]
    if not rows:
        return
    yield "Not well"
    table = [("host", "state", "up", "power")] + [
        (host, STATES.get(seen.state or "", "unknown"), _up(seen), seen.power or "-") for host, seen in rows
    ]
    heads = aligned(table)
    widest = max(len(line) for line in heads)
    yield heads[0]
    for head, (_, seen) in zip(heads[1:], rows, strict=True):
        why = printable(_why(seen))
        if width - widest - 2 >= WHY_MIN:
            yield from wrapped(why, width=width, first=f"{head:<{widest}}  ", rest=" " * (widest + 2))
        else:
            # A narrow terminal: the reason goes below its host.
            yield head
            yield from wrapped(why, width=width, first="      ")


def _why(seen: HostSeen) -> str:
    units = f"; failed units: {', '.join(seen.failed_units[:5])}" if seen.failed_units else ""
    until = f" (waited for until {seen.returning_until})" if seen.returning_until else ""
    return f"{seen.why}{until}{units}" or "-"


def _up(seen: HostSeen) -> str:
    return "-" if seen.uptime_s is None else spoken(seen.uptime_s)


_Row = tuple[str, int, int, int, int | None]
"""A service, its hosts, how many are available, how many were looked at, how many must be available."""


def _availability(inventory: Inventory, observation: Observation) -> Iterator[_Row]:
    for name, service in inventory.services.items():
        seen = [observation.hosts[host] for host in service.hosts if host in observation.hosts]
        if seen:
            available = sum(found.ready.get(name) is Verdict.PASS for found in seen)
            yield name, len(service.hosts), available, len(seen), budget(service)


def _services(inventory: Inventory, observation: Observation) -> Iterator[str]:
    table: list[tuple[str, ...]] = [("service", "available", "needed", "")]
    for name, hosts, available, looked, needed in _availability(inventory, observation):
        note = f"{hosts - looked} not looked at" if looked < hosts else ""
        missing = 0 if needed is None else needed - available - (hosts - looked)
        if missing > 0:
            note = f"BELOW ITS BUDGET by {missing}"
        elif available == 0 and looked == hosts:
            note = "OUTAGE"
        table.append((name, f"{available} of {hosts}", "-" if needed is None else str(needed), note))
    if len(table) > 1:
        yield from aligned(table)


def _wanting(observation: Observation, width: int) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for host, seen in observation.hosts.items():
        if seen.reboot_required:
            reasons.setdefault(seen.reboot_why, []).append(host)
    if not reasons:
        return
    total = sum(len(hosts) for hosts in reasons.values())
    yield f"Want a reboot anyway: {count(total, 'host')} (restart plan --only reboot-required)"
    for why, hosts in sorted(reasons.items(), key=lambda row: -len(row[1])):
        yield from wrapped(f"{listed(hosts)}: {printable(why)}", width=width, first="  ", rest="    ")


def states_sentence(observation: Observation, hosts: Sequence[str]) -> str:
    """How many of `hosts` are in which state, in a few words: `12 returned by itself, 3 stuck`."""
    counts: dict[str, int] = {}
    for host in hosts:
        seen = observation.hosts.get(host)
        state = "not looked at" if seen is None else STATES.get(seen.state or "", "unknown")
        counts[state] = counts.get(state, 0) + 1
    order = [*STATES.values(), "not looked at"]
    return ", ".join(f"{counts[state]} {state}" for state in order if state in counts)
