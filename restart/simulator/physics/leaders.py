"""Leaders: one member of a service leads, and when it goes down another that functions is elected."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from restart.model.inventory import Role
from restart.model.plan import Plan
from restart.simulator.physics.fleet import Fleet, Group, Rule


@dataclass(slots=True)
class Lead:
    """Who leads one service; None: an election goes on. `elections` were begun so far."""

    group: Group
    leader: str | None
    elections: int = 0
    waiting: bool = False


class Leaders(Rule):
    """Every service whose figures name a leader, and every one with a `role`: there the first member leads."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._of: dict[str, Lead] = {}
        for name, group in fleet.groups.items():
            if group.figures.leader is None and fleet.inventory.services[name].role is None:
                continue
            first = next((host for host in group.hosts if fleet.truth[host].up), None)
            lead = self._of[name] = Lead(group, group.figures.leader or first)
            self._tell(name, lead)

    def leads(self, service: str, host: str) -> bool:
        """Whether the member leads its service now."""
        lead = self._of.get(service)
        return lead is not None and lead.leader == host

    def stopped(self, service: str, host: str) -> None:
        lead = self._of.get(service)
        if lead is not None and lead.leader == host:
            lead.leader = None
            self._tell(service, lead)
            lead.elections += 1
            number = lead.elections
            self._fleet.agenda.after(lead.group.figures.election_s, lambda: self._elect(service, lead, number))

    def counted(self, service: str) -> None:
        lead = self._of.get(service)
        if lead is not None and lead.waiting:
            self._elect(service, lead, lead.elections)

    def _elect(self, service: str, lead: Lead, number: int) -> None:
        """The first member that functions, counted from behind: the next to lead is not the next to go by chance alone."""
        if lead.leader is not None or number != lead.elections:
            return
        able = [host for host in lead.group.hosts if self._fleet.truth[host].ready.get(service)]
        lead.waiting = not able
        if able:
            lead.leader = able[-1]
            self._fleet.tell("leads", lead.leader, service)
            self._tell(service, lead)

    def _tell(self, service: str, lead: Lead) -> None:
        for host in lead.group.hosts:
            leads = self._fleet.truth[host].leads
            if (service in leads) != (host == lead.leader):
                (leads.add if host == lead.leader else leads.discard)(service)
                self._fleet.changed.add(host)


def speakable(plan: Plan) -> Plan:
    """`plan`, with the words of a simulated member where the pattern that knows the leader is one whose words cannot be guessed.

    What the real command prints is not rehearsed then; who leads, and what follows from it, is.
    """
    services = {
        name: replace(service, role=replace(service.role, leader="^leader$"))
        for name, service in plan.inventory.services.items()
        if service.role is not None and None in (says(service.role, leads=True), says(service.role, leads=False))
    }
    if not services:
        return plan
    return replace(plan, inventory=replace(plan.inventory, services={**plan.inventory.services, **services}))


def says(role: Role, *, leads: bool) -> str | None:
    """What a member says of its role, so that the pattern tells it as it is; None: no such words were found."""
    plain = re.sub(r"\\(.)", r"\1", role.leader.strip("^$"))
    words = (
        ("leader", *(word for word in re.split(r"[|()^$]", plain) if word)) if leads else ("member", "no", "0", "-", "")
    )
    return next((word for word in words if (re.search(role.leader, word) is not None) == leads), None)
