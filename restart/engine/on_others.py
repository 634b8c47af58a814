"""Steps of a drain that run on another host (`on: lb-1`), where that host is off: in a shutdown, and in the cold start after it.

A shutdown has the hosts on which drains run go off after those that need them, where the order lets it (`restart.planner.drained_on`). Where it
does not, what would be drained is off already, proved by this very run or seen by the survey: the step is left out and told. A host that merely does not
answer is not proved off, and the step fails as it ever did.

A cold start undrains a host once its checks hold, and the other host may be one that it starts later, because it needs this one. What is to be undone
there is owed until that host's own checks have held, and is undone before its move is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from restart.engine import facts
from restart.engine.outbox import Outbox
from restart.engine.state import MoveState
from restart.engine.table import FINISHED, Phase
from restart.model.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """One undo step of `host` that waits for another host."""

    host: str
    command: str
    timeout_s: float


class OnOthers:
    """Knows which of these hosts are off, and what is owed on those that are still to come."""

    def __init__(self, plan: Plan, states: Mapping[str, MoveState], outbox: Outbox) -> None:
        self._states = states
        self._outbox = outbox
        seen = {} if plan.observation is None else plan.observation.hosts
        self._seen_off = frozenset(host for host, found in seen.items() if found.power == "off")
        self._owed: dict[str, list[Owed]] = {}

    def leaves_out(self, state: MoveState, on: str | None, command: str) -> bool:
        """Whether a step of a shutdown's drain is left out, because the host on which it runs is proved off; tells it."""
        if state.move.act != "stop" or on is None or on == state.host:
            return False
        other = self._states.get(on)
        off = on in self._seen_off if other is None else other.move.act == "stop" and other.phase is Phase.DONE
        if off:
            self._outbox.tell(
                facts.LEFT_OUT, host=state.host, evidence=command, why=f"it runs on {on}, which is off", on=on
            )
        return off

    def owes(self, state: MoveState, on: str | None, command: str, timeout_s: float) -> bool:
        """Whether an undo step of a cold start waits for the host on which it runs, which is started later; tells it."""
        other = self._states.get(on or "")
        if state.move.act != "start" or other is None or on is None or on == state.host:
            return False
        if other.move.act != "start" or other.phase in FINISHED or other.phase is Phase.IN_DOUBT:
            return False
        owed = Owed(host=state.host, command=command, timeout_s=timeout_s)
        if owed not in self._owed.setdefault(on, []):
            self._owed[on].append(owed)
        why = f"it runs on {on}, which is started later: undone there once that is up"
        self._outbox.tell(facts.OWED, host=state.host, evidence=command, why=why, on=on)
        return True

    def owed(self, state: MoveState) -> Owed | None:
        """What is to be undone next on the host of `state`, for another."""
        found = self._owed.get(state.host)
        return found[0] if found else None

    def paid(self, state: MoveState) -> None:
        """The first of what was owed on the host of `state` is undone."""
        self._owed[state.host].pop(0)

    def still_owed(self, host: str) -> str:
        """What is owed on a host that was given up, for people; empty: nothing."""
        return ", ".join(f"`{one.command}` for {one.host}" for one in self._owed.get(host, ()))
