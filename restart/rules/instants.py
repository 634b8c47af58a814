"""Instants in UTC, as text (RFC 3339, `2026-11-22T23:00:00Z`) and as seconds since 1970. Arithmetic only: no clock is read, no zone known."""

from __future__ import annotations

import re

_TEXT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?Z", re.ASCII)


def instant_s(text: str) -> float:
    """Seconds since 1970 of an instant in UTC, fractions dropped. Raises `ValueError` on anything else."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no instant in UTC such as 2026-11-22T23:00:00Z")
    year, month, day, hour, minute, second = (int(part) for part in found.groups())
    return float(_days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second)


def instant_text(at_s: float) -> str:
    """The text of so many seconds since 1970."""
    days, rest = divmod(int(at_s // 1), 86400)
    year, month, day = _date(days)
    return f"{year:04}-{month:02}-{day:02}T{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}Z"


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the Gregorian calendar; years are counted from March, so that the leap day comes last."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def _date(days: int) -> tuple[int, int, int]:
    """The date of so many days since 1970-01-01; `_days` the other way round."""
    era, of_era = divmod(days + 719468, 146097)
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    day, month = of_year - (153 * shifted + 2) // 5 + 1, (shifted + 2) % 12 + 1
    return year + era * 400 + (month <= 2), month, day
