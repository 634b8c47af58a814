"""The rules of the design restated from its text, for the referee alone: one bug in the shared rules must not blind both.

Nothing here is imported from `restart.rules`, and nothing but the referee may use it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from restart.model.check import SSH_CHECK, Check
from restart.model.inventory import Amount, Dependency, Host, Inventory, Limit, Service
from restart.model.playbook import Playbook, Rung

IN_FLIGHT_WITHOUT_LIMIT = 10
"""Moves in flight at once where nobody wrote a fleet-wide limit (design: defaults)."""


def must_be_available(amount: Amount, members: int) -> int:
    """Members that `min_available: amount` asks for; a part of a host counts as a whole one (rule 1: up)."""
    if amount.all:
        return members
    if amount.quorum:
        return (members + 2) // 2
    if amount.number is not None:
        return amount.number
    share = _share(amount) * members
    return -((-share.numerator) // share.denominator)


def may_be_missing(amount: Amount, members: int) -> int:
    """Members that `max_unavailable: amount` lets go; a part of a host counts as none (rule 1: down)."""
    if amount.quorum:
        return members - (members + 2) // 2
    if amount.number is not None:
        return min(members, amount.number)
    if amount.all:
        return members
    share = _share(amount) * members
    return min(members, share.numerator // share.denominator)


def _share(amount: Amount) -> Fraction:
    # Through the decimal text: 0.1 as a float is not a tenth, and a hair must not cost or grant a host.
    return Fraction(str(amount.percent or 0.0)) / 100


def floor_of(service: Service) -> int | None:
    """Members that must be available at every instant; None where no budget is stated."""
    members = len(service.hosts)
    floors = []
    if service.min_available is not None:
        floors.append(must_be_available(service.min_available, members))
    if service.max_unavailable is not None:
        floors.append(members - may_be_missing(service.max_unavailable, members))
    return max(floors, default=None)


def down_max(service: Service) -> int:
    """Members that may be not ready at once; one where no budget is stated (rule 2)."""
    floor = floor_of(service)
    return 1 if floor is None else len(service.hosts) - floor


def ready_min(provider: Service, needs: int | None) -> int:
    """Ready members that a consumer rests on: k where stated, else what the provider's budget keeps, at least one (rule 3 a)."""
    if needs is not None:
        return needs
    floor = floor_of(provider)
    kept = len(provider.hosts) - 1 if floor is None else floor
    return max(kept, min(1, len(provider.hosts)))


def edges_of(service: Service) -> tuple[Dependency, ...]:
    """What holds while the fleet runs; declared breaks are no edges (rule 1 of the list)."""
    return tuple(edge for edge in service.depends_on if edge.at != "boot" and edge.stand_in is None)


def asked_of_members(service: Service) -> tuple[Check, ...]:
    """The `ready` checks of each member, the proof of a reboot left out."""
    return tuple(check for check in service.ready if check.kind != "boot") or (SSH_CHECK,)


def held_by_members(service: Service | None, asked: Sequence[Check]) -> tuple[Check, ...]:
    """The plan's own checks that a restarted member must hold; the proof of a reboot only where it was asked for.

    A restart of units proves no boot, and a host in no service has to answer over SSH.
    """
    if service is None:
        return (SSH_CHECK,)
    proved = len(asked) == len(service.ready) and any(check.kind == "boot" for check in asked)
    return service.ready if proved else asked_of_members(service)


def gate_checks(service: Service) -> tuple[Check, ...]:
    """What is asked of the group; a person's word is no question to the world."""
    return tuple(check for check in service.gate if check.kind != "approve")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """One thing that a limit caps (rule 7): `kind` is `count` (in flight, a shared server, an admission), `rate` or `capacity`.

    A place is held from the first act (`from_booted`: from the end of the boot) until `until`, or for `held_s` from the restart (from
    the end of the boot); a capacity's inrush ends `held_s` after the boot, or after the act itself (`from_act`). `running` and `starting` are what a host draws of a capacity; `uses` is what single hosts take instead.
    """

    name: str
    kind: str
    most: float
    per: str | None = None
    hosts: frozenset[str] | None = None
    until: str = "ready"
    held_s: float | None = None
    from_booted: bool = False
    from_act: bool = False
    running: float = 0.0
    starting: float = 0.0
    uses: Mapping[str, float] = field(default_factory=dict)

    def value(self, host: Host) -> str | None:
        """Where `host` counts: its label's value, "" where the limit has no label; None: it is outside."""
        if self.hosts is not None and host.name not in self.hosts:
            return None
        return "" if self.per is None else host.labels.get(self.per)

    def amount(self, host: str) -> float:
        """What a start of `host` takes: of a capacity what it draws above what it draws anyway."""
        if self.kind == "capacity":
            return max(0.0, self.uses.get(host, self.starting) - self.running)
        return self.uses.get(host, 1.0) if self.kind == "count" else 1.0


def caps(inventory: Inventory, *, cold: bool = False) -> tuple[Cap, ...]:
    """All that limits cap, admissions left out; with the default one where no limit says how many may be at it fleet-wide.

    `cold`: hosts are switched on, and what they draw at first they draw from that moment on.
    """
    found = [replace(cap, from_act=cold) for limit in inventory.limits.values() for cap in _caps_of(limit, inventory)]
    if not any(cap.kind == "count" and cap.per is None and cap.hosts is None for cap in found):
        name = "limit.default" if "fleet" in inventory.limits else "limit.fleet"
        found.append(Cap(name=name, kind="count", most=IN_FLIGHT_WITHOUT_LIMIT))
    return tuple(found)


def _caps_of(limit: Limit, inventory: Inventory) -> Iterator[Cap]:
    uses = {host.name: host.uses[limit.name] for host in inventory.hosts.values() if limit.name in host.uses}
    from_booted = limit.held_from == "booted"
    common = Cap(
        name=f"limit.{limit.name}",
        kind="count",
        most=0.0,
        per=limit.per,
        hosts=None if limit.hosts is None else frozenset(limit.hosts),
        until="ready" if from_booted and limit.held_until == "booted" else limit.held_until,
        held_s=limit.held_s,
        from_booted=from_booted,
        uses={} if limit.capacity is not None else uses,
    )
    if limit.shared is not None:
        # More at once than saturate the server only slow each other down.
        yield replace(common, most=min(limit.shared.at_once, limit.max_in_flight or limit.shared.at_once))
    elif limit.max_in_flight is not None:
        yield replace(common, most=limit.max_in_flight)
    if limit.max_rate is not None:
        yield replace(
            common, name=f"{common.name}.max_rate", kind="rate", most=limit.max_rate, held_s=limit.max_rate_per_s
        )
    if limit.capacity is not None:
        running = limit.running or 0.0
        yield replace(
            common,
            name=f"{common.name}.capacity",
            kind="capacity",
            most=limit.capacity * (1 - limit.headroom),
            held_s=limit.held_s if limit.starting_for_s is None else limit.starting_for_s,
            from_booted=False,
            running=running,
            starting=running if limit.starting is None else limit.starting,
            uses=uses,
        )


def let_go(names: Iterable[str], rule: str) -> bool:
    """Whether one of the `names` that a plan overrides is `rule`: that very name, or for pace and canaries what stands above it."""
    words = {rule, rule.partition("/")[0] if rule.startswith(("pace.", "canary.")) else rule}
    if rule.startswith("pace."):
        words.add("pace")
    return any(name in words for name in names)


def on_the_path(inventory: Inventory) -> frozenset[str]:
    """Hosts through which the controller sees and reaches the fleet (rule 10)."""
    seen_through = {check.service for check in inventory.watch}
    for service in inventory.services.values():
        seen_through |= {check.service for check in (*service.ready, *service.gate)}
        if service.path:
            seen_through.add(service.name)
    found: set[str | None] = {host.name for host in inventory.hosts.values() if host.controller or host.on_path}
    for service in inventory.services.values():
        if service.name in seen_through:
            found.update(service.hosts)
    gateways = {inventory.ssh_of(host).gateway for host in inventory.hosts}
    found |= gateways
    return frozenset(name for name in inventory.hosts if name in found)


def near(inventory: Inventory) -> dict[str, frozenset[str]]:
    """Each service, its direct providers and its direct consumers: whose gates guard a move on it (rule 9)."""
    found = {name: {name} for name in inventory.services}
    for name, service in inventory.services.items():
        for edge in edges_of(service):
            found[name].add(edge.provider)
            found[edge.provider].add(name)
    return {name: frozenset(others) for name, others in found.items()}


def ladder_of(playbook: Playbook, act: str, host: Host) -> tuple[Rung, ...]:
    """The ladder that a move climbs: restart, start or stop. A stop that nobody has described: over SSH; a start: by power where there is a control, else by hand."""
    stated = {"restart": playbook.restart, "start": playbook.start, "stop": playbook.stop}[act]
    if act == "stop" and not stated:
        return (Rung(kind="poweroff"),)
    if act != "start" or stated:
        return stated
    by_hand = Rung(kind="approve")
    return (by_hand,) if host.power is None else (Rung(kind="power", reset="on"), by_hand)


def steps_of(playbook: Playbook) -> Iterator[tuple[str | None, str]]:
    """The commands around a restart and where each runs (None: on the restarting host)."""
    for step in playbook.drain:
        yield step.on, step.run
        if step.undo is not None:
            yield step.on, step.undo


def filled(text: str) -> re.Pattern[str]:
    """What `text` may look like once its placeholders are filled."""
    return re.compile(".+".join(re.escape(part) for part in re.split(r"\{[a-z][\w.\-]*\}", text)), re.DOTALL)


def rings(
    inventory: Inventory,
    moving: Iterable[str],
    services_of: Mapping[str, Sequence[str]],
    edges: Mapping[str, Sequence[Dependency]],
) -> dict[str, int]:
    """For each moving host the number of its ring: hosts of one ring wait for each other only because services share hosts (rule 3).

    A host leads to the providers of its services, a provider to its moving members: a ring is what leads back to itself.
    Found by Kosaraju's two walks, linear in hosts, memberships and edges.
    """
    forward: dict[str, list[str]] = {}
    for service in inventory.services.values():
        forward[f"to {service.name}"] = [f"all {edge.provider}" for edge in edges[service.name]]
        forward[f"all {service.name}"] = []
    for host in moving:
        forward[f"host {host}"] = [f"to {name}" for name in services_of[host]]
        for name in services_of[host]:
            forward[f"all {name}"].append(f"host {host}")
    backward: dict[str, list[str]] = {vertex: [] for vertex in forward}
    for vertex, followers in forward.items():
        for follower in followers:
            backward[follower].append(vertex)
    number: dict[str, int] = {}
    for root in reversed(_left_in_order(forward)):
        if root not in number:
            walk = [root]
            number[root] = len(number)
            while walk:
                for before in backward[walk.pop()]:
                    if before not in number:
                        number[before] = number[root]
                        walk.append(before)
    return {vertex.removeprefix("host "): at for vertex, at in number.items() if vertex.startswith("host ")}


def _left_in_order(forward: Mapping[str, Sequence[str]]) -> list[str]:
    """Every vertex, in the order in which a depth-first walk leaves them for good."""
    seen: set[str] = set()
    left: list[str] = []
    for root in forward:
        if root in seen:
            continue
        seen.add(root)
        walk = [(root, iter(forward[root]))]
        while walk:
            vertex, rest = walk[-1]
            for follower in rest:
                if follower not in seen:
                    seen.add(follower)
                    walk.append((follower, iter(forward[follower])))
                    break
            else:
                left.append(vertex)
                walk.pop()
    return left
