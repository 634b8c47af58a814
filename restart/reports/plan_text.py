"""A plan as text for people: who, why, how long, what gets thin. Plain characters, good at 80 columns and in a pipe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from restart.model.check import Verdict
from restart.model.plan import Impact, Move, Plan, Wave
from restart.reports.prose import count, listed, printable, wrapped
from restart.rules.budgets import may_be_down
from restart.rules.cuts import may_be_cut
from restart.rules.durations import spoken
from restart.rules.groups import opens_with
from restart.rules.stops import floors, gone

WIDTH = 80
CHAIN_MAX = 8
"""Hosts of the longest chain that are written out before its last."""

TIME_OLD_S = 5.0
"""From this age on, in seconds, what a plan says of the time that is left is counted anew."""


def plan_text(plan: Plan, *, width: int = WIDTH, verdict: Sequence[str] = ()) -> str:
    """The whole plan; `verdict`: lines about what becomes of it when a host is lost.

    Ends with a newline; no line is wider than `width`, save for a name that is.
    """
    lines = [*_head(plan, width)]
    for wave in plan.waves:
        lines += ["", *_wave(plan, wave, width)]
    lines += ["", *_impact(plan.impact)]
    if verdict:
        lines += ["", "If any one host is lost, when it can be spared least", *(f"  {line}" for line in verdict)]
    if plan.spares:
        lines += ["", "Stand by", *_stand_by(plan, width)]
    if plan.left_alone:
        lines += ["", "Left alone", *_left_alone(plan, width)]
    if plan.notes:
        lines += ["", "Good to know"]
        for note in plan.notes:
            lines += wrapped(printable(note), width=width, first="  - ")
    lines += ["", f"plan {plan.digest}", f"made {plan.made_at}"]
    return "\n".join(lines) + "\n"


def scope_text(
    plan: Plan, *, until_wave: int | None = None, after_wave: int = 0, age_s: float = 0.0, width: int = WIDTH
) -> str:
    """What a run of this plan touches: hosts, services, share of the fleet, and each service that is out while it runs.

    `after_wave`: of a run that goes on after it had stopped behind this wave. `age_s`: how long ago the plan was made, in seconds.
    """
    waves = [
        wave for wave in plan.waves if after_wave < wave.number and (until_wave is None or wave.number <= until_wave)
    ]
    moves = [move for wave in waves for move in wave.moves]
    services = sorted({service for move in moves for service in move.services})
    hosts = list(dict.fromkeys(move.host for move in moves))
    share = 100 * len(hosts) / max(1, len(plan.inventory.hosts))
    lines = wrapped(
        f"This {_DOES.get(plan.mode, 'restarts')} {count(len(hosts), 'host')} of {plan.fleet} ({share:.0f}% of the fleet of "
        f"{len(plan.inventory.hosts)}) in {count(len(waves), 'wave')}, {_about(moves)}:",
        width=width,
    )
    lines += wrapped(listed(hosts), width=width, first="  hosts     ")
    lines += wrapped(", ".join(services) or "none", width=width, first="  services  ")
    for service, spares in stand_bys(plan).items():
        text = f"{listed(spares)} (of {service}; touched only if a member is given up)"
        lines += wrapped(text, width=width, first="  stand by  ", rest="            ")
    if until_wave is not None and len(waves) < len(plan.waves):
        lines.append(f"  stops after wave {until_wave} of {len(plan.waves)}")
    if after_wave:
        lines.append(f"  goes on after wave {after_wave} of {len(plan.waves)}")
    for override in plan.overrides:
        text = printable(f"{override.rule} ({override.reason})")
        lines += wrapped(text, width=width, first="  OVERRIDES ", rest="            ")
    cut = may_be_cut(plan)
    if cut:
        text = f"{listed(cut)}: power may be cut (ForceOff), their ladders say so"
        lines += wrapped(text, width=width, first="  FORCE OFF ")
    for text in _time(plan, age_s):
        lines += wrapped(printable(text), width=width, first="  TIME      ")
    for sentence in outages(plan, {move.host for move in moves}):
        lines += wrapped(sentence, width=width, first="  OUTAGE    ")
    return "\n".join(lines) + "\n"


def _time(plan: Plan, age_s: float) -> list[str]:
    """Who will not be off before the power is gone; of a plan that was made a while ago, in what is left of its time."""
    if plan.within_s is None or age_s < TIME_OLD_S:
        return [note.removeprefix("TIME: ") for note in plan.notes if note.startswith("TIME: ")]
    left_s = max(0.0, plan.within_s - age_s)
    off_s = {move.host: move.finish_s for move in plan.moves() if move.act == "stop"}
    behind = sorted((host for host, finish_s in off_s.items() if finish_s > left_s), key=off_s.__getitem__)
    if not behind:
        return []
    return [
        f"{len(behind)} of {len(off_s)} hosts will not be off in time: of the {spoken(plan.within_s)} that this plan was made with "
        f"{spoken(age_s)} ago {spoken(left_s)} are left: {listed(behind)}"
    ]


def overrides(plan: Plan) -> tuple[str, ...]:
    """A sentence for each rule that the plan lets go."""
    return tuple(
        printable(f"OVERRIDDEN by name: {held.rule} ({held.reason}). Every other rule stays in force.")
        for held in plan.overrides
    )


def outages(plan: Plan, hosts: set[str]) -> tuple[str, ...]:
    """A sentence for each service that has no member, or fewer than it needs, while `hosts` restart."""
    sentences = []
    for impact in plan.impact:
        members = plan.inventory.services[impact.service].hosts
        if not impact.outage_s or not hosts.intersection(members):
            continue
        if len(members) == 1:
            what = f"{impact.service} has one host, {members[0]}, and is down while it restarts"
        elif impact.lowest_available == 0:
            what = f"{impact.service} has no host left for a while"
        else:
            what = f"{impact.service} falls to {impact.lowest_available} of {impact.hosts}, {impact.budget} needed"
        sentences.append(f"{what}, about {spoken(impact.outage_s)}")
    return tuple(sentences)


def _head(plan: Plan, width: int) -> Iterator[str]:
    moves = plan.moves()
    yield (
        f"{plan.fleet}: {_said(plan.mode)} of {len({move.host for move in moves})} of {count(len(plan.inventory.hosts), 'host')} "
        f"in {count(len(plan.waves), 'wave')}, about {spoken(plan.estimate.makespan_s)}"
    )
    if not any(note.startswith("no schedule takes less") for note in plan.notes):
        least = spoken(plan.estimate.lower_bound_s)
        yield f"  No schedule that keeps order, budgets and limits takes less than {least}."
    chain = plan.estimate.critical_path
    if chain:
        shown = [*chain[:CHAIN_MAX], "...", chain[-1]] if len(chain) > CHAIN_MAX + 1 else list(chain)
        text = f"Longest chain, {count(len(chain), 'host')}: {' > '.join(shown)}."
        yield from wrapped(text, width=width, first="  ", rest="    ")
    if plan.observation is None:
        if not any("not surveyed" in note for note in plan.notes):
            yield "  Not surveyed: every host assumed up."
    else:
        yield f"  As seen at {plan.observation.at}."
    for sentence in overrides(plan):
        yield from wrapped(sentence, width=width, first="  ", rest="    ")


def _said(mode: str) -> str:
    return {"cold-start": "cold start", "shutdown": "shutdown", "stop-start": "shutdown and cold start"}.get(
        mode, f"{mode} restart"
    )


_DOES = {"cold-start": "starts", "shutdown": "switches off", "stop-start": "switches off and on again"}


def _wave(plan: Plan, wave: Wave, width: int) -> Iterator[str]:
    span = ""
    if wave.moves:
        start_s = min(move.start_s for move in wave.moves)
        finish_s = max(move.finish_s for move in wave.moves)
        span = f", {spoken(start_s)} to {spoken(finish_s)}"
    yield f"Wave {wave.number}: {count(len(wave.moves), 'host')}{span}"
    yield from wrapped(printable(wave.why), width=width, first="  why    ")
    label = "  hosts  "
    for (services, playbook, canary), moves in _alike(wave.moves).items():
        about = ", ".join(services) or "no service"
        if playbook != plan.inventory.playbook:
            about += f"; by {playbook}"
        if canary:
            about += "; canary" if len(moves) == 1 else "; canaries"
        text = f"{listed(move.host for move in moves)}  ({about}; {_each(moves)})"
        yield from wrapped(text, width=width, first=label, rest=" " * 11)
        label = " " * 9
    mode = wave.mode or plan.mode
    label = {"cold-start": "  opens  ", "shutdown": "  leaves "}.get(mode, "  thin   ")
    for sentence in {"cold-start": opens, "shutdown": leaves}.get(mode, thin)(plan, wave):
        yield from wrapped(sentence, width=width, first=label)
        label = " " * 9
    if wave.approve:
        yield from wrapped(printable(f"a person first: {wave.approve}"), width=width, first="  asks   ")
    if wave.gates:
        yield from wrapped(f"{', '.join(wave.gates)} must pass before the next", width=width, first="  gates  ")


def thin(plan: Plan, wave: Wave) -> tuple[str, ...]:
    """For each service of the wave, what is left of it if the whole wave were down at once: `chat: 9 of 12 left, 9 needed`."""
    gone = {move.host for move in wave.moves}
    sick = down_before(plan)
    touched = Counter(service for move in wave.moves for service in move.services)
    sentences = []
    for name in sorted(touched):
        service = plan.inventory.services[name]
        left = sum(host not in gone and host not in sick.get(name, ()) for host in service.hosts)
        needed = len(service.hosts) - may_be_down(service)
        stated = service.min_available is not None or service.max_unavailable is not None
        tail = f", {needed} needed" if stated else " (no budget stated: one at a time)"
        if len(service.hosts) == 1:
            tail = ": an outage while its one host restarts"
        sentences.append(f"{name}: {left} of {len(service.hosts)} left{tail}")
    return tuple(sentences)


def leaves(plan: Plan, wave: Wave) -> tuple[str, ...]:
    """For each service of the wave, what is left of it once the wave is off: `index: 41 of 50, 40 needed`."""
    waves = [found for found in plan.waves if found.stage == wave.stage]
    moving = (move.host for found in waves for move in found.moves)
    kept = floors(plan.inventory, gone(moving, plan.observation))
    off = {move.host for found in waves if found.number <= wave.number for move in found.moves}
    sentences = []
    for name in sorted({service for move in wave.moves for service in move.services}):
        hosts = plan.inventory.services[name].hosts
        needed = f", {kept[name].needed} needed" if name in kept else ""
        sentences.append(f"{name}: {sum(host not in off for host in hosts)} of {len(hosts)}{needed}")
    return tuple(sentences)


def opens(plan: Plan, wave: Wave) -> tuple[str, ...]:
    """For each service of the wave that has consumers, when it opens them: `queue: with 2 of 3 ready`."""
    touched = sorted({service for move in wave.moves for service in move.services})
    needed = {
        edge.provider
        for service in plan.inventory.services.values()
        for edge in service.depends_on
        if edge.kind == "requires" and edge.at != "run"
    }
    services = plan.inventory.services
    return tuple(
        f"{name}: with {opens_with(services[name])} of {len(services[name].hosts)} ready"
        for name in touched
        if name in needed
    )


def down_before(plan: Plan) -> Mapping[str, frozenset[str]]:
    """By service, the members that the observation does not show ready; empty without an observation."""
    if plan.observation is None:
        return {}
    return {
        name: frozenset(
            host
            for host in service.hosts
            if host in plan.observation.hosts
            and plan.observation.hosts[host].ready.get(name, Verdict.PASS) is not Verdict.PASS
        )
        for name, service in plan.inventory.services.items()
    }


def _alike(moves: tuple[Move, ...]) -> dict[tuple[tuple[str, ...], str, bool], list[Move]]:
    groups: dict[tuple[tuple[str, ...], str, bool], list[Move]] = {}
    for move in moves:
        groups.setdefault((move.services, move.playbook, move.canary), []).append(move)
    return groups


def _each(moves: list[Move]) -> str:
    lengths = sorted(move.finish_s - move.start_s for move in moves)
    low, high = spoken(lengths[0]), spoken(lengths[-1])
    each = " each" if len(moves) > 1 else ""
    return f"{low}{each}" if low == high else f"{low} to {high}{each}"


def _about(moves: list[Move]) -> str:
    return f"about {spoken(max((move.finish_s for move in moves), default=0.0))}"


def _impact(rows: tuple[Impact, ...]) -> list[str]:
    header = ("service", "hosts", "needed", "lowest", "short for")
    table = [header]
    for row in rows:
        short = spoken(row.outage_s) if row.outage_s else "-" if row.outage_s is None else "never"
        if row.outage_s and row.hosts == 1:
            short += " (it has one host)"
        needed = "-" if row.budget is None else str(row.budget)
        table.append((row.service, str(row.hosts), needed, str(row.lowest_available), short))
    widths = [max(len(row[column]) for row in table) for column in range(4)]
    lines = ["What each service goes through"]
    for name, hosts, needed, lowest, short in table:
        lines.append(
            f"  {name:<{widths[0]}}  {hosts:>{widths[1]}}  {needed:>{widths[2]}}  {lowest:>{widths[3]}}  {short}"
        )
    return lines


def stand_bys(plan: Plan) -> dict[str, list[str]]:
    """The spares that stand by, by service."""
    found: dict[str, list[str]] = {}
    for spare in plan.spares:
        found.setdefault(spare.service, []).append(spare.host)
    return found


def _stand_by(plan: Plan, width: int) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for spare in plan.spares:
        reasons.setdefault(spare.why, []).append(spare.host)
    for why, hosts in reasons.items():
        yield from wrapped(f"{listed(hosts)}: {printable(why)}", width=width, first="  ", rest="    ")


def _left_alone(plan: Plan, width: int) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for left in plan.left_alone:
        reasons.setdefault(left.why, []).append(left.host)
    for why, hosts in reasons.items():
        yield from wrapped(f"{listed(hosts)}: {printable(why)}", width=width, first="  ", rest="    ")
