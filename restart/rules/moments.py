"""Moments as RFC 3339 writes them in UTC, and the time between two of them. No clock is read, and no calendar is needed."""

from __future__ import annotations

import re

_MOMENT = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2}(?:\.[0-9]+)?)Z")


def between_s(earlier: str, later: str) -> float:
    """Seconds from `earlier` to `later`. Raises `ValueError` where one of them is no moment in UTC."""
    return _seconds(later) - _seconds(earlier)


def _seconds(moment: str) -> float:
    match = _MOMENT.fullmatch(moment)
    if match is None:
        raise ValueError(f"{moment!r} is no moment such as 2026-11-22T00:10:00Z")
    year, month, day, hour, minute = (int(part) for part in match.groups()[:5])
    return ((_days(year, month, day) * 24 + hour) * 60 + minute) * 60 + float(match[6])


def _days(year: int, month: int, day: int) -> int:
    """Days since an arbitrary one, in the Gregorian calendar (Howard Hinnant, chrono-compatible low-level date algorithms)."""
    years = year - (month <= 2)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return years * 365 + years // 4 - years // 100 + years // 400 + of_year
