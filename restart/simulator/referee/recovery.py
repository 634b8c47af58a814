"""What a recovery may not do, whatever else holds: restart a host that is well, or one that may still come back by itself (rule 17).

These are called as rule 2: in a recovery what is up loses nothing by our doing.
"""

from __future__ import annotations

from math import inf

from restart.simulator.referee.record import Record
from restart.simulator.truth import Act


def judge_recovery(record: Record, act: Act, host: str, decided_s: float) -> None:
    """Judge one restart or switch of power in a recovery."""
    if record.plan.mode != "recover":
        return
    move = record.grounds.moves[host]
    until_s = move.returning_until_s
    if move.conditional and until_s is not None and act.at_s < until_s:
        what = f"{act.kind} on {host}, which may come back by itself until {until_s:g}s"
        record.call(2, what, host=host, at_s=act.at_s)
    services = record.grounds.services_of[host]
    if not services:
        return
    # As it was when it was last looked at: by now the act may have struck.
    if all(host not in record.not_ready[name] and _might_know(record, name, host, decided_s) for name in services):
        record.call(
            2, f"{act.kind} on {host}, which is up and well: a recovery leaves it alone", host=host, at_s=act.at_s
        )


def _might_know(record: Record, service: str, host: str, decided_s: float) -> bool:
    """Whether a run that asks as it has to knew by then that this member is well: it was told so, or would have been had it asked."""
    fresh_s = record.plan.inventory.policy.ready_fresh_s
    told = record.told
    asked = told.heard(service, host, by_s=decided_s, fresh_s=fresh_s) or host in record.unanswered
    well_s = record.ready_s.get((service, host), -inf)
    return told.passed(service, host, by_s=decided_s, fresh_s=fresh_s) or (not asked and well_s < decided_s - fresh_s)


def is_well(record: Record, host: str) -> bool:
    """Whether a host that was not restarted need not be: in a recovery or a cold start one that is up and ready is where it should be, whoever switched it on."""
    truth = record.truth.hosts[host]
    return (record.plan.mode == "recover" or record.grounds.cold) and truth.up and all(truth.ready.values())


def rebooted_by_others(record: Record, host: str) -> bool:
    """Whether a host that no act of the run has taken away is ready in another boot than at first: somebody else was quicker.

    A member that does not function counts where its checks were told PASS in that boot: as after a restart of ours, a check that lies
    is nobody's fault.
    """
    truth = record.truth.hosts[host]
    return (
        truth.up
        and truth.boot_id != record.first_boot[host]
        and all(ready or _told_well(record, service, host) for service, ready in truth.ready.items())
    )


def _told_well(record: Record, service: str, host: str) -> bool:
    """Whether the last word on this member was a PASS, of the boot that it is in."""
    booted_s = record.truth.hosts[host].boot_finished_s
    if booted_s is None:
        return False
    fresh_s = min(record.plan.inventory.policy.ready_fresh_s, record.at_s - booted_s)
    return record.told.passed(service, host, by_s=record.at_s, fresh_s=fresh_s)
