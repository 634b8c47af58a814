"""Overrides: which rules of an inventory can be let go by name, which never, and what an unknown name may have meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches

from restart.errors import Refusal, Refused
from restart.model.inventory import Inventory
from restart.model.plan import Override
from restart.rules.limits import DomainTable, SlotTable
from restart.rules.named import (
    admission_rule,
    budget_rule,
    canary_rule,
    gate_rule,
    order_rule,
    pace_rule,
    requires_rule,
    role_rule,
    settle_rule,
    warm_up_rule,
    watch_rule,
)
from restart.rules.pace import stratum
from restart.rules.ways_out import NEVER

SAME = {"claims": "claim", "boot-id": "compare-and-reboot", "boot_id": "compare-and-reboot", "fencing": "lease", "UNKNOWN": "unknown", "unsure": "unknown"}  # fmt: skip
"""Other words for some of them."""

OPEN = {
    "preflight": "a finding of restart preflight, by its rule",
}
"""Families of which the inventory does not say the members: every name in them is taken."""


def overridden(inventory: Inventory, overrides: Sequence[Override], mode: str = "rolling") -> tuple[Override, ...]:
    """`overrides` of a plan of this mode by their full names, each once. Raises `Refused` with every name that no rule has or that cannot be let go."""
    if not overrides:
        return ()
    known = names(inventory, mode)
    found: dict[str, Override] = {}
    wrong: list[Refusal] = []
    for override in overrides:
        name = override.rule.strip()
        family, _, member = name.partition(".")
        if not override.reason.strip():
            what = f"{name}: to override a rule wants a reason, for the journal and for who comes after you"
            wrong.append(Refusal(rule=name, what=what, way_out="--reason 'TEXT'"))
        elif name in known or (family in OPEN and member):
            found.setdefault(name, replace(override, rule=name))
        elif len(parts := [rule for rule in known if rule.startswith(f"{name}.") and family == "limit"]) == 1:
            found.setdefault(parts[0], replace(override, rule=parts[0]))
        else:
            wrong.append(_refused(name, parts, known))
    if wrong:
        raise Refused(tuple(wrong))
    return tuple(found.values())


def _refused(name: str, parts: list[str], known: Iterable[str]) -> Refusal:
    family = name.partition(".")[0]
    family = SAME.get(family, family)
    if family in NEVER:
        why, way_out = NEVER[family]
        return Refusal(rule=name, what=f"{name} cannot be overridden: {why}", way_out=way_out)
    if parts:
        return Refusal(rule=name, what=f"{name} caps several things", way_out=f"name one: {', '.join(sorted(parts))}")
    near = _near(name, list(known))
    way_out = (
        f"did you mean {near}?"
        if near
        else "restart explain HOST and every hold name the rules as --override takes them"
    )
    return Refusal(rule=name, what=f"{name} is no rule of this inventory", way_out=way_out)


def _near(name: str, known: list[str]) -> str:
    """The rule that may have been meant; also where it was written as the inventory writes it."""
    words = name.split(".")
    spoken = {
        "limits": ["limit", *words[1:]],
        "services": [words[-1] if len(words) > 2 else "budget", *words[1:2]],
        "depends_on": ["order", *words[1:]],
    }.get(words[0], words)
    tries = [".".join(spoken), *(rule for rule in known if rule.partition(".")[2] == name)]
    exact = [rule for rule in tries if rule in known]
    return (exact or get_close_matches(tries[0], known, n=1) or [""])[0]


def names(inventory: Inventory, mode: str = "rolling") -> dict[str, None]:
    """Every rule of `inventory` that can be let go by name in a plan of this mode, as holds and refusals tell it.

    Where hosts are stopped the provider waits for its consumers, and the rule is called so: `order.postgres.chat`.
    """
    found: dict[str, None] = {}
    slots, domains = SlotTable(inventory), DomainTable(inventory)
    found.update(dict.fromkeys(slots.terms))
    found.update(dict.fromkeys(domains.rules()))
    for service in inventory.services.values():
        found[budget_rule(service.name)] = None
        if service.gate:
            found[gate_rule(service.name)] = None
        if service.settle_s:
            found[settle_rule(service.name)] = None
        if service.admission is not None:
            found[admission_rule(service.name)] = None
        if service.role is not None:
            found[role_rule(service.name)] = None
        if service.carries_load:
            found[warm_up_rule(service.name)] = None
        for edge in service.depends_on:
            if mode != "shutdown":
                found[order_rule(service.name, edge.provider)] = None
            if mode in ("shutdown", "stop-start"):
                found[order_rule(edge.provider, service.name)] = None
            if edge.kind == "requires":
                found[requires_rule(service.name, edge.provider)] = None
        strata = {name for host in service.hosts for name in stratum(inventory.hosts[host], (service.name,))}
        for name in (f"{service.name}/", *sorted(strata)):
            found[canary_rule(name)] = None
            found[pace_rule(name)] = None
    found["pace"] = None
    for number in range(1, len(inventory.watch) + 1):
        found[watch_rule(number)] = None
    if inventory.policy.is_timed:
        found["window"] = None
    return found
