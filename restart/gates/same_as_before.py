"""`same_as_before`: what listened, ran, was mounted, addressed and reachable before a host's restart is so after it. On by default.

The engine asks it twice. Right before the host's move it is the first look, whose PASS carries what was seen; after the restart
that comes back in the check, and each difference is FAIL by its name. What the host could tell before and cannot tell now is
UNKNOWN. What is new after the restart is nobody's fault.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from restart.gates.evidence import failed, passed, unanswered, unknown
from restart.model.answer import NoAnswer
from restart.model.check import OF_RUN, Check, Finding
from restart.model.inventory import Host
from restart.model.question import Question, Reply, ShellReply
from restart.model.world import Gate
from restart.probes import standing, sweep
from restart.probes.standing import KEYS_MAX, Standing

_ALLOWED = r"^(?:tcp|udp|unit|mount|swap|address|addresses|route|route6|gateway|resolver):.{1,200}$"
_NAMED_MAX = 4
"""Differences that the evidence names; it is one line of at most 200 characters."""


class SameAsBefore:
    """`same_as_before: {allow: ["tcp:9100", "unit:foo.service"]}`, or `false`: hosts of this service are not compared."""

    kind: str = "same_as_before"
    schema: Mapping[str, Any] = {
        "description": "What listened, ran, was mounted, addressed and reachable before a host's restart must be so after it. "
        "On by default; false switches it off.",
        "oneOf": [
            {"type": "boolean", "description": "false: not asked; true: asked, also where the defaults say false"},
            {
                "type": "object",
                "properties": {
                    "allow": {
                        "type": "array",
                        "items": {
                            "type": "string",
                            "pattern": _ALLOWED,
                            "description": "such as tcp:9100, udp:514, unit:foo.service, mount:/mnt/usb, address:10.0.0.9/24, "
                            "route:default, resolver:10.0.0.2",
                            "x-expects": "such as tcp:9100, unit:foo.service or mount:/mnt/usb",
                        },
                        "minItems": 1,
                        "description": "What may be another way after a restart; * and ? stand for any characters",
                    }
                },
                "additionalProperties": False,
            },
        ],
    }

    def params(self, value: Any) -> Mapping[str, Any]:
        """`{"allow": [..]}` where written, `{"off": true}` for `false`."""
        if isinstance(value, Mapping):
            return {key: list(held) for key, held in value.items()}
        return {} if value else {"off": True}

    def ask(self, check: Check, host: Host | None, service: str | None) -> tuple[Question, ...]:
        """One sweep over SSH."""
        if host is None:
            raise ValueError(
                "same_as_before: a host is compared with itself; it belongs under a service's ready, or defaults"
            )
        return (sweep.shell(host.name, standing.SECTIONS, check.timeout_s),)

    def judge(self, check: Check, replies: Sequence[Reply]) -> Finding:
        """PASS where nothing is missing (of a first look: where it saw something), FAIL where something is, else UNKNOWN."""
        reply = replies[0] if replies else None
        if not isinstance(reply, ShellReply):
            return unanswered("same_as_before", reply)
        swept = sweep.parse(reply)
        if isinstance(swept, NoAnswer):
            return unknown(f"same_as_before: {swept.detail}")
        now = standing.standing(swept)
        known = check.params.get(OF_RUN, {})
        if known.get("first"):
            return _first(now)
        before = known.get("before")
        if not isinstance(before, Mapping):
            return unknown("same_as_before: nothing is known from before")
        return _compared(before, now, tuple(check.params.get("allow", ())))


def _first(now: Standing) -> Finding:
    """A baseline, bounded. What the host could only tell in part is kept: it was there."""
    if not now.told:
        return unknown("same_as_before: the host cannot tell what listens, runs or is mounted")
    there = dict(list(now.there.items())[:KEYS_MAX])
    seen = {"told": sorted(now.told), "there": there}
    left_out = len(now.there) - len(there)
    more = f", {left_out} more are not held against it" if left_out else ""
    return Finding(
        verdict=passed("").verdict, evidence=f"same_as_before: before its restart {_counted(there)}{more}", seen=seen
    )


def _compared(before: Mapping[str, Any], now: Standing, allow: tuple[str, ...]) -> Finding:
    there: Mapping[str, str] = before.get("there") or {}
    told = frozenset(before.get("told") or ())
    lost: list[str] = []
    unsure: dict[str, None] = {}
    held = 0
    for key, how in there.items():
        if any(fnmatchcase(key, pattern) for pattern in allow):
            continue
        held += 1
        difference = _difference(key, how, now, there)
        if difference is None:
            continue
        aspect = standing.aspect(key)
        if aspect not in now.told or aspect in now.partly:
            unsure[aspect] = None
        else:
            lost.append(difference)
    unsure |= dict.fromkeys(aspect for aspect in sorted(told) if aspect not in now.told)
    if lost:
        more = f"; and {len(lost) - _NAMED_MAX} more" if len(lost) > _NAMED_MAX else ""
        return failed(f"same_as_before: {'; '.join(lost[:_NAMED_MAX])}{more}")
    if unsure:
        return unknown(f"same_as_before: the host cannot tell its {', '.join(unsure)} any longer")
    return passed(f"same_as_before: all {held} things are there again, of {_counted(there)}")


_WIDTHS = ("loopback", "outside", "any")


def _difference(key: str, how: str, now: Standing, before: Mapping[str, str]) -> str | None:
    """What is another way than before, in words; None: nothing."""
    kind, _, name = key.partition(":")
    held = now.there.get(key)
    match kind:
        case "tcp" | "udp":
            return _listener(f"{'udp ' if kind == 'udp' else ''}:{name}", how, held)
        case "unit":
            if held is None:
                state = now.states.get(name, "")
                return f"{name} was running, {_IS_NOW.get(state, 'is not')}"
        case "mount":
            if held is None:
                return f"{name} was mounted, is not"
            if (how, held) == ("rw", "ro"):
                return f"{name} was writable, is read-only"
        case "swap":
            # Devices change their names from boot to boot; that so much is swapped to is what counts.
            if held is None and _number("swap", now.there) < _number("swap", before):
                return f"swap {name} was on, is not"
        case "addresses":
            if int(held or 0) < int(how if how.isdecimal() else 0):
                return f"{how} IPv{name} addresses came from a server, {held or 'none'} does"
        case "gateway":
            if not _number("gateway", now.there):  # another one that a server chose does as well
                return f"gateway {name} answered, does not"
        case "route" | "route6":
            return _route(f"{'IPv6 ' if kind == 'route6' else ''}route {name}", how, held)
        case "address":
            return None if held is not None else f"address {name} was on {how}, is not"
        case "resolver":
            return None if held is not None else f"name server {name} was in resolv.conf, is not"
    return None


_IS_NOW = {"failed": "has failed", "activating": "is still starting", "reloading": "is still starting"}


def _listener(place: str, how: str, held: str | None) -> str | None:
    width, unit, process = _parts(how)
    who = f" {process}" if process else ""
    if held is None:
        return f"{place}{who} was listening, is not"
    width_now, unit_now, process_now = _parts(held)
    if width in _WIDTHS and width_now in _WIDTHS and _WIDTHS.index(width_now) < _WIDTHS.index(width):
        where = "on this host only" if width_now == "loopback" else "on one address only"
        return f"{place}{who} was listening, is {where}"
    units = [_template(unit), _template(unit_now)]
    # A socket unit that holds the port until somebody calls does what the service did.
    both = all(unit.endswith(".service") for unit in units) and "systemd" not in (process, process_now)
    if both and units[0] != units[1] and _bare(process) != _bare(process_now):
        return f"{place}{who} was listening, {process_now or units[1]} is"
    return None


def _parts(how: str) -> tuple[str, str, str]:
    words = how.split(" ", 2)
    return (*words, "", "", "")[:3]  # type: ignore[return-value]


def _template(unit: str) -> str:
    """`foo@12.service` is another instance of `foo@.service`."""
    return re.sub(r"@[^.]*\.", "@.", unit)


def _bare(process: str) -> str:
    """Without a version: `python3.11` and `python3.13` are the same program."""
    return re.sub(r"[0-9.]+$", "", process)


def _route(subject: str, how: str, held: str | None) -> str | None:
    via = f" via {how}" if how else ""
    if held is None:
        return f"{subject}{via} was there, is not"
    return f"{subject}{via} was there, via {held} is" if how and held and how != held else None


def _number(kind: str, there: Mapping[str, str]) -> int:
    return sum(key.startswith(f"{kind}:") for key in there)


_COUNTED = (
    ("listening", "listeners"),
    ("running", "units"),
    ("mounts", "mounts"),
    ("addresses", "addresses"),
    ("routes", "routes"),
    ("resolvers", "name servers"),
)


def _counted(there: Mapping[str, str]) -> str:
    numbers: dict[str, int] = {}
    for key in there:
        aspect = standing.aspect(key)
        numbers[aspect] = numbers.get(aspect, 0) + 1
    return ", ".join(f"{numbers[aspect]} {word}" for aspect, word in _COUNTED if aspect in numbers) or "nothing"


gate: Gate = SameAsBefore()
