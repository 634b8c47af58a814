"""What is really so in a simulated fleet, for whoever judges a run from outside the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(slots=True)
class HostTruth:
    """One host as it really is, whatever anybody believes of it.

    `ready` holds for each of its services whether this member functions; `boot_finished_s` is when its last boot ended
    (None: before the run, or it has not ended), `boots` counts boots since the run's start. `ours_down`: we took it down and
    it has not held its checks since. `powered`: it has power. `leads` are the services that it leads. `claimed_by` is the run that holds its claim. Times are in run seconds.
    """

    name: str
    up: bool = True
    boot_id: str = ""
    boots: int = 0
    boot_finished_s: float | None = None
    ready: dict[str, bool] = field(default_factory=dict)
    ours_down: bool = False
    restarts_by_us: int = 0
    claimed_by: str | None = None
    drained: bool = False
    leads: set[str] = field(default_factory=set)
    powered: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One request that really reached the world. `on` is the host that it was said to, None for a URL or the controller.

    `kind` is `reboot`, `off`, `units`, `step`, `claim`, `release`, `ask` or `power` (`detail`: the reset). `accepted`: the world did what was asked.
    """

    at_s: float
    kind: str
    host: str | None
    on: str | None
    request: str
    accepted: bool
    detail: str = ""


class Truth(Protocol):
    """The true state of the fleet. `acts` are in the order of their arrival, `changed` grows until the reader clears it."""

    @property
    def now_s(self) -> float:
        """The run's clock."""

    @property
    def hosts(self) -> Mapping[str, HostTruth]:
        """Every host of the inventory."""

    @property
    def acts(self) -> Sequence[Act]:
        """What has reached the world so far."""

    @property
    def changed(self) -> set[str]:
        """Hosts whose truth has changed since the reader last cleared it."""
