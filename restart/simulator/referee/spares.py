"""Spares (design: rule 19): one may be touched only for a member of its service that was given up, and counts as a member from then on.

The referee takes the engine's word for whose place a spare takes, and for nothing else of it: whether that member was given up, and whether
the plan says that this spare stands by for this service, it knows itself. What is not so is no move of the plan, and every act on the host is called.
"""

from __future__ import annotations

from dataclasses import replace

from restart.model.event import Fact
from restart.model.plan import Move
from restart.simulator.referee.grounds import Grounds
from restart.simulator.referee.record import Record
from restart.simulator.referee.restated import down_max, ladder_of


def heard_promoted(record: Record, fact: Fact) -> None:
    """The engine says that a spare takes the place of a member."""
    host, service, member = fact.host or "", fact.service or "", str(fact.data.get("member"))
    standing = [found for found in record.plan.spares if (found.host, found.service) == (host, service)]
    if not standing or host in record.grounds.moves:
        record.call(7, f"{host} is to take a place in {service}, and it does not stand by for that", host=host)
        return
    holder = record.holders.get((service, member), member)
    carried = member in record.grounds.services_of and service in record.grounds.services_of[member]
    if not carried or member not in record.lost or holder not in record.failed:
        what = f"{host} is to take the place of {member} in {service}, which was not given up"
        record.call(7, what, host=host)
        return
    record.holders[service, member] = host
    grounds = record.grounds
    inventory = grounds.inventory
    services = (service, *(name for name in grounds.services_of[host] if name != service))
    move = Move(host=host, services=services, playbook=standing[0].playbook)
    grounds.moves[host], grounds.services_of[host] = move, services
    grounds.wave_of[host] = grounds.wave_of[member]
    grounds.ring[host] = grounds.ring[member]  # it waits for what the lost one had waited for
    grounds.ladder[host] = ladder_of(inventory.playbooks[move.playbook], move.act, inventory.hosts[host])
    grounds.rungs[host] = tuple(rung.kind for rung in grounds.ladder[host])
    grounds.not_finished(host)
    record.spares.add(host)
    _exchange(grounds, service, gone=holder, come=host)
    record.not_ready[service].add(host)


def returned(record: Record, host: str) -> None:
    """The move of `host` has ended well: a lost member whose place was taken is a member again, beside the spare."""
    for (service, member), holder in tuple(record.holders.items()):
        if member == host and holder != host:
            del record.holders[service, member]
            _exchange(record.grounds, service, gone=holder if holder in record.failed else None, come=host)


def promotes(record: Record, service: str, host: str) -> bool:
    """Whether the move of `host` brings it into `service`."""
    return host in record.spares and record.grounds.moves[host].services[0] == service


def _exchange(grounds: Grounds, service: str, *, gone: str | None, come: str) -> None:
    members = (grounds.members[service] - {gone}) | {come}
    grounds.members[service] = members
    grounds.sized[service] = replace(grounds.inventory.services[service], hosts=tuple(sorted(members)))
    grounds.down_max[service] = down_max(grounds.sized[service])
