"""The end of a run, held against rule 10: everything restarted, or a named, true reason why not."""

from __future__ import annotations

from restart.errors import Exit
from restart.model.check import Verdict
from restart.model.event import Outcome
from restart.simulator.referee.begins import fresh_of_watch
from restart.simulator.referee.record import Record, some
from restart.simulator.referee.recovery import is_well
from restart.simulator.referee.spans import no_room
from restart.simulator.referee.stages import judge_stand_ins


def judge_end(record: Record, outcome: Outcome | None, why: str = "") -> None:
    """Judge how the run ended; None: it did not, and `why` says how that was found out."""
    if outcome is None:
        # A person who does not come is no fault of the run, where it has said that it waits for one; nor is a watch that does
        # not pass: faults have not stopped.
        watched = all(
            verdict is Verdict.PASS and record.at_s - asked_s <= fresh_of_watch(record, index)
            for index, (verdict, asked_s) in enumerate(zip(record.told.watches, record.told.watched_s, strict=True))
        )
        if "pause" not in record.closings and not record.flags and not record.wanted and watched:
            record.call(10, f"the run makes no progress: {why or 'it has no outcome'}")
        return
    if not outcome.why:
        record.call(10, f"the run ended {outcome.state} (exit {outcome.exit_code}) without a reason")
    outside = no_room(record)
    if outside is not None:
        record.reason(Exit.STOPPED, outside)
    judge_stand_ins(record, outcome)
    if outcome.exit_code == Exit.DONE:
        _judge_done(record)
    elif outcome.exit_code not in record.reasons:
        record.call(
            10,
            f"the run ended {outcome.state} (exit {outcome.exit_code}: {outcome.why}), and nothing that happened is a reason",
        )


def restarted(record: Record, host: str) -> bool:
    """Whether the host is in another boot than at the run's start, or its units were restarted.

    The boot id says so: a host that comes up with its old one has booted, and no run could prove it.
    """
    units = host in record.restarts and record.restarts[host].units > 0
    return units or record.truth.hosts[host].boot_id != record.first_boot[host]


def _judge_done(record: Record) -> None:
    if record.grounds.stops:
        # One that was off when its move was done has been switched on by somebody else since.
        up = [host for host in record.grounds.moves if record.truth.hosts[host].up and host not in record.proved_off]
        if up:
            record.call(10, f"the run says that it is done, and {len(up)} hosts are up: {some(up)}")
        return
    standing = [
        hook.name
        for hook in record.plan.inventory.hooks
        if record.hooks.get(hook.name) and (hook.undo is not None or hook.silence is not None)
    ]
    if standing:
        record.call(10, f"the run says that it is done, and hooks that it set still stand: {some(standing)}")
    cold = record.grounds.cold
    left = [
        host
        for host in record.grounds.moves
        # One that was started may have gone down since, by other hands.
        if not ((cold and record.truth.hosts[host].up) or restarted(record, host))
        and not is_well(record, host)
        and host not in record.spares
    ]
    if left:
        record.call(10, f"the run says that it is done, and {len(left)} hosts were not restarted: {some(left)}")
    away = [host for host in record.grounds.moves if record.aways.get(host) is not None]
    if away:
        record.call(
            10, f"the run says that it is done, and the checks of {len(away)} hosts have not held: {some(away)}"
        )
