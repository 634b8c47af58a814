"""The figures of a fleet's physics, as a scenario states them. Durations in seconds, power in watts, rates per second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFigures:
    """How a host boots (R1). `spread` draws each boot from `boot_s` times 1 - spread to 1 + spread.

    A member whose hard boot dependencies are not ready when the boot ends waits `dep_timeout_s` and fails. `uptime_s` is
    the uptime at the run's start; None draws one between 10 and 100 days.
    """

    boot_s: float = 180.0
    spread: float = 0.0
    dep_timeout_s: float = 300.0
    uptime_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuild:
    """A service whose members must all be built again once fewer than `below` are ready: `work_s` each, `at_once` at a time."""

    below: int
    work_s: float
    at_once: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Relapse:
    """What a member suffers when `provider` is lost while it runs: once that is back it restarts for `work_s`, `at_once` at a time."""

    provider: str
    work_s: float
    at_once: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFigures:
    """How a service's members become ready (R2), as a quorum (R5), and what becomes of them when others fall.

    After its boot dependencies a member warms up for `warm_s` and then, in a service with `quorum`, syncs for `sync_s`
    from a quorum of members that are up. A quorum that is lost while a member syncs is corrupt until `reseed_s` later;
    `reseed_s` of None: for ever. `soft` are providers a member waits for at boot, but only so long, then it goes on.
    `restart_s` is what a restart of its units alone takes. `sealed`: no member is ready before a person unseals it.
    `writes` is how far each member's log had come: what the one that starts first lacks is lost. `shallow` are globs of commands,
    URLs and queries that see only whether the process runs. `needs`: ready members that make it ready for consumers that do not say.
    `leader` leads at the start; when it goes down, another is elected after `election_s`.
    """

    warm_s: float = 0.0
    sync_s: float = 0.0
    quorum: int | None = None
    reseed_s: float | None = None
    restart_s: float = 5.0
    soft: Mapping[str, float] = field(default_factory=dict)
    sealed: bool = False
    writes: Mapping[str, int] = field(default_factory=dict)
    shallow: tuple[str, ...] = ()
    needs: int | None = None
    rebuild: Rebuild | None = None
    relapse: Relapse | None = None
    leader: str | None = None
    election_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A shared server (R4): `work_s` alone, at most `at_once` at full speed, over `timeout_s` it fails and starts from zero.

    The transfer comes before the `boot` or after it, before the member is `ready`. `service` serves it, and while none of its
    members is ready nothing flows; each has its own `at_once` where `per_server`. None: something outside the fleet serves it.
    """

    name: str
    hosts: tuple[str, ...]
    work_s: float
    at_once: int
    timeout_s: float | None = None
    service: str | None = None
    per_server: bool = False
    before: str = "boot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What a service can serve (R3): `cap` a second, in all or `per_member` that is ready.

    Demand above it for longer than `collapse_after_s` collapses it: it serves nothing until demand was below `clear_below` for
    `clear_s`. `base` is demand that is always there.
    """

    service: str
    cap: float
    per_member: bool = False
    collapse_after_s: float = 10.0
    clear_below: float = 0.0
    clear_s: float = 30.0
    base: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogIns:
    """Sessions that want back in through `service`, and what they demand of the resource of `of`.

    A ready member logs in `rate` a second until it holds `holds`, while any of `waiting` are left. A log-in costs `cold` until
    `warm_after` log-ins have been served, then `warm`; a lost `cache` service (or none of its members ready) is cold again.
    """

    service: str
    of: str
    waiting: float
    rate: float
    holds: float
    cold: float
    warm: float
    warm_after: float
    cache: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """Demand of a second on the resource of `of` by each ready member of `service`."""

    service: str
    of: str
    each: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Electric power (R6): hosts draw `inrush_w` for `inrush_s` from their start, then `steady_w`; a domain bears `limit_w`.

    `per` is a label, None: one domain for all. `auto_on_s`: the breaker closes again after so long, and all its hosts start.
    """

    name: str
    limit_w: float
    inrush_w: float
    inrush_s: float
    steady_w: float
    per: str | None = None
    hosts: tuple[str, ...] | None = None
    auto_on_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """Hosts that do not come back (R7) from the methods in `ways` (`reboot`, `start`, `power`; empty: any).

    `times`: only so often, None: always. `chance`: each attempt is drawn, so that the same seed loses the same hosts.
    """

    hosts: tuple[str, ...]
    ways: tuple[str, ...] = ()
    times: int | None = None
    chance: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Physics:
    """Everything that makes a fleet behave.

    `latency_s` is there and back of a question, `silence_s` how long one waits for a host that is off, and a reboot strikes
    `strikes_after_s` after it was taken. `off` are hosts without power at the run's start, `hung` those that have power and do not
    answer, `dead` members (service and host) that are up and do nothing until they are started anew. `metrics` says what a query or URL measures, by glob: `demand SERVICE`, `served SERVICE` or `ready SERVICE`.
    """

    hosts: Mapping[str, HostFigures] = field(default_factory=dict)
    services: Mapping[str, ServiceFigures] = field(default_factory=dict)
    transfers: tuple[Transfer, ...] = ()
    resources: tuple[Resource, ...] = ()
    log_ins: tuple[LogIns, ...] = ()
    steady: tuple[Steady, ...] = ()
    power: tuple[Power, ...] = ()
    stuck: tuple[Stuck, ...] = ()
    latency_s: float = 0.0
    silence_s: float = 5.0
    strikes_after_s: float = 0.0
    off: frozenset[str] = frozenset()
    hung: frozenset[str] = frozenset()
    dead: frozenset[tuple[str, str]] = frozenset()
    metrics: Mapping[str, str] = field(default_factory=dict)
