"""Limits and policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from restart.inventory.problems import Path, Problems, Source, clipped
from restart.inventory.tree import Block
from restart.inventory.values import seconds_of, seconds_or, share_of
from restart.inventory.windows import windows_of
from restart.model.inventory import Limit, Policy, Shared
from restart.rules.durations import seconds

_CAPS = ("max_in_flight", "max_domains", "max_rate", "capacity", "shared")
_ACROSS = ("max_in_flight", "capacity", "shared")
_OF_CAPACITY = ("unit", "starting", "starting_for", "running", "headroom")
_RATE_UNIT_S = {"s": 1.0, "min": 60.0, "h": 3600.0}
_COPIED = ("per", "max_in_flight", "max_domains", "across_runs", "held_from", "unit", "capacity", "starting", "running")

Members = Callable[[Source, Path, Any], tuple[str, ...]]


def limits_of(sources: list[Source], members: Members, problems: Problems) -> dict[str, Limit]:
    """The limits of all files, by name."""
    found: dict[str, Limit] = {}
    for source in sources:
        for name, entry in (source.root.get("limits") or {}).items():
            path: Path = ("limits", name)
            if name in found:
                problems.at(source, path, f"limit {clipped(name)} is in another file too", "keep one", key=True)
            else:
                found[name] = _limit(source, path, name, entry, members, problems)
    return found


def _limit(source: Source, path: Path, name: str, entry: Block, members: Members, problems: Problems) -> Limit:
    if not entry.cut and not any(cap in entry for cap in _CAPS):
        problems.at(source, path, "limits nothing", f"state one of {', '.join(_CAPS)}")
    for key in _OF_CAPACITY:
        # A time-out of a shared server has headroom too.
        told = "capacity" in entry or (key == "headroom" and "shared" in entry)
        if key in entry and not told and not entry.cut:
            problems.at(source, (*path, key), f"{key} means nothing without capacity", "state capacity", key=True)
    if entry.get("across_runs") and not entry.cut and not any(cap in entry for cap in _ACROSS):
        what = "max_rate and max_domains hold within one run"
        problems.at(source, (*path, "across_runs"), what, f"state one of {', '.join(_ACROSS)}", key=True)
    rate = entry.get("max_rate")
    held = entry.get("held_until", "ready")
    shared: Mapping[str, Any] | None = entry.get("shared")
    fields: dict[str, Any] = {key: entry[key] for key in _COPIED if key in entry}
    for key in ("capacity", "starting", "running"):
        if key in fields:
            fields[key] = float(fields[key])
    if rate is not None:
        count, _, unit = rate.partition("/")
        fields |= {"max_rate": int(count), "max_rate_per_s": _RATE_UNIT_S[unit]}
    if held not in ("booted", "ready", "gate"):
        fields["held_s"] = seconds(held)
    else:
        fields["held_until"] = held
    if "headroom" in entry:
        fields["headroom"] = share_of(entry["headroom"])
    if shared is not None:
        fields["shared"] = Shared(
            work_s=seconds(shared["work"]), at_once=shared["at_once"], timeout_s=seconds(shared["timeout"])
        )
    return Limit(
        name=name,
        hosts=members(source, (*path, "hosts"), entry["hosts"]) if "hosts" in entry else None,
        starting_for_s=seconds_of(entry, "starting_for"),
        **fields,
    )


def policy_of(held: Mapping[str, Any], where: Mapping[str, Source], problems: Problems) -> Policy:
    """The policy, with the defaults of design section 4; `where` each of its keys stands."""
    built_in = Policy()
    fields: dict[str, Any] = {
        key: held[key] for key in ("on_failure", "max_failures", "barrier", "pace", "canaries") if key in held
    }
    return Policy(
        confirm_above=share_of(held["confirm_above"]) if "confirm_above" in held else built_in.confirm_above,
        never_return=share_of(held["never_return"]) if "never_return" in held else built_in.never_return,
        cluster_by=tuple(held["cluster_by"]) if "cluster_by" in held else built_in.cluster_by,
        canary_for_s=seconds_or(held, "canary_for", built_in.canary_for_s),
        ready_fresh_s=seconds_or(held, "ready_fresh", built_in.ready_fresh_s),
        gate_fresh_s=seconds_or(held, "gate_fresh", built_in.gate_fresh_s),
        watch_unknown_s=seconds_or(held, "watch_unknown", built_in.watch_unknown_s),
        windows=windows_of(held, where, "windows", problems),
        blackouts=windows_of(held, where, "blackouts", problems),
        **fields,
    )
