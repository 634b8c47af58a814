"""Shutdowns, by heart: consumers first, the path last, the floors of what stays up, off where it is said (design: rules 2, 10, 15 and 20)."""

from __future__ import annotations

from restart.model.inventory import Limit, Service
from restart.simulator.referee.record import Record, some
from restart.simulator.referee.restated import down_max
from restart.simulator.truth import Act

DEFAULT_IN_FLIGHT = 10


def staying(record: Record) -> frozenset[str]:
    """The services of which a member is left when the plan is carried out."""
    seen = record.plan.observation
    off = {host for host, found in seen.hosts.items() if found.power == "off"} if seen is not None else set()
    gone = off | record.grounds.moves.keys()
    return frozenset(name for name, members in record.grounds.members.items() if members - gone)


def judge_off(record: Record, act: Act, host: str) -> None:
    """A host has been told to switch off, or its power is cut."""
    if host not in record.grounds.moves:
        record.call(7, f"{host} was switched off, and the plan has no move for it", host=host, at_s=act.at_s)
        return
    record.restarts_of(host).ever += 1
    if host in record.done:
        record.call(5, f"{host} was switched off again after its move was done", host=host, at_s=act.at_s)
    elif act.kind == "off":
        _judge_times(record, act, host)
    if host not in record.stopped:
        _judge_order(record, act, host)
        _judge_floors(record, act, host)
        _judge_limits(record, act, host)
        _judge_path(record, act, host)
    record.stopped[host] = act.at_s
    record.gone_silent.discard(host)
    record.claimed.discard(host)


def _judge_times(record: Record, act: Act, host: str) -> None:
    """Each rung tells a host once to switch off; one that still stands in the boot in which it was told may hear it again, as that came to nothing."""
    truth = record.truth.hosts[host]
    told_in = record.told_off.setdefault(host, [])
    in_vain = bool(told_in) and truth.up and truth.boot_id == told_in[-1]
    if not in_vain:
        told_in.append(truth.boot_id or record.boot_ids.get(host, ""))
    rungs = sum(kind == "poweroff" for kind in record.grounds.rungs[host])
    if len(told_in) > rungs:
        what = f"{host} was told to switch off {len(told_in)} times, its ladder has {rungs} such rungs"
        record.call(5, what, host=host, at_s=act.at_s)


def judge_off_done(record: Record, host: str) -> None:
    """A move is said to be done: its host must really be off; where a power control can tell, without power."""
    record.grounds.finished(host)
    truth = record.truth.hosts[host]
    tells = record.plan.inventory.hosts[host].power is not None
    # Without a power control silence is the proof, and a host that is cut off is silent too.
    if (tells and truth.powered) or (truth.up and (tells or host not in record.gone_silent)):
        record.call(10, f"{host} is said to be off, and it {'is up' if truth.up else 'has power'}", host=host)
    else:
        record.proved_off.add(host)


def _judge_order(record: Record, act: Act, host: str) -> None:
    """Whoever requires its services, goes down too, and was not given up, is off."""
    grounds = record.grounds
    mine = set(grounds.services_of[host])
    for consumer, edges in grounds.edges.items():
        needed = [edge.provider for edge in edges if edge.kind == "requires" and edge.provider in mine]
        if all(grounds.let_go(f"order.{provider}.{consumer}") for provider in needed):
            continue
        left = [
            other
            for other in grounds.unfinished[consumer]
            if other != host and record.truth.hosts[other].up and grounds.ring.get(other) != grounds.ring.get(host)
        ]
        if left:
            what = f"{act.kind} on {host} while {len(left)} hosts of its consumer {consumer} are up ({some(left)})"
            record.call(1, what, host=host, at_s=act.at_s)


def _judge_floors(record: Record, act: Act, host: str) -> None:
    """What stays up keeps its budget, and what it requires keeps as many as it needs."""
    up, services = staying(record), record.plan.inventory.services
    for name in record.grounds.services_of[host]:
        floor = _floor(services[name], record, up)
        if floor is None or record.grounds.let_go(f"budget.{name}"):
            continue
        gone = {other for other in record.grounds.members[name] if other in record.stopped or other == host}
        told = record.told
        begun = record.started_s.get(host, act.at_s)
        fresh_s = record.plan.inventory.policy.ready_fresh_s
        gone |= {other for other in record.not_ready[name] if not told.passed(name, other, by_s=begun, fresh_s=fresh_s)}
        left = len(record.grounds.members[name] - gone)
        if left < floor:
            what = f"{act.kind} on {host} leaves {left} of {len(services[name].hosts)} of {name}, {floor} must stay"
            record.call(2, what, host=host, at_s=act.at_s)


def _floor(service: Service, record: Record, up: frozenset[str]) -> int | None:
    stated = service.min_available is not None or service.max_unavailable is not None
    own = len(service.hosts) - down_max(service) if stated else None
    floors = [own] if own is not None and service.name in up else []
    for consumer in up:
        for edge in record.grounds.edges[consumer]:
            if edge.provider == service.name and edge.kind == "requires":
                floors.append(edge.needs if edge.needs is not None else 1 if own is None else own)
    return max(floors) if floors else None


def _judge_limits(record: Record, act: Act, host: str) -> None:
    """Moves in flight: told to switch off, and not done or given up yet."""
    inventory = record.plan.inventory
    limits = [limit for limit in inventory.limits.values() if limit.max_in_flight is not None]
    if not any(limit.per is None and limit.hosts is None for limit in limits):
        limits.append(Limit(name="fleet", max_in_flight=DEFAULT_IN_FLIGHT))
    in_flight = [other for other in record.stopped if other not in record.done and other not in record.failed]
    for limit in limits:
        place = _place(record, limit, host)
        if place is None or record.grounds.let_go(f"limit.{limit.name}"):
            continue
        beside = [other for other in in_flight if _place(record, limit, other) == place]
        amounts = [inventory.hosts[other].uses.get(limit.name, 1) for other in (*beside, host)]
        if sum(amounts) > (limit.max_in_flight or 0):
            what = f"{act.kind} on {host}: {sum(amounts):g} of limit.{limit.name} {place} are taken, at most {limit.max_in_flight} may be"
            record.call(3, what, host=host, at_s=act.at_s)


def _place(record: Record, limit: Limit, host: str) -> str | None:
    if limit.hosts is not None and host not in limit.hosts:
        return None
    return "" if limit.per is None else record.plan.inventory.hosts[host].labels.get(limit.per)


def _judge_path(record: Record, act: Act, host: str) -> None:
    """What the controller sees and reaches the fleet through goes last."""
    grounds = record.grounds
    if host not in grounds.path:
        return
    left = [other for other in grounds.moves if other not in grounds.early and grounds.is_unfinished(other)]
    if left:
        what = f"{act.kind} on {host}, on the path, before {len(left)} others are off ({some(left)})"
        record.call(1, what, host=host, at_s=act.at_s)
