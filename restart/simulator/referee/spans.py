"""Rule 4 for maintenance windows: no first act whose whole ladder might not end inside. Restated; nothing of `restart.rules` is used."""

from __future__ import annotations

from datetime import UTC, datetime

from restart.model.check import SSH_CHECK
from restart.model.playbook import Rung
from restart.simulator.referee.record import Record
from restart.simulator.referee.told import HAIR_S


def since_1970(utc: str, at_s: float) -> float | None:
    """What a clock that says `utc` at `at_s` of the run makes of its second 0; None: it says nothing."""
    return None if not utc else datetime.fromisoformat(utc).timestamp() - at_s


def judge_window(record: Record, what: str, host: str) -> None:
    """Judge the first act on `host`, which is about to begin."""
    plan = record.plan
    if not _rules(record):
        return
    if record.zero_s is None:
        record.call(4, f"{what} starts though nobody knows whether a maintenance window is open", host=host)
        return
    now_s = record.zero_s + record.at_s
    open_now = [span for span in plan.windows if _at(span.opens) <= now_s + HAIR_S and now_s < _at(span.closes)]
    said = datetime.fromtimestamp(now_s, UTC).isoformat()
    if not open_now:
        record.call(4, f"{what} starts at {said}, outside of every maintenance window", host=host)
    elif now_s + at_most_s(record, host) > _at(open_now[0].closes) + HAIR_S:
        at_most = f"its ladder may take {at_most_s(record, host):g}s"
        record.call(4, f"{what} starts at {said}: {at_most}, the window closes at {open_now[0].closes}", host=host)


def no_room(record: Record) -> str | None:
    """A host that is still to be restarted and for which no open window has room now: a true reason to stop; None: there is none."""
    if not _rules(record):
        return None
    now_s = None if record.zero_s is None else record.zero_s + record.at_s
    closes_s = [_at(span.closes) for span in record.plan.windows if now_s is not None and _at(span.opens) <= now_s]
    for host, move in record.grounds.moves.items():
        drain = record.plan.inventory.playbooks[move.playbook].drain
        need_s = at_most_s(record, host) + sum(step.timeout_s for step in drain if step.approve is None)
        if host not in record.done and not any(now_s is not None and now_s + need_s <= at_s for at_s in closes_s):
            return f"no maintenance window has room for {host} now"
    return None


def _rules(record: Record) -> bool:
    policy = record.plan.inventory.policy
    waived = any(override.rule == "window" for override in record.plan.overrides)
    return bool(policy.windows or policy.blackouts) and not waived


def at_most_s(record: Record, host: str) -> float:
    """What is left for a host that has been drained, each deadline used up: every rung and the checks after it, then the undrain."""
    plan, move = record.plan, record.grounds.moves[host]
    book = plan.inventory.playbooks[move.playbook]
    asked = [check for name in move.services for check in plan.inventory.services[name].ready or (SSH_CHECK,)]
    checks_s = max(check.within_s + check.timeout_s + check.healthy_for_s for check in asked or [SSH_CHECK])
    ladder = book.stop if move.act == "stop" else book.start if move.act == "start" else book.restart
    if move.act == "start" and not ladder:
        # Nobody said how: its power control, where it has one, and then a person, with a quarter of an hour each.
        powered = plan.inventory.hosts[host].power is not None
        ladder = (Rung(kind="power", back_within_s=900.0),) * (2 if powered else 1)
    undrain_s = sum(step.timeout_s for step in book.drain if step.undo is not None)
    return sum(_longest_s(rung) + checks_s for rung in ladder) + undrain_s


def _longest_s(rung: Rung) -> float:
    match rung.kind:
        case "service_restart":
            return rung.ready_within_s
        case "poweroff":
            return rung.down_within_s
        case _:
            return max(rung.down_within_s, rung.back_within_s)


def _at(utc: str) -> float:
    return datetime.fromisoformat(utc).timestamp()
