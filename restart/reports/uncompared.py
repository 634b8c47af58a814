"""Hosts of which nobody knows whether they are as they were before (`same_as_before`): a run that is done says nothing of it, so that reports must."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from restart.engine import facts as names
from restart.model.event import Fact
from restart.model.plan import Plan
from restart.reports.prose import listed, printable, wrapped
from restart.rules.comparing import comparison
from restart.rules.recovery import state_of

_LEFT_ALONE = "it came back by itself before this plan was made, and was left alone"
_FROM_OFF = "it was started from off"


def uncompared(plan: Plan, facts: Iterable[Fact]) -> dict[str, str]:
    """Those that came up, or may, without being compared though the inventory wants it, and why: as the run told, those started from off, and
    those that a recovery found back by themselves and left alone."""
    wanted = _wanted(plan)
    starting = {move.host for move in plan.moves() if move.act == "start"} & wanted
    found: dict[str, str] = {}
    for fact in facts:
        host = fact.host or ""
        if fact.fact == names.NOT_COMPARED:
            found[host] = fact.why or ""
        elif fact.fact == names.MOVE_DONE and host in starting and fact.data.get("act") != "stop":
            found.setdefault(host, _FROM_OFF)
    seen = {} if plan.observation is None or plan.mode != "recover" else plan.observation.hosts
    alone = (one.host for one in plan.left_alone if state_of(seen.get(one.host)) == "returned")
    return found | {host: _LEFT_ALONE for host in alone if host in wanted}


def _wanted(plan: Plan) -> set[str]:
    """The hosts that would be compared if there were anything to compare them with."""
    inventory = plan.inventory
    carried: dict[str, tuple[str, ...]] = dict.fromkeys(inventory.hosts, ())
    for service in inventory.services.values():
        for host in service.hosts:
            carried[host] = (*carried[host], service.name)
    known = {services: comparison(inventory, services) is not None for services in set(carried.values())}
    return {host for host, services in carried.items() if known[services]}


def uncompared_lines(found: Mapping[str, str], width: int) -> Iterator[str]:
    """A block for people: each reason once, with its hosts."""
    if not found:
        return
    yield "Not compared with what they were before (only their checks were asked)"
    groups: dict[str, list[str]] = {}
    for host, why in found.items():
        groups.setdefault(why, []).append(host)
    for why, hosts in groups.items():
        yield from wrapped(printable(f"{listed(hosts)}: {why}"), width=width, first="  ", rest="    ")
