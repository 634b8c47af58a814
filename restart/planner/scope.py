"""The scope of a plan: which hosts move, which are left alone and why, and what the observation says is down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from restart.errors import Refusal, UsageMistake
from restart.model.check import Verdict
from restart.model.inventory import Inventory
from restart.model.observation import Observation
from restart.model.plan import LeftAlone, Plan, StandBy
from restart.planner.graph import Order
from restart.planner.spares import stand_bys
from restart.rules.budgets import may_be_down
from restart.rules.named import budget_rule
from restart.rules.names import expand, select
from restart.rules.path import path_hosts
from restart.rules.recovery import is_sick, state_of
from restart.rules.waived import NOTHING_WAIVED, Waived


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Who moves, and how the fleet stands before it.

    `moving` is in inventory order; `path` holds the moving path hosts and why, in the order in which they go. `down` and
    `sick` map a service to its members seen not ready for any reason, and to those that a FAIL proves not ready. `standing` are the
    spares that stand by.
    """

    inventory: Inventory
    order: Order
    services_of: Mapping[str, tuple[str, ...]]
    moving: tuple[str, ...]
    path: Mapping[str, str]
    added: Mapping[str, str]
    left_alone: tuple[LeftAlone, ...]
    down: Mapping[str, frozenset[str]]
    sick: Mapping[str, frozenset[str]]
    uptime_s: Mapping[str, float]
    waived: Waived = NOTHING_WAIVED
    standing: tuple[StandBy, ...] = ()
    out: frozenset[str] = frozenset()
    """Services that a recovery finds down as a whole: cold-start rules hold for them."""

    def may_be_down(self, service: str) -> int:
        """Members of `service` that may be not ready at once: all of them where its budget is overridden by name."""
        found = self.inventory.services[service]
        return len(found.hosts) if budget_rule(service) in self.waived else may_be_down(found)

    def lost(self, service: str, moving: frozenset[str] | set[str]) -> list[str]:
        """Members that are down and that this plan does not bring back, in inventory order."""
        down = self.down.get(service)
        if not down:
            return []
        return [host for host in self.inventory.services[service].hosts if host in down and host not in moving]


def services_of(inventory: Inventory) -> dict[str, tuple[str, ...]]:
    """The services of each host, in inventory order; a host of none has an empty tuple."""
    found: dict[str, list[str]] = {host: [] for host in inventory.hosts}
    for service in inventory.services.values():
        for host in service.hosts:
            found[host].append(service.name)
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}
    # Hosts that carry the same services share one tuple: a plan for 100,000 hosts holds few of them.
    return {host: shared.setdefault(tuple(names), tuple(names)) for host, names in found.items()}


def draw_scope(
    inventory: Inventory,
    *,
    selection: tuple[str, ...] | None,
    observation: Observation | None,
    include_controller: bool,
    order: Order,
    waived: Waived = NOTHING_WAIVED,
    recovering: bool = False,
    standing_by: bool = False,
) -> tuple[Scope, tuple[Refusal, ...]]:
    """The scope, and what is wrong with it. Raises `UsageMistake` where the selection matches nothing.

    `recovering`: silent hosts that are no longer waited for are as sick as those that a FAIL proves so. `standing_by`: spares stand by, and are not
    restarted.
    """
    carried = services_of(inventory)
    refusals: list[Refusal] = []
    chosen = chosen_hosts(inventory, selection)
    added = _restarted_along(inventory, order, chosen)
    wanted = set(chosen) | set(added)
    path = path_hosts(inventory)
    left_alone = []
    named = _named(selection or ())
    for host in inventory.hosts.values():
        if not host.controller or host.name not in wanted or include_controller:
            continue
        wanted.discard(host.name)
        if host.name in named:
            found = f" ({host.on_path})" if host.on_path else ""
            what = f"{host.name}: the controller runs here{found}, and it was named"
            refusals.append(
                Refusal(rule="controller", what=what, way_out="leave it out, or say --include-controller")
            )  # fmt: skip
        told = f" ({host.on_path})" if host.on_path else ""
        why = f"the controller runs here{told}; --include-controller restarts it, last of all"
        left_alone.append(LeftAlone(host=host.name, why=why))
    standing = _standing(inventory, selection, wanted, path) if standing_by else ()
    wanted -= {found.host for found in standing}
    if not wanted and not refusals:
        what = "nothing is left to restart: " + (
            ", ".join(alone.host for alone in left_alone) + " is left alone" if left_alone else "the fleet has no host"
        )
        refusals.append(Refusal(rule="scope", what=what, way_out="select other hosts with --limit"))
    down, sick = _seen_down(inventory, carried, observation, recovering)
    scope = Scope(
        inventory=inventory,
        order=order,
        services_of=carried,
        moving=tuple(host for host in inventory.hosts if host in wanted),
        path={host: why for host, why in path.items() if host in wanted},
        added={host: why for host, why in added.items() if host in wanted},
        left_alone=tuple(left_alone),
        down=down,
        sick=sick,
        uptime_s=_uptimes(observation),
        waived=waived,
        standing=standing,
    )
    return scope, tuple(refusals)


def scope_of(plan: Plan, order: Order) -> Scope:
    """The scope that `plan` was made for, read back from its moves."""
    inventory = plan.inventory
    carried = services_of(inventory)
    wanted = {move.host for wave in plan.waves for move in wave.moves}
    down, sick = _seen_down(inventory, carried, plan.observation, plan.mode == "recover")
    return Scope(
        inventory=inventory,
        order=order,
        services_of=carried,
        moving=tuple(host for host in inventory.hosts if host in wanted),
        path={host: why for host, why in path_hosts(inventory).items() if host in wanted},
        added={},
        left_alone=plan.left_alone,
        down=down,
        sick=sick,
        uptime_s=_uptimes(plan.observation),
        waived=Waived(override.rule for override in plan.overrides),
    )


def chosen_hosts(inventory: Inventory, selection: tuple[str, ...] | None) -> list[str]:
    """The hosts that `selection` names (None: all), in inventory order. Raises `UsageMistake` where it names none."""
    return _chosen(inventory, selection, {name: service.hosts for name, service in inventory.services.items()})


def offered_hosts(inventory: Inventory, selection: tuple[str, ...] | None) -> list[str]:
    """As `chosen_hosts`, but that `service:NAME` takes the spares of NAME along: who may stand by."""
    members = {
        name: (*service.hosts, *(service.spares.hosts if service.spares else ()))
        for name, service in inventory.services.items()
    }
    return _chosen(inventory, selection, members)


def _standing(
    inventory: Inventory, selection: tuple[str, ...] | None, wanted: set[str], path: Mapping[str, str]
) -> tuple[StandBy, ...]:
    if not any(service.spares for service in inventory.services.values()):
        return ()
    kept_out = {*path, *(host.name for host in inventory.hosts.values() if host.controller)}
    return stand_bys(inventory, offered_hosts(inventory, selection), wanted, kept_out)


def _chosen(
    inventory: Inventory, selection: tuple[str, ...] | None, members: Mapping[str, tuple[str, ...]]
) -> list[str]:
    if selection is None:
        return list(inventory.hosts)
    try:
        return list(select(selection, inventory.hosts, members))
    except ValueError as error:
        raise UsageMistake(f"the selection: {error}", remedy="see the hosts with `restart graph`") from None


def _named(selection: tuple[str, ...]) -> set[str]:
    """The hosts that the selection names one by one; a glob names nobody."""
    terms = [term.strip() for part in selection for term in part.split(",")]
    return {name for term in terms if not term.startswith("!") for name in expand(term)}


def _restarted_along(inventory: Inventory, order: Order, chosen: list[str]) -> dict[str, str]:
    """Hosts that restart because a provider does (`restart: true`, rule 16), and why. It goes on down the chain."""
    followers: dict[str, list[str]] = {}
    for consumer, edges in order.edges.items():
        for edge in edges:
            if edge.restart:
                followers.setdefault(edge.provider, []).append(consumer)
    if not followers:
        return {}
    moving, added = set(chosen), {}
    for service in order.upward:
        if service not in followers or not any(host in moving for host in inventory.services[service].hosts):
            continue
        for consumer in followers[service]:
            for host in inventory.services[consumer].hosts:
                if host not in moving:
                    moving.add(host)
                    added[host] = f"{consumer} restarts after {service} (restart: true)"
    return added


def _seen_down(
    inventory: Inventory, carried: Mapping[str, tuple[str, ...]], observation: Observation | None, recovering: bool
) -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str]]]:
    """Members that were seen and are not PASS, and those of them that FAIL, by service.

    What was not looked at is assumed up, as without an observation; UNKNOWN is not: it counts as down.
    """
    down: dict[str, set[str]] = {}
    sick: dict[str, set[str]] = {}
    for host, seen in (observation.hosts if observation else {}).items():
        for service in carried.get(host, ()):
            verdict = seen.ready.get(service, Verdict.PASS)
            if verdict is not Verdict.PASS:
                down.setdefault(service, set()).add(host)
            if verdict is Verdict.FAIL or (recovering and is_sick(verdict, state_of(seen))):
                sick.setdefault(service, set()).add(host)
    return (
        {name: frozenset(hosts) for name, hosts in down.items()},
        {name: frozenset(hosts) for name, hosts in sick.items()},
    )


def _uptimes(observation: Observation | None) -> dict[str, float]:
    if observation is None:
        return {}
    return {host: seen.uptime_s for host, seen in observation.hosts.items() if seen.uptime_s is not None}
