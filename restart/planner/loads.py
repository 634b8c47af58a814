"""Services that carry load: their restart needs a gate that measures whether they carry it again (design: rule 19)."""

from __future__ import annotations

from restart.errors import Refusal
from restart.planner.scope import Scope
from restart.rules.compare import is_metric
from restart.rules.named import warm_up_rule


def unmeasured(scope: Scope) -> tuple[Refusal, ...]:
    """One refusal for each service with `carries_load` that this plan touches, and of which no gate measures how it does."""
    services = scope.inventory.services
    touched = {name for host in scope.moving for name in scope.services_of[host]}
    found = []
    for name, service in services.items():
        if not service.carries_load or name not in touched:
            continue
        consumers = [
            other for other, held in services.items() if any(edge.provider == name for edge in held.depends_on)
        ]
        if any(is_metric(check) for near in (name, *consumers) for check in services[near].gate):
            continue
        near = f"its gate or that of {', '.join(consumers)}" if consumers else "its gate"
        what = f"{name} carries load, and nothing in {near} measures whether it does so again after a restart"
        way_out = (
            f"write a prometheus check into services.{name}.gate, such as its hit rate with not_below: 95% of before"
        )
        found.append(Refusal(rule=warm_up_rule(name), what=what, way_out=way_out))
    return tuple(found)
