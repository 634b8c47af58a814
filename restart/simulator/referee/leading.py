"""Leaders, by heart: who leads a service goes last of it, restarted or stopped (design: rule 19)."""

from __future__ import annotations

from restart.simulator.referee.record import Record, some
from restart.simulator.truth import Act

ASKING_S = 10.0
"""What a member says of its role may be as old as this when the run decides."""


def judge_leader(record: Record, act: Act, host: str) -> None:
    """Its first restart, or its first stop. Nobody can know who came to lead while the question was on its way."""
    begun = record.begun.get(act.request)
    move = record.grounds.moves.get(host)
    if begun is None or move is None or move.act == "start":
        return
    asked_s = record.decided_s(host, begun) - ASKING_S
    for service in record.grounds.services_of[host]:
        if record.plan.inventory.services[service].role is None or record.grounds.let_go(f"role.{service}"):
            continue
        leader, since_s = record.leads.get(service, ("", 0.0))
        left = [other for other in record.grounds.unfinished[service] if other != host and other not in record.doubtful]
        if leader == host and since_s <= asked_s and left:
            what = f"{act.kind} on {host}, which leads {service}, before {len(left)} members of it ({some(left)})"
            record.call(1, what, host=host, at_s=act.at_s)
