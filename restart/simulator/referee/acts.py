"""What reached a host, held against rules 1, 2, 3, 5, 6 and 7 by the true state of the fleet at that moment.

Allowances, each because nobody could know better:

* a member that is truly not ready is not counted where the world had told PASS of it no more than `ready_fresh` before the run
  decided (see `Record.decided_s`); so a lying check, or a death on the way, is not the engine's fault;
* what changed between two events is taken at the better of the two: a member counts as not ready where it was so at both.
"""

from __future__ import annotations

from math import inf

from restart.model.request import RunStep
from restart.simulator.referee.away import Away, Place
from restart.simulator.referee.grounds import REBOOTING_RUNGS
from restart.simulator.referee.leading import judge_leader
from restart.simulator.referee.record import Begun, Record, some
from restart.simulator.referee.recovery import judge_recovery
from restart.simulator.referee.restated import Cap
from restart.simulator.referee.spares import promotes
from restart.simulator.referee.stages import heard_stand_in, judge_seed
from restart.simulator.referee.stopping import judge_off
from restart.simulator.referee.told import HAIR_S
from restart.simulator.truth import Act


def judge_act(record: Record, act: Act) -> None:
    """Judge one act that the world took, and write down what it did."""
    host = act.host
    if act.kind == "hook" and act.accepted:
        said, _, name = act.detail.partition(" ")
        record.hooks[name] = said == "set"
        return
    if host is None or not act.accepted:
        return
    if record.grounds.stops and act.kind in ("off", "power"):
        _judge_claim(record, act, host)
        if host not in record.stopped:
            judge_leader(record, act, host)
        judge_off(record, act, host)
    elif record.grounds.stops and act.kind == "step":
        if not getattr(record.begun.get(act.request), "undo", False):
            _judge_claim(record, act, host)
    elif act.kind == "claim":
        record.claimed.add(host)
    elif act.kind == "release":
        record.claimed.discard(host)
    elif act.kind in ("reboot", "units", "power"):
        _judge_restart(record, act, host)
    elif act.kind == "step":
        _judge_step(record, act, host)


def _judge_step(record: Record, act: Act, host: str) -> None:
    begun = record.begun.get(act.request)
    if begun is None or not isinstance(begun.request, RunStep) or host not in record.grounds.moves:
        return
    heard_stand_in(record, begun.request)
    away = record.aways.get(host)
    seeds = record.grounds.seeds(begun.request) if record.grounds.cold else None
    if seeds is not None:
        _judge_claim(record, act, host)
        judge_seed(record, seeds, host)
        return
    if record.grounds.cold and record.grounds.is_stand_in(begun.request):
        if begun.request.on == host:
            _judge_claim(record, act, host)
        return
    if begun.request.undo:
        if away is not None and not away.acted:
            record.aways.come_back(host, freed=True)
        return
    _judge_claim(record, act, host)
    if away is None:
        if record.started_seq.get(host, record.resumed_seq) >= record.resumed_seq:
            # Else the drain was under way when the controller died, and is repeated; the restart after it is judged.
            _judge_budgets(record, act, host, begun)
        _judge_limits(record, act, host)
        record.aways.add(_away(record, host, begun))
    if not record.grounds.ladder[host] and (away := record.aways.get(host)) is not None:
        # A spare that its steps alone promote: after the last of them its checks must hold.
        away.acted = away.booted = True
        away.acted_s = away.booted_s = act.at_s
        away.streaks.clear()


def _judge_restart(record: Record, act: Act, host: str) -> None:
    begun = record.begun.get(act.request)
    if host not in record.grounds.moves:
        record.call(7, f"{host} was restarted ({act.kind}), and the plan has no move for it", host=host, at_s=act.at_s)
        return
    if begun is None:
        return
    _judge_claim(record, act, host)
    _forgive_in_vain(record, act, host)
    _judge_times(record, act, host)
    _judge_rates(record, act, host, begun)
    record.aways.switched_on(host)
    away = record.aways.get(host)
    if away is None or not away.acted:
        _judge_order(record, act, host, begun)
        if record.grounds.cold:
            _judge_cold_order(record, act, host)
        else:
            judge_leader(record, act, host)
            _judge_budgets(record, act, host, begun)
        judge_recovery(record, act, host, record.decided_s(host, begun))
    if away is None:
        _judge_limits(record, act, host)
        away = _away(record, host, begun)
        record.aways.add(away)
    away.acted, away.acted_s = True, act.at_s
    away.booted, away.booted_s = act.kind == "units", act.at_s
    away.boots_before, away.boot_before = record.boots.get(host, 0), record.boot_ids.get(host, "")
    away.in_vain = False
    away.streaks.clear()
    if act.kind != "units":
        record.claimed.discard(host)  # a claim does not outlive the boot


def _away(record: Record, host: str, begun: Begun) -> Away:
    return Away(
        host=host,
        services=record.grounds.services_of[host],
        decided_s=record.decided_s(host, begun),
        boots_before=record.boots.get(host, 0),
    )


def _judge_claim(record: Record, act: Act, host: str) -> None:
    """Rule 6: a host is claimed before the first act on it, and what another run holds is left alone."""
    holder = record.truth.hosts[host].claimed_by
    if host in record.foreign and holder is not None and holder != record.run:
        record.call(6, f"{act.kind} on {host}, which run {holder} holds, by run {record.run}", host=host, at_s=act.at_s)
    elif host not in record.claimed and act.kind != "power":
        record.call(6, f"{act.kind} on {host} without a claim on it", host=host, at_s=act.at_s)


def _forgive_in_vain(record: Record, act: Act, host: str) -> None:
    """A reboot that came to nothing was not carried out: the host stands in the old boot, and the run was told so."""
    away, truth = record.aways.get(host), record.truth.hosts[host]
    if act.kind == "reboot" and away is not None and away.in_vain and truth.up and truth.boot_id == away.boot_before:
        record.restarts_of(host).boots -= 1


def _judge_times(record: Record, act: Act, host: str) -> None:
    """Rule 5: each rung restarts a host once, and a move that is done is not carried out again."""
    if act.kind == "power" and act.detail == "on":
        return  # gives power to a host that has none: it takes nothing down, and may be repeated
    count = record.restarts_of(host)
    count.ever += 1
    rungs = record.grounds.rungs[host]
    if act.kind == "units":
        count.units += 1
        allowed, times = sum(kind == "service_restart" for kind in rungs), count.units
    else:
        count.boots += 1
        allowed, times = sum(kind in REBOOTING_RUNGS for kind in rungs), count.boots
    if host in record.done:
        record.call(5, f"{host} was restarted ({act.kind}) again after its move was done", host=host, at_s=act.at_s)
    elif times > allowed:
        what = f"{host} was restarted ({act.kind}) {times} times, its ladder has {allowed} such rungs"
        record.call(5, what, host=host, at_s=act.at_s)


def not_ready(record: Record, service: str, decided_s: float, but: str) -> set[str]:
    """Members of `service` that are not ready for any reason that the run could know by `decided_s`, `but` left out."""
    fresh_s = record.plan.inventory.policy.ready_fresh_s
    members = record.grounds.members[service]
    found = {host for host in record.aways.of(service) if host != but and host in members}
    for host in record.not_ready[service] & members:
        truth = record.truth.hosts[host]
        if host == but or host in found or (truth.up and truth.ready.get(service, host not in record.spares)):
            continue
        if not record.told.passed(service, host, by_s=decided_s, fresh_s=fresh_s):
            found.add(host)
    return found


def _judge_budgets(record: Record, act: Act, host: str, begun: Begun) -> None:
    """Rule 2: no act takes a service below its budget. The sick take nothing from it."""
    decided_s = record.decided_s(host, begun)
    known_s = record.started_s.get(host, decided_s)
    fresh_s = record.plan.inventory.policy.ready_fresh_s
    for service in record.grounds.services_of[host]:
        sick = host in record.not_ready[service] or record.told.failed(service, host, by_s=known_s, fresh_s=fresh_s)
        gone = host not in record.grounds.members[service]  # a spare has taken its place
        if (
            sick
            or gone
            or _has_just_come_back(record, service, host, decided_s)
            or promotes(record, service, host)
            or record.grounds.let_go(f"budget.{service}")
        ):
            continue
        missing = not_ready(record, service, decided_s, host)
        allowed, members = record.grounds.down_max[service], len(record.grounds.members[service])
        if len(missing) + 1 > allowed:
            what = (
                f"{act.kind} on {host} takes {service} to {members - len(missing) - 1} of {members} available, "
                f"{members - allowed} must be (not ready: {some(missing)})"
            )
            record.call(2, what, host=host, at_s=act.at_s)


def _has_just_come_back(record: Record, service: str, host: str, decided_s: float) -> bool:
    """Whether a host of a recovery that came back by itself was away no longer than `ready_fresh` before it was decided, and nobody was told otherwise."""
    fresh_s = record.plan.inventory.policy.ready_fresh_s
    late = record.ready_s.get((service, host), -inf) >= decided_s - fresh_s
    return (
        record.plan.mode == "recover"
        and late
        and not record.told.passed(service, host, by_s=decided_s, fresh_s=fresh_s)
    )


def _judge_order(record: Record, act: Act, host: str, begun: Begun) -> None:
    """Rule 1: every provider it requires is ready at that instant, and its moves in scope have finished."""
    decided_s = record.decided_s(host, begun)
    for service in record.grounds.services_of[host]:
        for edge in record.grounds.edges[service]:
            if edge.kind != "requires":
                continue
            missing = not_ready(record, edge.provider, decided_s, host)
            members, needed = len(record.grounds.members[edge.provider]), record.grounds.needed(edge)
            opens = record.grounds.cold or edge.provider in record.grounds.dark
            if opens:
                # It cannot wait for itself, nor for those that wait for it only because services share hosts.
                ring = record.grounds.ring
                beside = [
                    name
                    for name in record.grounds.members[edge.provider]
                    if name in ring and ring[name] == ring.get(host)
                ]
                needed = min(needed, members - len(beside))
            ready_now = record.grounds.let_go(f"requires.{service}.{edge.provider}") or members - len(missing) >= needed
            if not ready_now:
                what = (
                    f"{act.kind} on {host} of {service} with {members - len(missing)} of {members} of {edge.provider} ready, "
                    f"{needed} needed (not ready: {some(missing)})"
                )
                record.call(1, what, host=host, at_s=act.at_s)
            left = record.grounds.waits_for(host, edge)
            if left and not opens and not record.grounds.let_go(f"order.{service}.{edge.provider}"):
                what = (
                    f"{act.kind} on {host} of {service} before {len(left)} moves of its provider {edge.provider} "
                    f"have finished ({some(left)})"
                )
                record.call(1, what, host=host, at_s=act.at_s)


def _judge_cold_order(record: Record, act: Act, host: str) -> None:
    """Rules 4 and 10 for a cold start: what goes before has booted or was given up, and the path goes first."""
    grounds = record.grounds
    for service in grounds.services_of[host]:
        for edge in grounds.edges[service]:
            if edge.kind != "after":
                continue
            left = [
                other
                for other in grounds.unfinished[edge.provider]
                if other != host and not record.truth.hosts[other].up and grounds.wave_of[other] < grounds.wave_of[host]
            ]
            if left:
                what = f"{act.kind} on {host} of {service}, which goes after {edge.provider}, before {some(left)} have booted"
                record.call(1, what, host=host, at_s=act.at_s)
    if host not in grounds.early:
        first = [name for name in grounds.moves if name in grounds.path and grounds.is_unfinished(name)]
        if first:
            what = f"{act.kind} on {host} before the path's {some(first)} are back"
            record.call(1, what, host=host, at_s=act.at_s)


def _judge_limits(record: Record, act: Act, host: str) -> None:
    """Rule 3: at the cap is allowed, above it is not."""
    for place, cap in record.aways.places(host, record.grounds.services_of[host]):
        if cap.kind != "rate" and not cap.from_booted:
            _judge_place(record, place, cap, host, act.kind, act.at_s)
    for limit, value in record.aways.domains(host):
        touched = record.aways.touched(limit) | {value}
        if len(touched) > (limit.max_domains or 0) and not record.grounds.let_go(f"limit.{limit.name}.max_domains"):
            what = (
                f"{act.kind} on {host}: {len(touched)} domains of limit.{limit.name} are touched ({some(touched)}), "
                f"at most {limit.max_domains} may be"
            )
            record.call(3, what, host=host, at_s=act.at_s)


def judge_booted(record: Record, host: str) -> None:
    """Rule 3 for limits that hold from the end of a boot: `host` has just booted."""
    for place, cap in record.aways.places(host, record.grounds.services_of[host]):
        if cap.from_booted:
            _judge_place(record, place, cap, host, "the boot", record.at_s)


def _judge_place(record: Record, place: Place, cap: Cap, host: str, how: str, at_s: float) -> None:
    held = [name for name in record.aways.holders(place, at_s, record.gates_held_s) if name != host]
    taken = record.aways.anyway(place, cap) + sum(cap.amount(name) for name in (*held, host))
    if taken > cap.most + HAIR_S and not record.grounds.let_go(cap.name):
        where = " ".join(part for part in place if part)
        what = f"{how} on {host}: {taken:g} of {where} are taken, at most {cap.most:g} may be (held by {some(held)})"
        record.call(3, what, host=host, at_s=at_s)


def _judge_rates(record: Record, act: Act, host: str, begun: Begun) -> None:
    """Rule 3 for rates: restarts begin no faster."""
    for place, cap in record.aways.places(host, record.grounds.services_of[host]):
        if cap.kind == "rate":
            span_s = cap.held_s or 0.0
            count = record.aways.start(place, begun.at_s, span_s)
            if count > cap.most and not record.grounds.let_go(cap.name):
                where = " ".join(part for part in place if part)
                what = (
                    f"{act.kind} on {host}: {count} starts of {where} within {span_s:g}s, at most {cap.most:g} may be"
                )
                record.call(3, what, host=host, at_s=act.at_s)
