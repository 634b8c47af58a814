"""Hooks around a run: what quiesces rivals (an autoscaler, a failover, alerts) before anything is touched, and restores them at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A silence in Alertmanager, for `for_s` seconds; it is renewed while the run goes on, and ends by itself.

    `matchers` are texts such as `severity=page`. `headers_env` names environment variables of the controller, as for a check.
    """

    alertmanager: str
    matchers: tuple[str, ...]
    comment: str = ""
    for_s: float = 7200.0
    headers: Mapping[str, str] = field(default_factory=dict)
    headers_env: Mapping[str, str] = field(default_factory=dict)
    ca_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One hook: a shell command and its `undo`, or a `silence`. Idempotent by contract.

    `on` is the host that the command runs on, None the controller. `causes` are patterns of what it makes checks say, which the run is
    not held by while the hook is in place. `timeout_s` is for one try.
    """

    name: str
    run: str = ""
    undo: str | None = None
    on: str | None = None
    timeout_s: float = 60.0
    why: str = ""
    causes: tuple[str, ...] = ()
    silence: Silence | None = None
