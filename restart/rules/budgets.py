"""Budgets: how many members of a service may be not ready at once. Rounding is to the safe side (design: rule 1)."""

from __future__ import annotations

from math import ceil, floor

from restart.model.inventory import Amount, Service

_EPSILON = 1e-9  # 0.1 * 30 is a hair above 3; a hair must not cost or grant a host


def needed(amount: Amount, members: int) -> int:
    """Members that must be available for `amount` of `members`; rounded up. May exceed `members`: never met."""
    if amount.all:
        return members
    if amount.quorum:
        return members // 2 + 1
    if amount.percent is not None:
        return max(0, ceil(members * amount.percent / 100 - _EPSILON))
    return amount.number or 0


def allowed_down(amount: Amount, members: int) -> int:
    """Members that may be unavailable for a `max_unavailable` of `amount`; rounded down, never above `members`."""
    if amount.quorum:
        return members - needed(amount, members)
    if amount.percent is not None:
        return min(members, floor(members * amount.percent / 100 + _EPSILON))
    return min(members, amount.number or 0)


def budget(service: Service) -> int | None:
    """Members of `service` that must be available at every instant; None where no budget is stated. The stricter wins."""
    members = len(service.hosts)
    floors = []
    if service.min_available is not None:
        floors.append(needed(service.min_available, members))
    if service.max_unavailable is not None:
        floors.append(members - allowed_down(service.max_unavailable, members))
    return max(floors) if floors else None


def may_be_down(service: Service) -> int:
    """Members that may be not ready at once, for any reason. No budget stated: one (design: rule 2). 0 or less: none may."""
    stated = budget(service)
    return 1 if stated is None else len(service.hosts) - stated


def ready_enough(service: Service, needs: int | None) -> int:
    """Ready members that make `service` ready for a consumer: k where stated, else within its budget, at least one."""
    if needs is not None:
        return needs
    stated = budget(service)
    return max(1 if service.hosts else 0, len(service.hosts) - 1 if stated is None else stated)
