"""The brakes, by heart (design: section 4, Failure): from which failure on nothing new may start.

How many are borne; two canaries that share a value of a label; a cluster, which chance alone gives at most once in a thousand; a meltdown. A canary
that misses its first rung counts as failed at once, until a later one brings it back.
"""

from __future__ import annotations

from fractions import Fraction
from math import comb, floor

from restart.model.event import Fact
from restart.simulator.referee.record import Closing, Record
from restart.simulator.referee.turns import leads

CHANCE_MAX = Fraction(1, 1000)
MELTDOWN_FAILED_MIN, MELTDOWN_SHARE_MIN, MELTDOWN_S = 5, Fraction(1, 5), 600.0


def ended_well(record: Record, host: str, at_s: float) -> None:
    """The move of `host` has ended, and its host is up."""
    record.finished_s[host] = at_s
    record.late.pop(host, None)
    record.canaries_failed.discard(host)


def forgiven(record: Record, host: str) -> None:
    """An operator has decided on `host`."""
    record.finished_s.pop(host, None)
    record.late.pop(host, None)
    record.canaries_failed.discard(host)


def failed(record: Record, fact: Fact, host: str) -> None:
    """The move of `host` was given up (it is among `record.failed`)."""
    if leads(record, host):
        record.canaries_failed.add(host)
    _judge(record, host, fact.at_s)


def missed(record: Record, fact: Fact, host: str) -> None:
    """A rung did not bring `host` back. A canary's first counts at once where there are others."""
    if fact.data.get("number") != 1 or len(record.grounds.ladder[host]) < 2 or not leads(record, host):
        return
    away = record.aways.get(host)
    if away is None or not away.acted:
        return
    record.late[host] = None
    if away.troubled:
        # What its checks said after its first rung is a true reason to halt, also where a later rung brings it back.
        record.reason(5, away.troubled)
    record.canaries_failed.add(host)
    why = _judge(record, host, fact.at_s)
    if why is not None:
        record.reason(5, why)


def _judge(record: Record, host: str, at_s: float) -> str | None:
    """From this failure of `host` on nothing new starts where any of the brakes says so; why."""
    record.finished_s[host] = at_s
    why = _canary_pair(record) or _cluster(record, host) or _meltdown(record, at_s) or _too_many(record)
    if why is not None:
        record.closings.setdefault("failures", Closing(record.seq + 1, why))
    return why


def _bad(record: Record) -> set[str]:
    return {*record.failed, *record.late}


def _canary_pair(record: Record) -> str | None:
    inventory = record.plan.inventory
    for label in inventory.policy.cluster_by:
        seen: dict[str, str] = {}
        for host in sorted(record.canaries_failed):
            value = inventory.hosts[host].labels.get(label)
            if value is not None and value in seen:
                return f"the canaries {seen[value]} and {host} failed and share {label}={value}"
            if value is not None:
                seen[value] = host
    return None


def _cluster(record: Record, host: str) -> str | None:
    inventory, bad = record.plan.inventory, _bad(record)
    for label in inventory.policy.cluster_by:
        value = inventory.hosts[host].labels.get(label)
        if value is None:
            continue
        among = [other for other in record.finished_s if inventory.hosts[other].labels.get(label) == value]
        failures = sum(other in bad for other in among)
        if failures > 1 and _is_no_chance(failures, len(among), Fraction(str(inventory.policy.never_return))):
            return f"{failures} of {len(among)} finished hosts with {label}={value} failed"
    return None


def _is_no_chance(failures: int, among: int, rate: Fraction) -> bool:
    """Whether so many failures, or more, come by chance at most once in a thousand."""
    if failures <= rate * among:
        return False
    fewer = sum(comb(among, count) * rate**count * (1 - rate) ** (among - count) for count in range(failures))
    return 1 - fewer <= CHANCE_MAX


def _meltdown(record: Record, at_s: float) -> str | None:
    bad = _bad(record)
    recent = [host for host, ended_s in record.finished_s.items() if ended_s >= at_s - MELTDOWN_S]
    failures = sum(host in bad for host in recent)
    if failures >= MELTDOWN_FAILED_MIN and failures >= MELTDOWN_SHARE_MIN * len(recent):
        return f"{failures} of {len(recent)} moves that ended within {MELTDOWN_S:g}s failed"
    return None


def _too_many(record: Record) -> str | None:
    policy, bad = record.plan.inventory.policy, _bad(record)
    borne = policy.max_failures
    if policy.on_failure == "contain":
        usual = max(1, floor(policy.never_return * (len(record.grounds.moves) - len(record.spares)) + 1e-9))
        borne = usual if borne is None else borne
        borne = max(borne + 1, floor(1.5 * borne))
    borne = borne or 0
    return f"{len(bad)} failed, at most {borne} are borne" if len(bad) > borne else None
