"""Simulated runs as plain data: every key always present, the same data for the same seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from restart.model.rehearsal import Fate, Loss, Losses, Playing, Trial, Trials
from restart.model.simulation import Result, Violation
from restart.reports.chart import below_s


def playing_json(playing: Playing, *, naive: Playing | None = None, journal: bool = True) -> dict[str, Any]:
    """One play. `journal`: with the rows of its journal, in the form of `report --format json`."""
    result = playing.result
    document = {"version": 1, "fleet": result.name, **_play(playing)}
    if naive is not None:
        document["naive"] = _play(naive)
    if journal:
        document["journal"] = [dict(row) for row in result.rows]
    return document


def scenario_json(name: str, about: str, sides: Sequence[Playing]) -> dict[str, Any]:
    """The sides of a scenario, each with what was expected of it."""
    return {
        "version": 1,
        "scenario": name,
        "about": about,
        "sides": [
            {
                **_play(side),
                "as_expected": side.as_expected,
                "expectations": [
                    {"what": row.what, "expected": row.expected, "reached": row.reached, "met": row.met}
                    for row in side.expectations
                ],
            }
            for side in sides
        ],
    }


def trials_json(trials: Trials) -> dict[str, Any]:
    """Every play of many, in the order of their seeds."""
    return {
        "version": 1,
        "fleet": trials.name,
        "seed": trials.seed,
        "runs": len(trials.trials),
        "succeeded": trials.succeeded,
        "planned_s": trials.planned_s,
        "assumed": list(trials.assumed),
        "trials": [_trial(trial) for trial in trials.trials],
    }


def losses_json(losses: Losses) -> dict[str, Any]:
    """The loss of each host, in inventory order."""
    return {
        "version": 1,
        "fleet": losses.name,
        "seed": losses.seed,
        "survives": losses.survives,
        "survives_not": [loss.host for loss in losses.losses if not loss.survived],
        "without_loss": {"state": losses.base.state if losses.base else None, "duration_s": losses.base_s},
        "violations": _violations(losses.violations),
        "losses": [_loss(loss) for loss in losses.losses],
    }


def _play(playing: Playing) -> dict[str, Any]:
    result = playing.result
    return {
        "side": result.side,
        "seed": result.seed,
        "state": playing.state,
        "exit_code": None if result.outcome is None else result.outcome.exit_code,
        "why": result.no_progress if result.outcome is None else result.outcome.why,
        "refused": list(result.refused),
        "not_yet": list(result.not_yet),
        "duration_s": result.duration_s,
        "planned_s": playing.planned_s,
        "events": result.events,
        "resumes": result.resumes,
        "what_if": list(playing.what_if),
        "assumed": list(playing.assumed),
        "score": _score(result),
        "services": [_service(result, name, playing.needed.get(name)) for name in result.availability],
        "takes": dict(playing.takes),
        "restarts": dict(result.restarts),
        "happenings": [{"at_s": at_s, "what": what} for at_s, what in result.happenings],
        "violations": _violations(result.violations),
    }


def _score(result: Result) -> dict[str, Any]:
    score = result.score
    return {
        "reached": score.reached,
        "all_ready_s": score.all_ready_s,
        "under_floor_s": score.under_floor_s,
        "failed": list(score.failed),
        "lost": list(score.lost),
        "collapses": score.collapses,
        "trips": score.trips,
        "corruptions": score.corruptions,
        "timeouts": score.timeouts,
        "failed_starts": score.failed_starts,
        "writes_lost": score.writes_lost,
        "retries": score.retries,
    }


def _service(result: Result, name: str, needed: int | None) -> dict[str, Any]:
    steps = result.availability[name]
    return {
        "service": name,
        "hosts": result.members.get(name, 0),
        "needed": needed,
        "lowest_available": min((number for _, number in steps), default=0),
        "short_s": round(below_s(steps, 1 if needed is None else needed, result.duration_s), 6),
        "available": [list(step) for step in steps],
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "seed": trial.seed,
        "succeeded": trial.succeeded,
        "state": trial.state,
        "exit_code": trial.exit_code,
        "why": trial.why,
        "rule": trial.rule,
        "reached": trial.reached,
        "duration_s": trial.duration_s,
        "under_floor_s": trial.under_floor_s,
        "restarted": trial.restarted,
        "failed": list(trial.failed),
        "takes": dict(trial.takes),
        "violations": _violations(trial.violations),
    }


def _loss(loss: Loss) -> dict[str, Any]:
    return {
        "host": loss.host,
        "survived": loss.survived,
        "how": loss.how,
        "at_s": loss.at_s,
        "service": loss.service,
        "slack": loss.slack,
        "state": loss.state,
        "exit_code": loss.exit_code,
        "why": loss.why,
        "duration_s": loss.duration_s,
        "services": [_fate(fate) for fate in loss.fates],
        "blocked": list(loss.blocked),
        "violations": _violations(loss.violations),
    }


def _fate(fate: Fate) -> Mapping[str, Any]:
    return {
        "service": fate.service,
        "hosts": fate.members,
        "needed": fate.needed,
        "lowest_available": fate.lowest,
        "short_s": fate.short_s,
        "held": fate.held,
        "alone": fate.alone,
    }


def _violations(violations: Sequence[Violation]) -> list[dict[str, Any]]:
    return [
        {
            "rule": one.rule,
            "what": one.what,
            "at_s": one.at_s,
            "event": one.seq,
            "host": one.host,
            "seed": one.seed,
        }
        for one in violations
    ]
