"""Reasons of a cold start: why each move and each wave is where it is, and what the reader should know beside (design: rules 4, 10, 18)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from restart.model.check import Check
from restart.model.inventory import Dependency, Inventory, Service
from restart.planner.reasons import span
from restart.planner.refusals import some
from restart.planner.scope import Scope
from restart.planner.undrains import undrained
from restart.rules.breaks import Edge
from restart.rules.groups import opens_with, starts_together
from restart.rules.named import watch_rule
from restart.rules.path import called_by, path_alone


def opening(service: Service, needs: int | None = None) -> str:
    """`2 of 3 members of queue are ready (ready_when quorum)`."""
    members = len(service.hosts)
    if needs is not None:
        stated = "needs"
    elif service.ready_when is not None:
        stated = f"ready_when {service.ready_when}"
    elif service.min_available is not None:
        stated = f"min_available {service.min_available}"
    else:
        stated = "ready_when is not stated"
    verb = "is" if opens_with(service, needs) == 1 else "are"
    return f"{opens_with(service, needs)} of {members} members of {service.name} {verb} ready ({stated})"


class ColdReasons:
    """Sentences for moves and waves; alike moves share theirs."""

    def __init__(
        self, scope: Scope, stated: Mapping[str, tuple[Dependency, ...]], first: Mapping[str, str], waves: Sequence[Sequence[str]],
        bridged: frozenset[Edge],
    ) -> None:  # fmt: skip
        """`stated`: the edges as the inventory states them; `first`: hosts of the path and of what it needs, and why."""
        self._scope = scope
        self._stated = stated
        self._first = first
        self._bridged = bridged
        self._spans: dict[str, tuple[int, int]] = {}
        for number, wave in enumerate(waves, 1):
            for host in wave:
                for service in scope.services_of[host]:
                    earliest, _ = self._spans.get(service, (number, number))
                    self._spans[service] = (earliest, number)
        self._shared: dict[tuple[object, ...], tuple[str, ...]] = {}

    def of_move(self, host: str, canary: bool) -> tuple[str, ...]:
        """Why the move of `host` is where it is."""
        special = [f"goes first: {self._first[host]}"] if host in self._first else []
        if canary:
            special.append("canary: nothing else of its kind starts until its checks and gates held")
        carried = self._scope.services_of[host]
        if carried not in self._shared:
            self._shared[carried] = tuple(line for service in carried for line in self._lines(service)) or (
                "nothing has to be up before it",
            )
        return (*special, *self._shared[carried])

    def of_wave(self, number: int, hosts: Sequence[str]) -> str:
        """Why wave `number` is there."""
        services = self._scope.inventory.services
        counts = Counter(service for host in hosts for service in self._scope.services_of[host])
        listed = [f"{name} {count} of {len(services[name].hosts)}" for name, count in counts.items()]
        loose = sum(1 for host in hosts if not self._scope.services_of[host])
        if loose:
            listed.append(f"{loose} host{'s' if loose > 1 else ''} of no service")
        opened_by = dict.fromkeys(
            edge.provider for name in counts for edge in self._stated[name] if self._before(edge, name, number)
        )
        if opened_by:
            return f"{some(listed)}; opened by {some(opened_by)}"
        if number > 1:
            return f"{some(listed)}; after what the controller sees and reaches the fleet through"
        return f"nothing has to be up before these: {some(listed)}"

    def _before(self, edge: Dependency, consumer: str, number: int) -> bool:
        whole = (consumer, edge.provider) not in self._bridged
        return whole and edge.provider in self._spans and self._spans[edge.provider][0] < number

    def _lines(self, consumer: str) -> list[str]:
        services = self._scope.inventory.services
        lines = []
        for edge in self._stated[consumer]:
            provider = services[edge.provider]
            where = f" ({span(*self._spans[edge.provider])})" if edge.provider in self._spans else " (not in this plan)"
            if (consumer, edge.provider) in self._bridged:
                why = f": {edge.stand_in.why}" if edge.stand_in and edge.stand_in.why else ""
                lines.append(f"does not wait for {edge.provider}{where}: a stand-in takes its place{why}")
            elif edge.kind == "after":
                lines.append(f"goes after {edge.provider}{where}, once its hosts have booted or been given up")
            else:
                lines.append(f"waits until {opening(provider, edge.needs)}{where}, which {consumer} requires")
        if starts_together(services[consumer]) and len(services[consumer].hosts) > 1:
            lines.append(
                f"starts together with the other members of {consumer}: {opening(services[consumer])} opens it"
            )
        seed = services[consumer].seed
        if seed is not None:
            lines.append(f"seed: all members of {consumer} are booted, then `{seed.run}` says which one starts first")
        return lines


def cold_notes(scope: Scope, first: Mapping[str, str], bridged: frozenset[Edge], *, surveyed: bool) -> list[str]:
    """What the reader should know: what was assumed, what is suspended, what is bridged, who has to be there."""
    inventory = scope.inventory
    found = []
    if not surveyed:
        found.append(
            "not surveyed: every selected host is taken to be off; one that answers when its turn comes is not touched"
        )
    found += _suspended(inventory, scope.moving)
    found += _elsewhere(inventory)
    found += [
        f"{consumer} goes after {provider}: dropped, the order runs in a circle there" for consumer, provider in scope.order.dropped
    ]  # fmt: skip
    found += [_bridge(inventory, edge) for edge in sorted(bridged)]
    found += _by_hand(inventory, scope.moving)
    found += undrained(
        inventory,
        scope.moving,
        [left.host for left in scope.left_alone if left.why.startswith("up already")],
        scope.services_of,
    )
    found += [
        f"{host}: {why}, and nothing stands beside it" for host, why in scope.path.items() if host in path_alone(inventory)
    ]  # fmt: skip
    waiting = [
        f"the gate of {name}"
        for name, service in inventory.services.items()
        if any(check.kind == "approve" for check in service.gate) and set(service.hosts) & set(scope.moving)
    ]
    if waiting:
        found.append(f"waits for a person, and the times do not count that: {some(waiting)}")
    return found


def _suspended(inventory: Inventory, moving: Iterable[str]) -> list[str]:
    """Watches and gates that ask through a service, or a host, which this plan starts."""
    hosts = set(moving)
    called: dict[str, list[str]] = {}
    for host in moving:
        for rule in inventory.hosts[host].asked_by:
            called.setdefault(rule, []).append(host)
    found = [
        f"{_named(inventory, rule)} asks {some(asked)}, which this plan starts: suspended until it is up and its checks have held"
        for rule, asked in called.items()
    ]
    asked: list[tuple[str, Check]] = [
        (f"watch {number} ({check.kind})", check) for number, check in enumerate(inventory.watch, 1)
    ]
    asked += [(f"the gate of {name}", check) for name, service in inventory.services.items() for check in service.gate]
    return found + list(
        dict.fromkeys(
            f"{what} asks through {check.service}, which this plan starts: suspended until {check.service} is ready"
            for what, check in asked
            if check.service is not None and hosts & set(inventory.services[check.service].hosts)
        )
    )


def _elsewhere(inventory: Inventory) -> list[str]:
    """Watches that ask what nobody here knows: if the plan starts it, nothing else will say so."""
    known = {called for host in inventory.hosts.values() for called in (host.name, host.address)}
    rules = {rule for host in inventory.hosts.values() for rule in host.asked_by}
    return [
        f"watch {number} ({check.kind}) asks {called}, which is no host of the inventory: it must answer before anything starts; "
        "if this plan starts it, say `service:`"
        for number, check in enumerate(inventory.watch, 1)
        if check.service is None
        and (called := called_by(check)) is not None
        and called not in known
        and watch_rule(number) not in rules
    ]


def _named(inventory: Inventory, rule: str) -> str:
    """A watch or gate as people read it, by the name of its rule."""
    for number, check in enumerate(inventory.watch, 1):
        if rule == watch_rule(number):
            return f"watch {number} ({check.kind})"
    return f"the gate of {rule.removeprefix('gate.')}"


def _bridge(inventory: Inventory, edge: Edge) -> str:
    consumer, provider = edge
    stand_in = next(found.stand_in for found in inventory.services[consumer].depends_on if found.provider == provider)
    if stand_in is None:
        return ""
    where = stand_in.on or f"each host of {consumer}"
    why = f" ({stand_in.why})" if stand_in.why else ""
    return (
        f"{consumer} requires {provider}, and the order runs in a ring there: it starts without{why}, with `{stand_in.with_run}` on {where}; "
        f"a second pass takes that out again with `{stand_in.undo}` and restarts {consumer}"
    )


def _by_hand(inventory: Inventory, moving: Iterable[str]) -> list[str]:
    books = inventory.playbooks
    alone = [
        host
        for host in moving
        if inventory.hosts[host].power is None and not (books and books[_book(inventory, host)].start)
    ]  # fmt: skip
    if not alone:
        return []
    return [
        f"{some(alone)}: no power control and no `start:` ladder in {'its' if len(alone) == 1 else 'their'} playbook, "
        "so a person is asked to switch on by hand"
    ]


def _book(inventory: Inventory, host: str) -> str:
    stated = [service.playbook for service in inventory.services.values() if host in service.hosts and service.playbook]
    return inventory.hosts[host].playbook or (stated[0] if stated else inventory.playbook)
