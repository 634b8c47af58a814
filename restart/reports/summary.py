"""What came of a run: one document made from its plan and its journal's rows, and what the operator does next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from restart.model.plan import Plan
from restart.reports.drifted import differences_json
from restart.reports.picture import (
    DONE,
    ENDED,
    IN_DOUBT,
    NOT_REBOOTED,
    QUARANTINED,
    SKIPPED,
    UNTOUCHED,
    GatePicture,
    HoldPicture,
    HostPicture,
    Picture,
    WavePicture,
)
from restart.reports.prose import listed
from restart.reports.rows import Row, facts_of
from restart.reports.stand_ins import StandIn, stand_ins, stand_ins_json
from restart.reports.uncompared import uncompared
from restart.reports.unknown import unknown_hosts

SHOWN_MAX = 5
"""Hosts for which the same command is written out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCard:
    """What the store says of a run beside its journal. Times are UTC, RFC 3339; None: not yet.

    `cpu_s` is the controller's own CPU time over the run, in seconds; None where it was not measured.
    `command` is how the operator calls the tool with this store, e.g. `restart --store x.db`.
    """

    run: str
    state: str | None = None
    exit_code: int | None = None
    why: str = ""
    reason: str = ""
    by: str = ""
    controller: str = ""
    started_at: str = ""
    ended_at: str | None = None
    led: bool = False
    cpu_s: float | None = None
    command: str = "restart"


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """What the operator does next, and the exact commands for it."""

    what: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The whole account. `state` is the run's (`running` while it is led, `interrupted` where its leader is gone).

    `uncompared`: the hosts that nobody can hold against what they were before, and why.
    """

    card: RunCard
    plan: Plan
    state: str
    why: str
    now_s: float
    eta_s: float | None
    waves: tuple[WavePicture, ...]
    hosts: tuple[HostPicture, ...]
    holds: tuple[HoldPicture, ...]
    gates: tuple[GatePicture, ...]
    approvals: tuple[tuple[str, str], ...]
    resumes: int
    next_steps: tuple[NextStep, ...]
    picture: Picture
    stand_ins: tuple[StandIn, ...] = ()
    uncompared: Mapping[str, str] = field(default_factory=dict)

    def having(self, phase: str) -> tuple[HostPicture, ...]:
        """The moves that ended, or stand, in `phase`."""
        return tuple(host for host in self.hosts if host.phase == phase)

    @property
    def exit_code(self) -> int | None:
        """The run's exit code; None while it goes on."""
        return self.card.exit_code if self.card.exit_code is not None else self.picture.exit_code

    @property
    def cpu_s_per_host(self) -> float | None:
        """The controller's CPU time for each host that was touched, in seconds."""
        touched = sum(host.started_s is not None for host in self.hosts)
        return None if self.card.cpu_s is None or not touched else self.card.cpu_s / touched


def summary(plan: Plan, rows: Sequence[Row], card: RunCard) -> Summary:
    """The account of a run from its plan and its rows: finished, going on, or cut off."""
    picture = Picture(plan).take_all(facts_of(rows))
    if rows:
        picture.now_s = max(picture.now_s, float(rows[-1]["at_s"]))
    state = _state(card, picture)
    why = card.why if card.state is not None else picture.state_why
    running = state in ("running", "paused", "stopping", "halting") and card.led
    return Summary(
        card=card,
        plan=plan,
        state=state,
        why=why,
        now_s=picture.now_s,
        eta_s=picture.eta_s() if running else None,
        waves=tuple(picture.waves.values()),
        hosts=tuple(picture.hosts.values()),
        holds=tuple(picture.holds),
        gates=tuple(picture.gates),
        approvals=tuple(picture.approvals.items()),
        resumes=picture.resumes,
        next_steps=_next_steps(plan, picture, card, state),
        picture=picture,
        stand_ins=stand_ins(facts_of(rows)),
        uncompared=uncompared(plan, facts_of(rows)),
    )


def summary_json(told: Summary, rows: Sequence[Row]) -> dict[str, Any]:
    """The account as plain data, the journal's rows under `journal`. `next` holds exact commands."""
    card, plan, picture = told.card, told.plan, told.picture
    return {
        "version": 1,
        "run": card.run,
        "fleet": plan.fleet,
        "mode": plan.mode,
        "plan_digest": plan.digest,
        "state": told.state,
        "exit_code": told.exit_code,
        "why": told.why,
        "reason": card.reason,
        "by": card.by,
        "controller": card.controller,
        "started_at": card.started_at,
        "ended_at": card.ended_at,
        "took_s": told.now_s,
        "planned_s": plan.estimate.makespan_s,
        "eta_s": told.eta_s,
        "resumes": told.resumes,
        "cpu_s": card.cpu_s,
        "cpu_s_per_host": told.cpu_s_per_host,
        "waves": [
            {"wave": wave.number, "state": wave.state, "moves": wave.moves, "ended": wave.ended, "not_well": wave.bad,
             "started_s": wave.started_s, "ended_s": wave.ended_s}
            for wave in told.waves
        ],
        "hosts": [host_json(host) for host in told.hosts],
        "services": [
            {"service": service.service, "hosts": service.of, "budget": service.budget,
             "available": service.available, "lowest_available": service.lowest,
             "gate": service.gate.value if service.gate else None}
            for service in told.picture.services.values()
        ],
        "promoted": [{"host": host, "why": why} for host, why in told.picture.promoted.items()],
        "quarantined": [{"host": host.host, "why": host.why} for host in told.having(QUARANTINED)],
        "in_doubt": [{"host": host.host, "why": host.why} for host in told.having(IN_DOUBT)],
        "untouched": [{"host": host.host, "why": host.why} for host in told.having(UNTOUCHED)],
        "skipped": [{"host": host.host, "why": host.why} for host in told.having(SKIPPED)],
        "not_rebooted": [
            {"host": host.host, "why": host.why} for host in told.having(NOT_REBOOTED)
        ],
        "holds": [
            {"subject": hold.subject, "rule": hold.rule, "why": hold.why, "way_out": hold.way_out,
             "since_s": hold.since_s, "until_s": hold.until_s}
            for hold in told.holds
        ],
        "overrides": [
            {"rule": held.rule, "reason": held.reason, "let_go": list(told.picture.let_go[held.rule])}
            for held in plan.overrides
        ],
        "gates": [
            {"service": gate.service, "verdict": gate.verdict.value, "evidence": gate.evidence, "at_s": gate.at_s}
            for gate in told.gates
        ],
        "still_drained": [{"host": host, "on": on, "undo": command} for (host, command), on in picture.owed.items()],
        "left_unknown": [{"host": alone.host, "why": alone.why} for alone in unknown_hosts(plan)],
        "not_compared": [{"host": host, "why": why} for host, why in told.uncompared.items()],
        "drift": differences_json(told.picture.drift.values()),
        "hooks_left": [{"hook": name, "by_hand": said} for name, said in told.picture.hooks.items()],
        "stand_ins": stand_ins_json(told.stand_ins),
        "approvals_wanted": [{"target": target, "text": text} for target, text in told.approvals],
        "next": [{"what": step.what, "commands": list(step.commands)} for step in told.next_steps],
        "journal": [dict(row) for row in rows],
    }  # fmt: skip


def host_json(host: HostPicture) -> dict[str, Any]:
    """One move as plain data. `total_s` is from its first act until it was over."""
    total_s = None if host.started_s is None or host.ended_s is None else round(host.ended_s - host.started_s, 3)
    return {
        "host": host.host,
        "services": list(host.services),
        "wave": host.wave,
        "phase": host.phase,
        "boot_before": host.boot_before,
        "boot_after": host.boot_after,
        "down_s": host.down_s,
        "total_s": total_s,
        "rung": host.rung,
        "rungs_tried": host.rungs_tried,
        "why": host.why,
    }


def _state(card: RunCard, picture: Picture) -> str:
    if card.led:
        return picture.state if picture.exit_code is None else "running"
    if card.state is not None:
        return card.state
    return picture.state if picture.exit_code is not None else "interrupted"


def _next_steps(plan: Plan, picture: Picture, card: RunCard, state: str) -> tuple[NextStep, ...]:
    """The most urgent first."""
    call, run = card.command, card.run
    steps = []
    for host in picture.having(IN_DOUBT):
        said = f"{call} resolve {run} {host.host}"
        steps.append(
            NextStep(
                what=f"look at {host.host}, then say what is true: it restarted, restart it again, or leave it",
                commands=tuple(f"{said} --{word} --reason '...'" for word in ("done", "retry", "skip")),
            )
        )
    for target, text in picture.approvals.items():
        steps.append(NextStep(what=f"when this is so: {text or target}", commands=(f"{call} approve {run} {target}",)))
    steps += [_mended(picture.having(phase), call, run) for phase in (QUARANTINED, UNTOUCHED, NOT_REBOOTED)]
    left = [host.host for host in picture.hosts.values() if host.phase not in ENDED]
    done = picture.having(DONE)
    if card.led:
        steps.append(NextStep(what="follow it", commands=(f"{call} attach {run}",)))
        if state == "paused":
            steps.append(NextStep(what="let it go on", commands=(f"{call} go {run}",)))
    elif state != "done" and (left or len(picture.having(SKIPPED)) + len(done) < len(picture.hosts)):
        when = {
            "held": "when nobody else holds it, go on with it",
            "halted": "when the cause is mended, go on with it",
            "waiting": "then go on with it",
            "ended": "then go on with it",
            "drift": "when the world is as the plan has it again, go on with it",
        }.get(state, "go on with it")
        steps.append(NextStep(what=when, commands=(f"{call} resume {run}",)))
        if state == "drift":
            what = "or plan the rest on what is so now"
            steps.append(NextStep(what=what, commands=(f"{call} plan --from {run} --survey -o rest.json",)))
    unknown = unknown_hosts(plan)
    if unknown and not card.led:
        names = listed([alone.host for alone in unknown])
        steps.append(
            NextStep(
                what=f"find out how {names} are: the survey says why nobody could tell",
                commands=(f"{call} survey INVENTORY",),
            )
        )
    standing = {name: said for name, said in picture.hooks.items() if said != "nothing to undo"}
    if standing and not card.led:
        what = (
            f"what it set stays in place: {', '.join(standing)}. A resume goes on under it; otherwise undo it by hand"
        )
        steps.append(NextStep(what=what, commands=tuple(reversed(standing.values()))))
    return tuple(step for step in steps if step.what)


def _mended(hosts: tuple[HostPicture, ...], call: str, run: str) -> NextStep:
    """What to do about hosts that ended badly, all in one way; an empty step where there are none."""
    if not hosts:
        return NextStep(what="")
    what = {
        QUARANTINED: "mend {} (left drained, counted as down), then decide",
        UNTOUCHED: "see why {} could not be restarted, then decide",
        NOT_REBOOTED: "see why {} did not really reboot, then decide",
    }[hosts[0].phase]
    words = "--retry or --skip"
    if hosts[0].phase == QUARANTINED:
        words = f"--done (it is back), {words}"
    names = [host.host for host in hosts]
    shown = [*names[:SHOWN_MAX], *(["HOST"] if len(names) > SHOWN_MAX else [])]
    return NextStep(
        what=f"{what.format(listed(names))}: {words}",
        commands=tuple(f"{call} resolve {run} {name} --retry --reason '...'" for name in shown),
    )
