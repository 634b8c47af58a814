"""The rules that an operator overrides by name. Planner and engine ask `rule in waived` wherever a rule would hold something up."""

from __future__ import annotations

from collections.abc import Iterable

from restart.rules.named import covers


class Waived:
    """Rules overridden by name. A rule that is not named stays in force."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names = tuple(names)
        self._known: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return bool(self.names)

    def __contains__(self, rule: str) -> bool:
        if not self.names:
            return False
        if rule not in self._known:
            self._known[rule] = any(covers(name, rule) for name in self.names)
        return self._known[rule]


NOTHING_WAIVED = Waived()
