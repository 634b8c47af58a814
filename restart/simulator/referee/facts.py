"""What the engine says of itself, as far as the referee has to listen: that a move began, ended or was given up, and that it halts."""

from __future__ import annotations

from collections.abc import Sequence

from restart.model.event import Fact
from restart.simulator.referee.drift import heard_drift
from restart.simulator.referee.failures import ended_well, failed, forgiven, missed
from restart.simulator.referee.record import Closing, Record
from restart.simulator.referee.recovery import is_well, rebooted_by_others
from restart.simulator.referee.spares import heard_promoted, returned
from restart.simulator.referee.stages import next_stage
from restart.simulator.referee.stopping import judge_off_done
from restart.simulator.referee.turns import hear_turns

GIVEN_UP = frozenset({"quarantined", "untouched"})
ENDED = GIVEN_UP | {"not_rebooted", "skipped"}


def hear_facts(record: Record, facts: Sequence[Fact]) -> bool:
    """Take down one event's facts; True where a wave is done."""
    wave_done = False
    for fact in facts:
        wave_done = wave_done or fact.fact == "wave_done"
        if fact.fact == "halted":
            record.closings.setdefault("halt", Closing(record.seq + 1, f"a halt ({fact.why})"))
        elif fact.fact == "approval_wanted":
            record.wanted[str(fact.data.get("target"))] = fact.evidence or ""
            record.reason(6, f"a person is waited for: {fact.evidence}")
        elif fact.fact == "approved":
            record.wanted.pop(str(fact.data.get("target")), None)
            record.approved.add(str(fact.data.get("target")))
        elif fact.fact == "drift":
            heard_drift(record, fact)
        elif fact.fact == "promoted":
            heard_promoted(record, fact)
        elif fact.fact == "stage_started":
            next_stage(record, fact)
        elif fact.host in record.grounds.moves:
            _of_move(record, fact, fact.host or "")
    return wave_done


def _of_move(record: Record, fact: Fact, host: str) -> None:
    hear_turns(record, fact, host)
    if fact.fact in ("move_done", "resolved", "untouched", "not_rebooted", "skipped"):
        record.compared.going[host] = record.seq
    if fact.fact == "move_started":
        record.compared.going[host] = None
        record.started_s[host], record.started_seq[host] = fact.at_s, record.seq
        record.begun_moves.discard(host)
        record.begun_acts.discard(host)
    elif fact.fact == "move_done":
        _done(record, host, fact.at_s)
    elif fact.fact in ENDED:
        _ended(record, fact, host)
    elif fact.fact == "rung_failed":
        missed(record, fact, host)
    elif fact.fact == "in_doubt":
        record.reason(6, f"{host} is in doubt")
        record.doubtful.add(host)
    elif fact.fact == "resolved":
        _resolved(record, str(fact.data.get("word", "none")), host)


def _done(record: Record, host: str, at_s: float) -> None:
    """A move is done where its host really is in another boot and its checks have held; to say so is not enough."""
    if host in record.done:
        record.call(5, f"the move of {host} was done twice", host=host)
    record.done.add(host)
    record.done_s[host], record.done_seq[host] = at_s, record.seq
    ended_well(record, host, at_s)
    record.ended(host, at_s)
    if record.grounds.stops:
        judge_off_done(record, host)
    if (is_well(record, host) or rebooted_by_others(record, host)) and record.aways.get(host) is None:
        # It came back without us, and we did not take it away: there is no restart of ours whose checks could have held.
        record.grounds.finished(host)
    returned(record, host)
    if record.aways.get(host) is not None:
        record.call(5, f"the move of {host} is called done before its checks have held", host=host)


def _ended(record: Record, fact: Fact, host: str) -> None:
    away = record.aways.get(host)
    record.grounds.finished(host)
    if fact.fact != "not_rebooted":
        record.ended(
            host, fact.at_s
        )  # that one is told as soon as it is known: its checks, and its undrain, are still to come
    if fact.fact == "quarantined":
        record.lost.add(host)
    if fact.fact == "not_rebooted":
        returned(record, host)
        if host not in record.late:
            ended_well(record, host, fact.at_s)
        # It must be so when it is said; the host may well boot by itself later.
        before = record.first_boot[host] if away is None or not away.acted else away.boot_before
        if record.truth.hosts[host].boot_id == before:
            record.reason(9, f"{host} was not rebooted")
        return
    if fact.fact == "skipped":
        record.reason(9, f"{host} was skipped")
    if fact.fact in GIVEN_UP:
        record.failed[host] = None
        if away is not None and away.troubled:
            record.reason(5, away.troubled)
        if record.truth.hosts[host].boots > record.restarts_of(host).boots:
            record.reason(5, f"{host} has booted without this run")
        failed(record, fact, host)
    if fact.fact == "untouched" and away is not None and not away.acted:
        record.aways.come_back(host, freed=True)


def _resolved(record: Record, word: str, host: str) -> None:
    """An operator decided: `done`, `retry` or `skip`."""
    if word == "none":
        return
    record.failed.pop(host, None)
    record.lost.discard(host)
    record.drifted.discard(host)
    record.doubtful.discard(host)
    forgiven(record, host)
    if word != "done":
        record.aways.come_back(host, freed=True)
        record.begun_moves.discard(host)
        record.begun_acts.discard(host)
    if word == "retry":
        record.done.discard(host)
        record.stopped.pop(host, None)
        record.told_off.pop(host, None)
        record.restarts_of(host).boots = record.restarts_of(host).units = 0
        record.grounds.not_finished(host)
