"""The resolved inventory: ranges expanded, defaults applied, names checked, durations in seconds.

This is what a plan carries; nothing in it refers back to a file. Field names are the keys of the inventory format, with
the unit added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from restart.model.check import Check
from restart.model.hook import Hook
from restart.model.playbook import Playbook, PowerControl


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How many members: a `number`, a `percent` of them (0 to 100), or `quorum` (floor(n/2)+1). Exactly one is set."""

    number: int | None = None
    percent: float | None = None
    quorum: bool = False
    all: bool = False

    def __str__(self) -> str:
        if self.all:
            return "all"
        if self.quorum:
            return "quorum"
        return f"{self.percent:g}%" if self.percent is not None else str(self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """How long a boot, the warm-up after it, and switching off are expected to take, in seconds; None: nobody said."""

    boot_s: float | None = None
    warm_s: float | None = None
    down_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ssh:
    """How a host is reached. Everything None means: as the user's own `~/.ssh/config` and `known_hosts` say."""

    user: str | None = None
    port: int | None = None
    identity_file: str | None = None
    known_hosts: str | None = None
    config: str | None = None
    gateway: str | None = None
    sudo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One machine that restarts as a whole. `ssh`, `playbook` and `expect` of None mean the inventory's defaults.

    `on_path`: how the controller found that it needs this host to see and reach the fleet, or runs on it; empty: it found nothing.
    `asked_by`: the watches and gates, by the names of their rules, that were found to ask this very host without naming a `service:`.
    """

    name: str
    address: str
    labels: Mapping[str, str] = field(default_factory=dict)
    ssh: Ssh | None = None
    playbook: str | None = None
    expect: Expect | None = None
    uses: Mapping[str, float] = field(default_factory=dict)
    site: str | None = None
    controller: bool = False
    on_path: str = ""
    asked_by: tuple[str, ...] = ()
    power: PowerControl | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A declared stand-in for a dependency that closes a ring: commands `with_run` and `undo`, on host `on`, and why."""

    with_run: str
    undo: str
    on: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """An edge from a consumer (the service that holds it) to `provider`.

    `kind` is `requires` (provider must be ready) or `after` (order only). `needs`: k ready members are enough; None
    means the provider's own budget. `at` is `boot`, `run` or `both`. `restart`: the consumer is restarted after the provider.
    """

    provider: str
    kind: str = "requires"
    needs: int | None = None
    at: str = "both"
    restart: bool = False
    stand_in: Break | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A command that says a member's role, and the pattern by which the leader is known."""

    run: str
    leader: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """How the member that starts first is chosen: `run` prints a number on each, `pick` the largest, `start` runs there."""

    run: str
    pick: str = "max"
    start: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spares:
    """Hosts that may take a lost member's place, and the playbook that promotes one."""

    hosts: tuple[str, ...]
    playbook: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """How long a service's gate must hold, in seconds, after each move on it: longer than something that takes its time, named in `why`."""

    longer_than_s: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Hosts that together give one thing. `hosts` are in inventory order; `ready` is never empty (default: ssh).

    `same_as_before` is how each member is compared with what it was before its restart, all its times filled in; None: it is not.
    """

    name: str
    hosts: tuple[str, ...]
    depends_on: tuple[Dependency, ...] = ()
    min_available: Amount | None = None
    max_unavailable: Amount | None = None
    ready: tuple[Check, ...] = ()
    gate: tuple[Check, ...] = ()
    ready_when: Amount | None = None
    co_start: bool = False
    settle_s: float = 0.0
    soak: Soak | None = None
    gate_fresh_s: float | None = None
    admission: int | None = None
    admission_held_until: str = "gate"
    expect: Expect | None = None
    playbook: str | None = None
    pace: str | None = None
    canaries: int | None = None
    canary_for_s: float | None = None
    carries_load: bool = False
    path: bool = False
    role: Role | None = None
    seed: Seed | None = None
    spares: Spares | None = None
    same_as_before: Check | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A server that n clients share: each transfer is `work_s` alone, `at_once` run at full speed, over `timeout_s` fails."""

    work_s: float
    at_once: int
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A cap on what goes on together. `per` is a label; `hosts` the names it holds for (None: all); neither: fleet-wide.

    `across_runs`: it holds for all runs of one store together.
    `held_until` is `booted`, `ready`, `gate`, or a number of seconds in `held_s`. Fields of None are not stated.
    """

    name: str
    per: str | None = None
    hosts: tuple[str, ...] | None = None
    max_in_flight: int | None = None
    max_domains: int | None = None
    max_rate: int | None = None
    max_rate_per_s: float | None = None
    held_until: str = "ready"
    held_s: float | None = None
    held_from: str = "start"
    unit: str | None = None
    capacity: float | None = None
    starting: float | None = None
    starting_for_s: float | None = None
    running: float | None = None
    headroom: float = 0.05
    shared: Shared | None = None
    across_runs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When runs are allowed (or not), in the time of `zone` (IANA): from `opens` until `closes`.

    Both are times of day (`23:00`) for a window that comes again on each of `days` (the days on which it opens; none: every day; it ends on the day
    after where `closes` is not later), or both are dates with times (`2026-11-22T23:00`) for one that comes once.
    """

    opens: str
    closes: str
    zone: str
    days: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a run does when things go wrong, how fast it goes and when. Shares are fractions (0.1 is 10 %).

    `blackouts` are cut out of `windows`; where no window is stated, out of all time.
    """

    on_failure: str = "halt"
    max_failures: int | None = None
    confirm_above: float = 0.10
    barrier: str = "fleet"
    pace: str | None = None
    canaries: int | None = None
    canary_for_s: float = 0.0
    never_return: float = 0.10
    cluster_by: tuple[str, ...] = ("image", "rack")
    ready_fresh_s: float = 30.0
    gate_fresh_s: float = 30.0
    watch_unknown_s: float = 60.0
    windows: tuple[Window, ...] = ()
    blackouts: tuple[Window, ...] = ()

    @property
    def is_timed(self) -> bool:
        """Whether the time of day says when moves may begin."""
        return bool(self.windows or self.blackouts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """One fleet. `hosts` and `services` are keyed by name, in the order of the file; `watch` is asked all through a run.

    `same_as_before` is as a service's, for hosts of no service.
    """

    fleet: str
    hosts: Mapping[str, Host]
    services: Mapping[str, Service]
    limits: Mapping[str, Limit] = field(default_factory=dict)
    watch: tuple[Check, ...] = ()
    hooks: tuple[Hook, ...] = ()
    policy: Policy = field(default_factory=Policy)
    playbooks: Mapping[str, Playbook] = field(default_factory=dict)
    ssh: Ssh = field(default_factory=Ssh)
    playbook: str = "reboot"
    expect: Expect = field(default_factory=Expect)
    same_as_before: Check | None = None

    def ssh_of(self, host: str) -> Ssh:
        """How this host is reached."""
        return self.hosts[host].ssh or self.ssh
