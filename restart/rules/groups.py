"""Groups: when a service that is started from cold opens its consumers (design: rule 4)."""

from __future__ import annotations

from restart.model.inventory import Service
from restart.rules.budgets import needed


def opens_with(service: Service, needs: int | None = None) -> int:
    """Ready members that make the group ready: `needs` where the consumer says so, else `ready_when`, `min_available`, else all."""
    members = len(service.hosts)
    if needs is not None:
        return needs
    stated = service.ready_when or service.min_available
    return members if stated is None else max(min(1, members), min(members, needed(stated, members)))


def gate_guards_with(service: Service) -> int:
    """Members that must be up before the gate of a service that was off can pass: as many as make it ready where that is stated, else one."""
    stated = service.ready_when is not None or service.min_available is not None or service.co_start
    return opens_with(service) if stated else 1


def starts_together(service: Service) -> bool:
    """Whether its members do not wait for each other's checks: alone none of them may ever be ready."""
    quorum = service.ready_when is not None and service.ready_when.quorum
    return service.co_start or quorum or service.seed is not None


def forms_with(service: Service) -> int:
    """Members of a group that starts together that must be up beside each other before any can be ready: as stated, else a quorum."""
    members = len(service.hosts)
    if service.seed is not None:
        return members  # all of them are asked before the first one starts
    stated = service.ready_when is not None or service.min_available is not None
    return opens_with(service) if stated else members // 2 + 1
