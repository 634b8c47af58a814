"""Durations as the inventory writes them: `500ms`, `1.5s`, `30s`, `5m`, `1h30m`."""

from __future__ import annotations

import re

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WHOLE = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d))+")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")


def seconds(text: str) -> float:
    """The duration in seconds. Raises `ValueError` on anything else, a bare number among it."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration: write 500ms, 30s, 5m or 1h30m")
    return round(sum(float(number) * _UNIT_S[unit] for number, unit in _PART.findall(text)), 6)


def spoken(duration_s: float) -> str:
    """For people: `850ms`, `40s`, `2m30s`, `1h05m`."""
    if duration_s < 0:
        return "-" + spoken(-duration_s)
    if 0 < duration_s < 1:
        return f"{duration_s * 1000:.0f}ms"
    whole = round(duration_s)
    if whole < 60:
        return f"{duration_s:.1f}s" if duration_s != whole and duration_s < 10 else f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s" if rest else f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m"
