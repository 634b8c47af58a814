"""How a run ended, by how its moves ended: the first that applies of exit 5, 9 and 6, else done (design: section 6)."""

from __future__ import annotations

from collections.abc import Mapping

from restart.engine.state import MoveState
from restart.engine.table import FAILED, Phase
from restart.errors import Exit

NAMES_MAX = 10


def verdict(states: Mapping[str, MoveState]) -> tuple[str, Exit, str]:
    """The outcome's state, exit code and reason for a run that nothing halted and that has nothing in flight."""
    ends: dict[Phase, list[str]] = {}
    for host, state in states.items():
        ends.setdefault(state.phase, []).append(host)
    failed = ends.get(Phase.QUARANTINED, []) + ends.get(Phase.UNTOUCHED, [])
    doubtful = ends.get(Phase.IN_DOUBT, [])
    unproved = ends.get(Phase.NOT_REBOOTED, []) + ends.get(Phase.SKIPPED, [])
    if failed:
        return "ended", Exit.HALTED, f"{len(failed)} of {len(states)} hosts failed: {_names(failed)}"
    if doubtful:
        return (
            "waiting",
            Exit.NOT_REBOOTED if unproved else Exit.STOPPED,
            f"in doubt, waiting for `restart resolve`: {_names(doubtful)}",
        )
    if Phase.WAITING in ends:
        return "halted", Exit.HALTED, "some moves could not begin"
    if unproved:
        return "ended", Exit.NOT_REBOOTED, f"not {_what(states)}: {_names(unproved)}"
    alone = sum(state.by_itself for state in states.values())
    if alone:
        told = f"{len(states) - alone} restarted, {alone} came back by themselves"
        return "done", Exit.DONE, f"all {len(states)} hosts are well: {told}"
    return "done", Exit.DONE, f"all {len(states)} hosts {_what(states)}"


def _what(states: Mapping[str, MoveState]) -> str:
    acts = {state.move.act for state in states.values()}
    return {"start": "started", "stop": "off"}.get(acts.pop(), "restarted") if len(acts) == 1 else "restarted"


def stopped(states: Mapping[str, MoveState]) -> Exit:
    """The exit code of a run that an operator stopped: 5 with hosts failed, 9 with hosts not rebooted, else 6."""
    phases = {state.phase for state in states.values()}
    if phases & FAILED:
        return Exit.HALTED
    return Exit.NOT_REBOOTED if phases & {Phase.NOT_REBOOTED, Phase.SKIPPED} else Exit.STOPPED


def _names(hosts: list[str]) -> str:
    rest = f" and {len(hosts) - NAMES_MAX} more" if len(hosts) > NAMES_MAX else ""
    return ", ".join(hosts[:NAMES_MAX]) + rest
