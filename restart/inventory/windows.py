"""Maintenance windows and blackouts: read from the policy, and resolved to spans of UTC by the rules of their time zones.

An instant lies in a window if the clocks of its zone show a time from `from` until before `to`. So where clocks go forward over the beginning or the
end, that is the instant of the change. Where they go back a time comes twice, and the narrower reading counts: a window opens at the second,
and closes at the first; one that opens and closes within the repeated hour is the second. Of a blackout the wider reading counts: it begins with
the first and ends with the second.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from restart.inventory.problems import Path, Problems, Source, clipped
from restart.inventory.values import texts
from restart.model.inventory import Policy, Window
from restart.model.plan import Span
from restart.rules.instants import instant_s, instant_text

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

AHEAD_DAYS = 14
"""For so many days ahead windows that come again are written into a plan."""

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_DAY_S = 86400.0


def windows_of(
    held: Mapping[str, Any], where: Mapping[str, Source], key: str, problems: Problems
) -> tuple[Window, ...]:
    """The policy's `windows` or `blackouts` (its `key`). What the schema cannot say is told here."""
    found = []
    for index, entry in enumerate(held.get(key) or ()):
        path: Path = ("policy", key, index)
        if not isinstance(entry, Mapping) or not {"from", "to", "zone"} <= set(entry):
            continue  # told by the schema
        window = Window(
            opens=entry["from"], closes=entry["to"], zone=entry["zone"], days=tuple(texts(entry.get("days")))
        )
        if _is_sound(window, where[key], path, problems):
            found.append(window)
    return tuple(found)


def _is_sound(window: Window, source: Source, path: Path, problems: Problems) -> bool:
    before = len(problems)
    zone = _zone(window.zone)
    if zone is None:
        near = problems.meant(window.zone, sorted(available_timezones()))
        problems.at(
            source, (*path, "zone"), f"{clipped(window.zone)} is not a time zone", near or "such as Europe/Berlin"
        )
    daily = [_TIME.fullmatch(text) is not None for text in (window.opens, window.closes)]
    if daily[0] != daily[1]:
        way_out = "write both as a time such as 23:00, or both with their date such as 2026-11-22T23:00"
        problems.at(source, (*path, "to"), "from and to are of different kinds", way_out)
    elif not daily[0]:
        _judge_dates(window, zone, source, path, problems)
    elif window.opens == window.closes:
        problems.at(
            source, (*path, "to"), "it closes when it opens", "a whole day is from 00:00 to 23:59, or two windows"
        )
    return len(problems) == before


def _judge_dates(window: Window, zone: ZoneInfo | None, source: Source, path: Path, problems: Problems) -> None:
    dates: dict[str, datetime] = {}
    for key, text in (("from", window.opens), ("to", window.closes)):
        try:
            dates[key] = datetime.fromisoformat(text)
        except ValueError:
            problems.at(source, (*path, key), f"{clipped(text)} is no day of the calendar")
    if window.days:
        problems.at(source, (*path, "days"), "days mean nothing beside a date", "leave them out", key=True)
    if zone is not None and len(dates) == 2 and not _between(dates["from"], dates["to"], zone):
        problems.at(source, (*path, "to"), "it closes before it opens")


def _zone(name: str) -> ZoneInfo | None:
    """The zone of this name; None: there is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        # A folder of the zone files, a path out of them, a name that no system has.
        return None


# --- to UTC ---------------------------------------------------------------------------------------------------------------


def spans(policy: Policy, now: str) -> tuple[Span, ...]:
    """When a run may be carried out from `now` (UTC, RFC 3339) on: the windows less the blackouts, joined where they touch, in order.

    Windows that come again are resolved for the next `AHEAD_DAYS`; those that come once whenever they are. What has passed is left out. Where only
    blackouts are stated, any other time of those days is open.
    """
    now_s = instant_s(now)
    open_s = _joined(pair for window in policy.windows for pair in _occurrences(window, now_s))
    if policy.blackouts and not policy.windows:
        # From midnight on, so that plans made on one day are the same.
        midnight_s = now_s - now_s % _DAY_S
        open_s = [(midnight_s, midnight_s + (AHEAD_DAYS + 1) * _DAY_S)]
    if any(_comes_again(blackout) for blackout in policy.blackouts):
        # No day is open of which it is not known when it is shut.
        open_s = [
            (opens_s, min(closes_s, max(opens_s, now_s) + (AHEAD_DAYS + 1) * _DAY_S)) for opens_s, closes_s in open_s
        ]
    shut_s = [pair for blackout in policy.blackouts for pair in _shut(blackout, open_s)]
    for shut_from_s, shut_to_s in _joined(shut_s):
        open_s = [
            part
            for opens_s, closes_s in open_s
            for part in ((opens_s, min(closes_s, shut_from_s)), (max(opens_s, shut_to_s), closes_s))
            if part[0] < part[1]
        ]
    return tuple(
        Span(opens=instant_text(opens_s), closes=instant_text(closes_s))
        for opens_s, closes_s in open_s
        if closes_s > now_s
    )


def _joined(pairs: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The pairs in order, those that touch or overlap as one."""
    found: list[tuple[float, float]] = []
    for opens_s, closes_s in sorted(pairs):
        if found and opens_s <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], closes_s))
        else:
            found.append((opens_s, closes_s))
    return found


def _comes_again(window: Window) -> bool:
    return _TIME.fullmatch(window.opens) is not None


def _occurrences(window: Window, now_s: float) -> Iterator[tuple[float, float]]:
    """Each time the window opens and closes, in seconds since 1970, from the day before yesterday on."""
    if _comes_again(window):
        until_s = now_s + AHEAD_DAYS * _DAY_S
        yield from (pair for pair in _on_days(window, now_s, until_s) if pair[0] < until_s)
    elif pair := _once(window):
        yield pair


def _shut(blackout: Window, open_s: Iterable[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Each time the blackout may cut into what is open, in seconds since 1970."""
    if _comes_again(blackout):
        for opens_s, closes_s in open_s:
            yield from _on_days(blackout, opens_s, closes_s, widely=True)
    elif pair := _once(blackout, widely=True):
        yield pair


def _once(window: Window, *, widely: bool = False) -> tuple[float, float] | None:
    opens, closes = datetime.fromisoformat(window.opens), datetime.fromisoformat(window.closes)
    return _between(opens, closes, ZoneInfo(window.zone), widely=widely)


def _on_days(window: Window, from_s: float, until_s: float, *, widely: bool = False) -> Iterator[tuple[float, float]]:
    """Each time that a window which comes again may be open from `from_s` until `until_s`, in seconds since 1970."""
    zone = ZoneInfo(window.zone)
    first, last = (datetime.fromtimestamp(at_s, zone).date() for at_s in (from_s, until_s))
    for ahead in range(-2, (last - first).days + 1):
        day = first + timedelta(days=ahead)
        if window.days and DAYS[day.weekday()] not in window.days:
            continue
        ends = day + timedelta(days=1) if window.closes <= window.opens else day
        if pair := _between(_on(day, window.opens), _on(ends, window.closes), zone, widely=widely):
            yield pair


def _on(day: date, time: str) -> datetime:
    return datetime.combine(day, datetime.strptime(time, "%H:%M").time())


def _between(opens: datetime, closes: datetime, zone: ZoneInfo, *, widely: bool = False) -> tuple[float, float] | None:
    """The instants between which the time of `zone` is that; None: there are none. Of what comes twice the narrower reading, or the wider one."""
    opens_s, closes_s = _instant(opens, zone, fold=1 - widely), _instant(closes, zone, fold=int(widely))
    if closes_s <= opens_s:
        closes_s = _instant(closes, zone, fold=1)
    return (opens_s, closes_s) if opens_s < closes_s else None


def _instant(local: datetime, zone: ZoneInfo, *, fold: int) -> float:
    """When the clocks of `zone` show `local`: of two such instants the one of `fold`; of none, the instant at which they jump over it."""
    told = local.replace(tzinfo=zone, fold=fold)
    at_s = told.timestamp()
    if datetime.fromtimestamp(at_s, zone).replace(tzinfo=None, fold=0) == local:
        return at_s
    # In a gap the two folds are an offset apart, and the change lies between them.
    before_s, after_s = sorted(local.replace(tzinfo=zone, fold=one).timestamp() for one in (0, 1))
    offset = datetime.fromtimestamp(before_s, UTC).astimezone(zone).utcoffset()
    while after_s - before_s > 1:
        middle_s = (before_s + after_s) // 2
        if datetime.fromtimestamp(middle_s, UTC).astimezone(zone).utcoffset() == offset:
            before_s = middle_s
        else:
            after_s = middle_s
    return after_s
