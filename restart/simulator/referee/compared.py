"""Checks that compare, held against rule 9: what they are compared with was really told before the run, and who they say is away is.

A gate judges by what comes with its check. An engine that took a sick service for its own baseline, or called the whole fleet its own doing,
would open every gate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from restart.model.answer import Answer, Checked
from restart.model.check import OF_RUN, Check
from restart.model.inventory import Inventory
from restart.model.plan import Plan
from restart.model.request import Ask
from restart.simulator.referee.standing import KIND

Place = tuple[str, str | None, int]


def plain(check: Check) -> Check:
    """The check as the plan has it, without what the engine says beside it."""
    if OF_RUN not in check.params:
        return check
    return replace(check, params={key: held for key, held in check.params.items() if key != OF_RUN})


@dataclass(slots=True)
class Compared:
    """What first looks were told, by subject, service and position; which services are touched; and whose moves go on.

    `going` maps each host whose move has begun to the event at which it ended, None before.
    """

    told: dict[Place, Mapping[str, Any]] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    going: dict[str, int | None] = field(default_factory=dict)

    def hear(self, inventory: Inventory, ask: Ask, answer: Answer) -> None:
        """The world answers `ask`: the first that was seen counts."""
        findings = answer.findings if isinstance(answer, Checked) else ()
        if not any(finding.seen for finding in findings):
            return
        for place, finding in zip(_places(inventory, ask), findings, strict=False):
            if finding.seen and ask.subject != "before":
                self.told.setdefault(place, finding.seen)

    def wrong(self, plan: Plan, ask: Ask, seq: int) -> str | None:
        """What `ask` claims that is not so; None: all is. In a cold start a watch may look first when what it asks through is up."""
        if not any(OF_RUN in check.params for check in ask.checks):
            return None
        inventory = plan.inventory
        for place, check in zip(_places(inventory, ask), ask.checks, strict=False):
            known = check.params.get(OF_RUN)
            if known is None or check.kind == KIND:
                continue
            before = known.get("before")
            if before is not None and before != dict(self.told.get(place, {})):
                return f"{check.kind} is compared with {before}, which no look before the run has told"
            if known.get("first") and (place in self.told or (plan.mode == "rolling" and self._late(place))):
                return f"{check.kind} takes its first look when the run has begun"
            strangers = set(known.get("away", ())) - self._names(inventory, seq)
            if strangers:
                return f"{check.kind} takes {', '.join(sorted(strangers)[:5])} for the run's own doing"
            caused = {text for hook in inventory.hooks for text in hook.causes}
            if set(known.get("caused", ())) - caused:
                return f"{check.kind} takes for caused what no hook of the plan causes"
        return None

    def _late(self, place: Place) -> bool:
        subject, service, _ = place
        return bool(self.touched) if subject == "watch" else service in self.touched

    def _names(self, inventory: Inventory, seq: int) -> set[str]:
        going = [host for host, ended in self.going.items() if ended is None or ended == seq]
        return {name for host in going for name in (host, inventory.hosts[host].address)}


def _places(inventory: Inventory, ask: Ask) -> Iterable[Place]:
    if ask.subject == "watch":
        plains = [plain(check) for check in ask.checks]
        return [(ask.subject, None, inventory.watch.index(check)) for check in plains if check in inventory.watch]
    return [(ask.subject, ask.service, index) for index in range(len(ask.checks))]
