"""The last waves: the path's hosts, one by one (design: rule 10). Budgets and ready providers hold for them as for all."""

from __future__ import annotations

from restart.errors import Refusal, Refused
from restart.planner.scope import Scope
from restart.rules.budgets import ready_enough
from restart.rules.named import budget_rule, requires_rule


def path_in_turn(scope: Scope) -> list[str]:
    """The path's hosts in the order in which they go: the first of those left that may. Raises `Refused` where none may."""
    left = list(scope.path)
    others = set(scope.moving) - set(left)
    down = {service: set(hosts) - others for service, hosts in scope.down.items()}
    turn: list[str] = []
    while left:
        host = next((host for host in left if _hindrance(scope, host, down) is None), None)
        if host is None:
            refusals = [hindrance for host in left if (hindrance := _hindrance(scope, host, down))]
            raise Refused(tuple(refusals))
        turn.append(host)
        left.remove(host)
        for service in scope.services_of[host]:
            down.get(service, set()).discard(host)
    return turn


def _hindrance(scope: Scope, host: str, down: dict[str, set[str]]) -> Refusal | None:
    """Why `host` may not go alone while `down` are down; None: it may."""
    services = scope.inventory.services
    if not scope.down:
        return None
    for name in scope.services_of[host]:
        others = down.get(name, set()) - {host}
        may = scope.may_be_down(name)
        if others and host not in scope.sick.get(name, ()) and len(others) + 1 > may:
            what = (
                f"{host}: {len(others)} of {len(services[name].hosts)} members of {name} are down, at most {may} may be"
            )
            return Refusal(rule=budget_rule(name), what=what, way_out="repair what is down first")
        for edge in scope.order.edges[name]:
            away = down.get(edge.provider, set()) - {host}
            members, enough = len(services[edge.provider].hosts), ready_enough(services[edge.provider], edge.needs)
            if edge.kind == "requires" and away and members - len(away) < enough:
                what = f"{host}: {members - len(away)} of {members} members of {edge.provider} are ready, {name} needs {enough}"
                return Refusal(rule=requires_rule(name, edge.provider), what=what, way_out="repair what is down first")
    return None
