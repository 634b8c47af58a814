"""Which hosts are compared with what they were before their restart (`same_as_before`), and how: one check a host, whatever services it carries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from restart.model.check import SSH_CHECK, Check
from restart.model.inventory import Inventory

KIND = "same_as_before"


def comparison(inventory: Inventory, services: Sequence[str]) -> Check | None:
    """How a host of `services` is compared; None: it is not.

    One of its services that wants it is enough. Where several do, the host has the most patience that one of them gives it, must hold for as
    long as the strictest says, and what one of them allows to be another way is allowed: the host is one. So what a service that does not
    want it has on the host has the time that its own checks have.
    """
    found = [inventory.services[name].same_as_before for name in services] if services else [inventory.same_as_before]
    checks = [check for check in found if check is not None]
    if not checks:
        return None
    others = [inventory.services[name] for name in services if inventory.services[name].same_as_before is None]
    within_s = max((check.within_s for one in others for check in one.ready or (SSH_CHECK,)), default=0.0)
    if len(checks) == 1 and within_s <= checks[0].within_s:
        return checks[0]
    allow = dict.fromkeys(pattern for check in checks for pattern in check.params.get("allow", ()))
    return replace(
        checks[0],
        params={"allow": list(allow)} if allow else {},
        timeout_s=max(check.timeout_s for check in checks),
        every_s=min(check.every_s for check in checks),
        healthy_for_s=max(check.healthy_for_s for check in checks),
        within_s=max(within_s, *(check.within_s for check in checks)),
    )
