"""What goes out, held against rules 4, 6, 7 and 9 at the moment when it begins."""

from __future__ import annotations

from collections.abc import Callable

from restart.model.check import Check, Verdict
from restart.model.request import (
    Ask,
    Claim,
    GiveSlots,
    KeepSlots,
    PowerOff,
    Read,
    Reboot,
    Request,
    RestartUnits,
    RunHook,
    RunStep,
    SwitchPower,
    TakeSlots,
)
from restart.simulator.referee.cold import opens_at
from restart.simulator.referee.record import Begun, Record
from restart.simulator.referee.restated import gate_checks
from restart.simulator.referee.spans import judge_window
from restart.simulator.referee.spares import promotes
from restart.simulator.referee.standing import KIND
from restart.simulator.referee.stopping import staying
from restart.simulator.referee.told import HAIR_S
from restart.simulator.referee.turns import judge_turn

_ACTS = Reboot | PowerOff | RestartUnits | SwitchPower


def judge_begin(record: Record, request: Request) -> None:
    """Judge one request, and write down that it began."""
    if record.parted is not None:
        record.call(6, f"{_name(request)} began after the lease was lost ({record.parted})", host=request.host)
    if isinstance(request, TakeSlots | GiveSlots | KeepSlots):
        if isinstance(request, GiveSlots):
            record.from_store.discard(request.host)
        return
    named = _judge_named(record, request)
    host = request.host
    if isinstance(request, Claim):
        record.claim_s[request.host] = record.at_s
    if not named or host is None or not isinstance(request, _ACTS | RunStep):
        return
    record.begun[request.id] = Begun(
        request=request, seq=record.seq, at_s=record.at_s, claim_s=record.claim_s.get(host)
    )
    _judge_flags(record, request, host)
    _judge_store(record, request, host)
    if isinstance(request, _ACTS):
        if isinstance(request, SwitchPower):
            _judge_cut(record, request)
        if host not in record.begun_acts:
            _judge_closed(record, request, host)
            judge_window(record, _name(request), host)
        if host not in record.begun_moves:
            _judge_gates(record, request, host)
            _judge_canaries(record, request, host)
            judge_turn(record, _name(request), host)
        _judge_looked(record, request, host)
        record.begun_acts.add(host)
        record.begun_moves.add(host)
        _touch(record, host)
    elif (
        isinstance(request, RunStep)
        and record.grounds.cold
        and (record.grounds.is_stand_in(request) or record.grounds.seeds(request))
    ):
        return  # part of a start that was judged when it began
    elif isinstance(request, RunStep) and not request.undo and host not in record.begun_moves:
        if record.started_seq.get(host, record.resumed_seq) < record.resumed_seq:
            # A drain under way when the controller died is repeated (contract 5); the restart after it is judged as a first act.
            return
        _judge_closed(record, request, host)
        judge_window(record, _name(request), host)
        _judge_gates(record, request, host)
        _judge_canaries(record, request, host)
        judge_turn(record, _name(request), host)
        record.begun_moves.add(host)
        _touch(record, host)


def _judge_looked(record: Record, request: Request, host: str) -> None:
    """Rule 9: a host that is to be compared and may be well is looked at before anything is done to it."""
    standing, grounds = record.standing, record.grounds
    services = grounds.services_of[host]
    excused = grounds.cold or grounds.stops or host in record.spares or host in standing.acted or host in standing.seen
    # Nobody can look at a host that has not let us in, as far as was told; only a recovery gets such a one up, by its other ways.
    let_in = record.truth.hosts[host].claimed_by == record.run and host not in record.unanswered
    excused = excused or (record.plan.mode == "recover" and not let_in)
    if not excused and standing.wants(services) and not any(record.told.ever_failed(name, host) for name in services):
        record.call(9, f"{_name(request)} restarts a host of which nobody has seen what stands on it", host=host)
    standing.acted.add(host)


def _touch(record: Record, host: str) -> None:
    """From now on, what is seen near this host is no longer from before the run."""
    for carried in record.grounds.services_of[host]:
        record.compared.touched.update(record.grounds.near[carried])


def fresh_of_watch(record: Record, index: int) -> float:
    """For how long, in seconds, a PASS of a watch counts: `gate_fresh`, or a beat and four time-outs where that is longer."""
    check = record.plan.inventory.watch[index]
    return max(record.plan.inventory.policy.gate_fresh_s, check.every_s + 4 * check.timeout_s)


def _judge_cut(record: Record, request: SwitchPower) -> None:
    """Rule 9: UNKNOWN opens nothing, and power is not cut on it, save where the rung says so (`blind`)."""
    if request.reset in ("on", "graceful") or record.power.get(request.host) in ("on", "off"):
        return
    if not any(rung.blind for rung in record.grounds.power_rungs(request.host) if rung.reset == request.reset):
        what = f"{_name(request)} ({request.reset}) cuts power, and nobody has said whether the host is on"
        record.call(9, what, host=request.host)


def _name(request: Request) -> str:
    where = f" on {request.host}" if request.host is not None else ""
    return f"{type(request).__name__} {request.id}{where}"


def _judge_named(record: Record, request: Request) -> bool:
    """Rule 7: only what the plan names is touched or asked."""
    grounds = record.grounds
    if isinstance(request, Ask):
        if request.host is not None and request.host not in record.plan.inventory.hosts:
            record.call(7, f"{_name(request)}: the plan knows no such host", host=request.host)
        elif not grounds.named_checks(request):
            record.call(7, f"{_name(request)} asks what the plan does not name", host=request.host)
        elif not all(
            request.host is not None and record.standing.names(check, grounds.services_of[request.host])
            for check in request.checks
            if check.kind == KIND
        ):
            record.call(
                7, f"{_name(request)} compares the host in a way that the plan does not name", host=request.host
            )
        elif (wrong := record.standing.wrong(request)) is not None or (
            wrong := record.compared.wrong(record.plan, request, record.seq)
        ) is not None:
            record.call(9, f"{_name(request)}: {wrong}", host=request.host)
        return True
    if isinstance(request, RunHook):
        if not grounds.named_hook(request):
            where = request.host or "the controller"
            what = f"{_name(request)}: the plan names no such hook on {where}: {request.hook}: {request.command}"
            record.call(7, what, host=request.host)
        return True
    if isinstance(request, Read):
        if not grounds.named_read(request):
            what = f"{_name(request)}: the plan names no such question about {request.service}: {request.command}"
            record.call(7, what, host=request.host)
        return request.host in grounds.moves
    if request.host not in grounds.moves:
        record.call(7, f"{_name(request)}: the plan has no move for this host", host=request.host)
        return False
    if isinstance(request, SwitchPower) and not grounds.named_reset(request):
        record.call(7, f"{_name(request)}: its ladder has no power rung {request.reset}", host=request.host)
    if isinstance(request, RunStep) and not grounds.named_step(request):
        what = f"{_name(request)}: the plan names no such command on {request.on}: {request.command}"
        record.call(7, what, host=request.host)
    return True


def _judge_closed(record: Record, request: Request, host: str) -> None:
    """Rule 4: after a halt, a stop, a lost lease or a failed watch nothing new starts.

    The first command of a drain is a start, and so is the first restart after a drain: until then nothing is lost by going back.
    """
    for hook in record.plan.inventory.hooks:
        if not record.hooks.get(hook.name):
            record.call(4, f"{_name(request)} starts before the hook {hook.name} is set", host=host)
    for closing in record.closings.values():
        if record.seq >= closing.seq:
            record.call(4, f"{_name(request)} starts after {closing.why} (event {closing.seq})", host=host)
            return
    for number, verdict in enumerate(record.told.watches, 1):
        if record.grounds.let_go(f"watch.{number}") or _is_off(
            record, f"watch.{number}", record.plan.inventory.watch[number - 1]
        ):
            continue
        if verdict is not Verdict.PASS:
            record.call(4, f"{_name(request)} starts while watch {number} is {verdict or 'not asked yet'}", host=host)
        elif record.at_s - record.told.watched_s[number - 1] > fresh_of_watch(record, number - 1) + HAIR_S:
            age_s = record.at_s - record.told.watched_s[number - 1]
            record.call(
                4, f"{_name(request)} starts though watch {number} has not been answered for {age_s:.0f}s", host=host
            )


def _judge_store(record: Record, request: Reboot | PowerOff | RestartUnits | RunStep | SwitchPower, host: str) -> None:
    """Rule 3 for limits that span the runs of a store: nothing is done to a host for which the store has not given its slots."""
    if host in record.from_store or (isinstance(request, RunStep) and request.undo):
        return
    found = record.plan.inventory.hosts[host]
    waived = {override.rule for override in record.plan.overrides}
    for limit in record.plan.inventory.limits.values():
        counts = limit.max_in_flight is not None or limit.capacity is not None or limit.shared is not None
        under = (limit.hosts is None or host in limit.hosts) and (limit.per is None or limit.per in found.labels)
        if limit.across_runs and counts and under and f"limit.{limit.name}" not in waived:
            what = f"{_name(request)} begins without a slot of limits.{limit.name}, which spans the runs of the store"
            record.call(3, what, host=host)


def _judge_flags(record: Record, request: Reboot | PowerOff | RestartUnits | RunStep | SwitchPower, host: str) -> None:
    """Rule 4 for stop flags: under one, nothing that touches what it stands on is done to a host, save that a drain is undone."""
    if isinstance(request, RunStep) and request.undo:
        return
    services = record.plan.inventory.services.values()
    drain = record.plan.inventory.playbooks[record.grounds.moves[host].playbook].drain
    where = {host, *(step.on for step in drain if step.on is not None)}
    touched = {service.name for service in services if where & set(service.hosts)}
    for target, flag in record.flags.items():
        _, _, scope = target.partition(" ")
        level, _, name = scope.partition(" ")
        if record.seq >= flag.seq and (level != "service" or name in touched):
            record.call(4, f"{_name(request)} begins under {flag.why} (event {flag.seq})", host=host)
            return


def _judge_gates(record: Record, request: Request, host: str) -> None:
    """Rule 9: the gates near a move have passed since the last move near it ended, and not longer ago than `gate_fresh`.

    A gate that takes two beats of its checks to be asked again is fresh for those two beats. A gate that never passed does not
    guard the repair of a member that is not ready.
    """
    begun = record.begun[request.id]
    decided_s = record.decided_s(host, begun)
    near: dict[str, None] = {}
    for carried in record.grounds.services_of[host]:
        near.update(dict.fromkeys(sorted(record.grounds.near[carried])))
    # An event may end one move and begin another at the same instant; what ended after the decision came too late for it.
    by_seq = record.started_seq.get(host, begun.seq)
    since_s = max((record.last_end_s(name, by_seq) for name in near), default=0.0)

    def late(service: str) -> set[str]:
        """The members of `service` whose moves had not been done when it was decided."""
        coming = record.grounds.members[service] & record.grounds.moves.keys()
        return {
            other
            for other in coming
            if other not in record.done
            or (record.done_seq[other] > by_seq and record.done_s[other] >= decided_s - HAIR_S)
        }

    for name in near:
        gate = record.told.gates.get(name)
        if gate is None or record.grounds.let_go(f"gate.{name}") or promotes(record, name, host):
            continue
        if record.grounds.stops and name not in staying(record):
            continue
        if record.grounds.cold and _asks_nobody(record, name, late):
            continue
        if name in record.grounds.dark and _is_still_out(record, name, late):
            continue
        # In a cold start nobody asks the gate of a group that the run takes for off, though its first member may have just come up.
        excused = gate.ever_failed or record.grounds.cold
        if excused and gate.held_s is None and _repairs(record, name, host, decided_s):
            continue
        service = record.plan.inventory.services[name]
        stated_s = record.plan.inventory.policy.gate_fresh_s if service.gate_fresh_s is None else service.gate_fresh_s
        fresh_s = max(stated_s, 2 * max(check.every_s for check in gate_checks(service)))
        must_s = max(check.healthy_for_s for check in gate_checks(service))
        if gate.held_s is None:
            how = f"has not passed (last told: {gate.last or 'nothing'})"
        elif gate.held_s < since_s + (must_s if since_s else 0.0) - HAIR_S:
            how = f"last passed at {gate.held_s:.1f}s and must for {must_s:g}s, a move near it ended at {since_s:.1f}s"
        elif decided_s - gate.held_s > fresh_s + HAIR_S:
            how = f"last passed {decided_s - gate.held_s:.1f}s ago, at most {fresh_s:g}s may be"
        else:
            continue
        record.call(9, f"{_name(request)} starts while the gate of {name} {how}", host=host)


def _asks_nobody(record: Record, service: str, late: Callable[[str], set[str]]) -> bool:
    """Whether the gate of `service` guarded nothing yet when it was decided: too few of its group were up, or it asks through one that is off."""
    found = record.plan.inventory.services[service]
    if any(_is_off(record, f"gate.{service}", check) for check in found.gate):
        return True
    if not record.grounds.members[service] & record.grounds.moves.keys():
        return False
    up = len(found.hosts) - len(record.not_ready[service] | set(record.aways.of(service)) | late(service))
    stated = found.ready_when is not None or found.min_available is not None or found.co_start
    return up < (opens_at(found, None) if stated else 1)


def _is_still_out(record: Record, service: str, late: Callable[[str], set[str]]) -> bool:
    """Whether too few of a service that was down as a whole were back for its gate to pass when it was decided."""
    found = record.plan.inventory.services[service]
    return len(found.hosts) - len(late(service)) < opens_at(found, None)


def _is_off(record: Record, rule: str, check: Check) -> bool:
    """Whether the question goes to a host that this run has still to start, or through a service of which not enough has ever been ready."""
    grounds, service = record.grounds, check.service
    asked = [host for host in grounds.moves if rule in record.plan.inventory.hosts[host].asked_by]
    if grounds.stops:
        up = staying(record)
        return not up or (service is not None and service not in up) or (bool(asked) and rule.startswith("watch."))
    if grounds.cold and any(host not in record.done | record.failed.keys() | record.doubtful for host in asked):
        return True
    if service is None or not grounds.cold or not grounds.members[service] & grounds.moves.keys():
        return False
    started = grounds.members[service] & grounds.moves.keys()
    outside = len(grounds.members[service]) - len(started)
    return outside + len(started & record.done) < opens_at(record.plan.inventory.services[service], None)


def _judge_canaries(record: Record, request: Request, host: str) -> None:
    """Rule 9 for canaries that are watched: nothing else of their kind begins before they have held for `canary_for`."""
    inventory, grounds = record.plan.inventory, record.grounds
    image = inventory.hosts[host].labels.get("image", "")
    for name in grounds.services_of[host]:
        service, policy = inventory.services[name], inventory.policy
        for_s = policy.canary_for_s if service.canary_for_s is None else service.canary_for_s
        stated = policy.canaries if service.canaries is None else service.canaries
        canaries = (1 if record.plan.mode == "rolling" else 0) if stated is None else stated
        alike = [
            other
            for other in grounds.members[name]
            if other in grounds.moves
            and other not in record.spares
            and inventory.hosts[other].labels.get("image", "") == image
        ]
        if not for_s or len(alike) < 2 or host in record.spares or grounds.let_go(f"canary.{name}/{image}".rstrip("/")):
            continue
        held = [other for other in alike if record.done_s.get(other, record.at_s) + for_s <= record.at_s + HAIR_S]
        leading = [
            other
            for other in alike
            if other in record.begun_moves
            and other not in (host, *held)
            and other not in record.failed
            and (other in grounds.unfinished[name] or other in record.done)
        ]
        if len(held) < canaries <= len(held) + len(leading):
            what = (
                f"{_name(request)} starts before {', '.join(sorted(leading))} of {name}/{image} has held for {for_s:g}s"
            )
            record.call(9, what, host=host)


def _repairs(record: Record, service: str, host: str, decided_s: float) -> bool:
    """Whether this move repairs a member of the gate's own service."""
    if service not in record.grounds.services_of[host]:
        return False
    fresh_s = record.plan.inventory.policy.ready_fresh_s
    return host in record.not_ready[service] or record.told.failed(service, host, by_s=decided_s, fresh_s=fresh_s)
