"""History: how long moves took that succeeded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One successful move of a host, in seconds: until it had booted, until it was ready, and the whole move. `at` is UTC."""

    at: str
    run: str
    took_s: float
    boot_s: float | None = None
    ready_s: float | None = None
