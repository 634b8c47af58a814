"""Shutdowns: which floors must hold for what stays up, and how the inventory looks to whoever switches hosts off (design: rules 2, 8, 10, 15, 20).

To a shutdown the order is the other way round: a service goes down after its consumers. A host that is off never comes back, so nothing
that is held for coming back (admission, shared servers, capacities, `max_domains`) holds; moves in flight and rates do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from restart.model.inventory import Amount, Dependency, Host, Inventory, Limit, Service
from restart.model.observation import Observation
from restart.model.playbook import Playbook, PowerControl, Rung
from restart.rules.budgets import budget
from restart.rules.named import watch_rule
from restart.rules.path import path_hosts

DEFAULT_DOWN_S = 60.0
"""From the word to the host's being off, where nobody says (`expect: {down: ...}`)."""

SILENT_S = 30.0
"""How much longer it takes to prove it where no power control can tell."""

EVERYBODY = Amount(percent=100.0)

_POWEROFF = Rung(kind="poweroff", down_within_s=300.0)


def stop_ladder(playbook: Playbook) -> tuple[Rung, ...]:
    """The playbook's `stop`, or where it has none a power-off over SSH within 5 minutes. Power is cut only where a ladder says so."""
    return playbook.stop or (_POWEROFF,)


def tells(power: PowerControl | None) -> bool:
    """Whether a power control can say that its host is off."""
    if power is None or power.method == "wol":
        return False
    return power.method != "command" or "state" in power.params


def expected_off_s(inventory: Inventory, host: Host, services: Iterable[str]) -> tuple[float, str]:
    """From the start of the move until the host is proved off, in seconds, and where it comes from."""
    of_services = [
        found.expect.down_s
        for name in services
        if (found := inventory.services[name]).expect and found.expect.down_s is not None
    ]
    if host.expect is not None and host.expect.down_s is not None:
        down_s, source = host.expect.down_s, "host"
    elif of_services:
        down_s, source = max(of_services), "service"
    elif inventory.expect.down_s is not None:
        down_s, source = inventory.expect.down_s, "defaults"
    else:
        down_s, source = DEFAULT_DOWN_S, "built-in"
    return down_s + (0.0 if tells(host.power) else SILENT_S), source


def gone(stopping: Iterable[str], observation: Observation | None) -> frozenset[str]:
    """The hosts that are off once those `stopping` are: they, and all that were seen off already."""
    off = () if observation is None else (host for host, seen in observation.hosts.items() if seen.power == "off")
    return frozenset((*stopping, *off))


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Members of a service that must be left, because it or `consumer` (None: the service's own budget) stays up."""

    service: str
    needed: int
    consumer: str | None = None


def stays_up(inventory: Inventory, gone: Collection[str]) -> frozenset[str]:
    """The services of which a member is left once the hosts `gone` are off."""
    return frozenset(
        name for name, service in inventory.services.items() if any(host not in gone for host in service.hosts)
    )


def floors(inventory: Inventory, gone: Collection[str]) -> dict[str, Floor]:
    """The floor of each service that has one while the hosts `gone` go off (design: rules 2 and 15).

    A service that stays up keeps its budget; one without has no floor. What a service that stays up requires keeps k members where k
    is stated, else its own budget, else one.
    """
    up = stays_up(inventory, gone)
    found: dict[str, Floor] = {}
    for name in up:
        stated = budget(inventory.services[name])
        if stated is not None:
            found[name] = Floor(service=name, needed=stated)
    for consumer in (name for name in inventory.services if name in up):
        for edge in running(inventory.services[consumer]):
            if edge.kind != "requires":
                continue
            own = budget(inventory.services[edge.provider])
            needed = edge.needs if edge.needs is not None else 1 if own is None else own
            held = found.get(edge.provider)
            if held is None or held.needed < needed:
                found[edge.provider] = Floor(service=edge.provider, needed=needed, consumer=consumer)
    return {name: found[name] for name in inventory.services if name in found}


def running(service: Service) -> tuple[Dependency, ...]:
    """The edges that hold while the service runs, declared breaks left out."""
    return tuple(edge for edge in service.depends_on if edge.at in ("run", "both") and edge.stand_in is None)


def as_stopping(inventory: Inventory, gone: Collection[str], *, in_turn: bool) -> Inventory:
    """`inventory` as a shutdown of the hosts `gone` sees it: reversed order, and floors in place of budgets.

    `in_turn`: a service that stays up and states no budget loses one member at a time, which waves are made by.
    """
    up, kept = stays_up(inventory, gone), floors(inventory, gone)
    on_path = _on_path(inventory)
    after: dict[str, list[Dependency]] = {name: [] for name in inventory.services}
    for consumer, service in inventory.services.items():
        for edge in running(service):
            after[edge.provider].append(Dependency(provider=consumer, kind="after", at="run"))
    services = {
        name: replace(
            service,
            depends_on=tuple(after[name]),
            min_available=Amount(number=kept[name].needed) if name in kept else None,
            max_unavailable=None if name in kept or (in_turn and name in up) else EVERYBODY,
            gate=service.gate if name in up else (),
            settle_s=service.settle_s if name in up else 0.0,
            path=name in on_path,
            admission=None,
            pace=None,
            canaries=None,
            seed=None,
            spares=None,
            carries_load=False,
        )
        for name, service in inventory.services.items()
    }
    limits = {name: kept_limit for name, limit in inventory.limits.items() if (kept_limit := _limit(limit)) is not None}
    asking = {rule for host in gone for rule in inventory.hosts[host].asked_by}
    watch = tuple(
        check
        for number, check in enumerate(inventory.watch, 1)
        if up and watch_rule(number) not in asking and (check.service is None or check.service in up)
    )
    policy = replace(inventory.policy, pace="fixed", canaries=0)
    return replace(inventory, services=services, limits=limits, watch=watch, policy=policy)


def _on_path(inventory: Inventory) -> frozenset[str]:
    """Services on the path, by whatever puts them there: the checks that say so may not be asked any more."""
    hosts: Mapping[str, str] = path_hosts(inventory)
    return frozenset(
        name
        for name, service in inventory.services.items()
        if service.path
        or (service.hosts and all(f"{name} is on the path" in hosts.get(host, "") for host in service.hosts))
    )


def _limit(limit: Limit) -> Limit | None:
    """What is left of a limit when nothing comes back; None: nothing."""
    if limit.max_in_flight is None and limit.max_rate is None:
        return None
    return Limit(
        name=limit.name,
        per=limit.per,
        hosts=limit.hosts,
        max_in_flight=limit.max_in_flight,
        max_rate=limit.max_rate,
        max_rate_per_s=limit.max_rate_per_s,
    )
