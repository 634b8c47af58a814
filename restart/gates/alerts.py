"""Alerts told apart: those that stood before the run, those that the run causes itself, and new ones.

An alert is its labels. One that worsens (another severity) or fires for another instance has other labels, and is new. One that stood
before the run is known for as long as the run lasts, also where it ceases and fires again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from restart.model.check import OF_RUN, Check

HOST_LABELS = ("instance", "host", "hostname", "node", "nodename")
HOST_LABEL: Mapping[str, Any] = {
    "description": "label, or list of labels, that names the host an alert is about; default: "
    + ", ".join(HOST_LABELS),
    "oneOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
    ],
}

Labels = Mapping[str, str]
NAMED_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """Alerts sorted out: `new` ones hold the run, `known` from before it and its `own` do not. `seen`: what a first look saw."""

    new: tuple[Labels, ...]
    known: tuple[Labels, ...]
    own: tuple[Labels, ...]
    seen: Mapping[str, Any]

    def excused(self) -> str:
        """In words, what was left out; empty where nothing was."""
        parts = []
        if self.known:
            parts.append(f"{named(self.known)} known from before the run")
        if self.own:
            parts.append(f"{named(self.own)} of the run's own doing")
        return " and ".join(parts)


def sort_out(check: Check, alerts: Sequence[Labels]) -> Sorted:
    """Which of `alerts` are new, by what came with the check; without it all are."""
    known = check.params.get(OF_RUN, {})
    first, before = bool(known.get("first")), frozenset((known.get("before") or {}).get("alerts", ()))
    away, caused = frozenset(known.get("away", ())), tuple(known.get("caused", ()))
    stated = check.params.get("host_label", HOST_LABELS)
    host_labels = (stated,) if isinstance(stated, str) else tuple(stated)
    sorts: dict[str, list[Labels]] = {"new": [], "known": [], "own": []}
    for alert in alerts:
        if _is_own(alert, host_labels, away, caused):
            sorts["own"].append(alert)
        else:
            sorts["known" if first or key(alert) in before else "new"].append(alert)
    seen = {"alerts": sorted(key(alert) for alert in alerts)} if first else {}
    return Sorted(new=tuple(sorts["new"]), known=tuple(sorts["known"]), own=tuple(sorts["own"]), seen=seen)


def key(labels: Labels) -> str:
    """What an alert is known by: its labels, as 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(sorted(labels.items()), ensure_ascii=False).encode()).hexdigest()[:16]


def named(alerts: Sequence[Labels]) -> str:
    """The first few, for people: `InstanceDown on db-1`."""
    some = ", ".join(_name(alert) for alert in alerts[:NAMED_MAX])
    more = len(alerts) - NAMED_MAX
    return some + (f" and {more} more" if more > 0 else "")


def is_caused(said: str, globs: Iterable[str]) -> bool:
    """Whether a hook of this run is declared to cause what is `said`."""
    return any(fnmatchcase(said, glob) for glob in globs)


def _name(labels: Labels) -> str:
    name = labels.get("alertname", "an alert without a name")
    where = next((labels[label] for label in HOST_LABELS if label in labels), None)
    severity = f" ({labels['severity']})" if "severity" in labels else ""
    return f"{name}{severity}" + (f" on {where}" if where else "")


def _is_own(labels: Labels, host_labels: Sequence[str], away: frozenset[str], caused: Sequence[str]) -> bool:
    if any(_names(labels[label], away) for label in host_labels if label in labels):
        return True
    said = (labels.get("alertname", ""), *(f"{name}={value}" for name, value in labels.items()))
    return any(is_caused(text, caused) for text in said)


def _names(value: str, away: frozenset[str]) -> bool:
    """Whether a label's value names one of `away`: as it is, with a port, or as a full name under some domain."""
    host, _, port = value.rpartition(":")
    bare = host if host and port.isdecimal() and (":" not in host or host.startswith("[")) else value
    bare = bare.strip("[]")
    return value in away or bare in away or bare.partition(".")[0] in away
