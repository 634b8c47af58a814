"""Rules overridden by name: told each time one of them would have held a move up, once for each host and rule."""

from __future__ import annotations

from restart.engine import facts
from restart.engine.outbox import Outbox
from restart.engine.state import MoveState
from restart.model.plan import Plan
from restart.rules.named import covers
from restart.rules.waived import Waived


def waived_by(plan: Plan) -> Waived:
    """The rules that `plan` overrides."""
    return Waived(override.rule for override in plan.overrides)


class Overrides:
    """Tells what the plan's overrides let through."""

    def __init__(self, plan: Plan, outbox: Outbox) -> None:
        self._overrides = plan.overrides
        self._outbox = outbox

    def passed_over(self, state: MoveState, rule: str, why: str) -> None:
        """The move goes on although `rule` would have held it, for `why`."""
        reason = next(override.reason for override in self._overrides if covers(override.rule, rule))
        self._outbox.tell_change(
            facts.OVERRIDDEN, True, about=rule, host=state.host, wave=state.wave, why=why, rule=rule, reason=reason
        )
