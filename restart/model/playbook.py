"""A playbook: how one host is restarted, started and stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One idempotent shell command around a restart. `on` is a host's name; None is the restarting host itself.

    `run` and `undo` may hold `{host}`, `{address}`, `{service}` and `{label.NAME}`, filled and quoted by
    `restart.rules.fill` when the step is taken. A step with `approve` has no command: it waits for a person.
    """

    run: str = ""
    on: str | None = None
    undo: str | None = None
    timeout_s: float = 60.0
    approve: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One way to get a host back. `kind` is `service_restart`, `reboot`, `power`, `poweroff` or `approve`.

    `service_restart` uses `units` and `ready_within_s`; `reboot` uses `down_within_s` and `back_within_s`;
    `power` uses `reset` (graceful, force, cycle, on, off), `back_within_s`, and `blind` (cut power even where nobody can say whether the host is on); `poweroff` uses `down_within_s`;
    `approve` uses `text`.
    """

    kind: str
    units: tuple[str, ...] = ()
    ready_within_s: float = 60.0
    down_within_s: float = 60.0
    back_within_s: float = 600.0
    reset: str | None = None
    blind: bool = False
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbook:
    """Drain, then the ladder of the mode (`restart`, `start` or `stop`), then undrain: the drain's `undo`s in reverse."""

    name: str
    drain: tuple[Step, ...] = ()
    restart: tuple[Rung, ...] = ()
    start: tuple[Rung, ...] = ()
    stop: tuple[Rung, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerControl:
    """How a host's power is switched: the method's name and its own keys. Secrets are named here, never held."""

    method: str
    params: Mapping[str, Any] = field(default_factory=dict)
