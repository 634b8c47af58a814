"""What a host is compared with after its restart (`same_as_before`): one look right before its move does anything to it.

The look follows the claim that begins the move, before the drain, so that what a drain stops is demanded too once it is undone or the host has
booted. What it saw comes back in an answer, which is in the journal: it is a fold of events, the same after a resume. Once something
was done to the host in this run it is never taken anew: a baseline from after the act would compare a wounded host with itself.

Fail closed: a host that lets us in and cannot be looked at is tried again like a silent one, and in the end left untouched. Not
asked, and told so for each, is it only where there is no "before": of a host that a fresh FAIL proved sick (which a controller that goes on
before the act does not take from the one that died), that came back by itself or was silent before anybody looked, and of a spare that is
promoted. Of a cold start, in which nobody has one, the plan says it once for all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from restart.engine import facts
from restart.engine.outbox import Outbox
from restart.engine.readiness import summed_up
from restart.engine.silent import Silent
from restart.engine.state import MoveState
from restart.engine.table import Phase, Sign
from restart.model.answer import Answer, Checked
from restart.model.check import OF_RUN, Check, Verdict
from restart.model.inventory import Inventory
from restart.model.request import Ask
from restart.rules.comparing import comparison


class Befores:
    """Takes the baselines, and fills them into the checks that compare."""

    def __init__(
        self, inventory: Inventory, outbox: Outbox, silent: Silent, sign: Callable[[MoveState, Sign], None]
    ) -> None:
        self._inventory = inventory
        self._outbox = outbox
        self._silent = silent
        self._sign = sign
        self._checks: dict[tuple[str, ...], Check | None] = {}

    def look(self, state: MoveState) -> None:
        """The host is claimed, and its move goes on once it is known what stands there now; signs CLAIMED, TRY_LATER or BLIND."""
        check = self._check(state)
        without = self._without(state)
        if check is None or state.move.act != "restart" or without is not None or state.changed:
            if without or state.changed:
                self.missing(state, without or "something was done to it before it could be looked at")
            self._silent.forget(state.host)
            self._sign(state, Sign.CLAIMED)
            return
        first = replace(check, params={**check.params, OF_RUN: {"first": True}})
        self._outbox.send(
            lambda id: Ask(id=id, subject="before", checks=(first,), host=state.host),
            lambda answer: self._heard(state, answer),
        )

    def is_owed(self, state: MoveState) -> bool:
        """Whether the host was not looked at because it was sick; where nothing was done to it and that is no longer known, it is to be looked at."""
        looked = state.before is not None or state.changed
        return bool(state.sick_in) and not looked and state.move.act == "restart" and self._check(state) is not None

    def missing(self, state: MoveState, why: str) -> None:
        """Nobody looked at the host before it went, and nobody can any more: say so where it would have been compared."""
        if state.before is None and state.move.act != "stop" and self._check(state) is not None:
            self._outbox.tell(facts.NOT_COMPARED, host=state.host, why=why)

    def compared(self, state: MoveState) -> tuple[Check, ...]:
        """The check that the restarted host is to hold besides its services' own; none where nothing is known from before."""
        check = self._check(state)
        if check is None or state.before is None or state.move.act != "restart":
            return ()
        return (replace(check, params={**check.params, OF_RUN: {"before": state.before}}),)

    def _check(self, state: MoveState) -> Check | None:
        services = state.move.services
        if services not in self._checks:
            self._checks[services] = comparison(self._inventory, services)
        return self._checks[services]

    def _without(self, state: MoveState) -> str | None:
        """Why there is no baseline to be had of this host; None: there is."""
        if state.sick_in:
            return f"not ready before its restart ({', '.join(sorted(state.sick_in))})"
        if state.member is not None:
            return f"it takes the place of {state.member}, and runs other things from then on"
        return None

    def _heard(self, state: MoveState, answer: Answer) -> None:
        if state.phase is not Phase.CLAIMING:
            return
        verdict, evidence = summed_up(answer)
        seen = answer.findings[0].seen if isinstance(answer, Checked) and answer.findings else {}
        if verdict is Verdict.PASS and seen:
            state.before = seen
            self._outbox.tell(facts.BASELINE, host=state.host, evidence=evidence)
            self._silent.forget(state.host)
            self._sign(state, Sign.CLAIMED)
        elif self._silent.again(state.host, evidence):
            self._sign(state, Sign.TRY_LATER)
        else:
            state.why = f"what it is to be compared with could not be learnt before its restart: {evidence}"
            self._sign(state, Sign.BLIND)
