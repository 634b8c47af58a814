"""May this host be switched off now? A rolling restart's rules over the reversed order, and: not before those whose drains run on it.

The plan's waves say who comes first (`restart.planner.drained_on`); where the order of services leaves no such place, the wave says that too, and the
drain's step is left out (`restart.engine.on_others`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from restart.engine.parking import Hold
from restart.engine.starts import Starts
from restart.engine.state import MoveState
from restart.engine.table import FINISHED, Phase
from restart.model.inventory import Inventory


class ShutdownStarts(Starts):
    """Judges the moves of a shutdown."""

    def __init__(self, inventory: Inventory, states: Mapping[str, MoveState], **given: Any) -> None:
        super().__init__(inventory, states, **given)
        self._users: dict[str, list[str]] = {}
        for host, others in self._drains_on.items():
            for on in others:
                self._users.setdefault(on, []).append(host)

    def _static(self, state: MoveState) -> Hold | None:
        return super()._static(state) or self._before_its_users(state)

    def _before_its_users(self, state: MoveState) -> Hold | None:
        """Drains of earlier waves that run on this host come first."""
        users = [
            self._states[host]
            for host in self._users.get(state.host, ())
            if self._states[host].wave < state.wave and self._states[host].phase not in FINISHED
        ]
        if not users:
            return None
        named = ", ".join(user.host for user in users[:5])
        topics = {("in flight", user.host): None for user in users}
        topics.update({("unfinished", name): None for user in users for name in user.move.services})
        return Hold(
            rule="drain",
            why=f"the drains of {len(users)} hosts before it run on it: {named}",
            waits="order",
            lasting=all(user.phase is Phase.IN_DOUBT for user in users),
            queue=("drained on", state.host),
            topics=tuple(topics),
        )
