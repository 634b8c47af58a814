"""What checks are compared with: numbers and alerts from before the run, and what the run does itself.

A gate is pure, so all this travels inside the check that is asked (`restart.model.check.OF_RUN`). What was seen before the run comes back in an
answer, which is in the journal: it is a fold of events, and the same after a resume. A check that was not answered before the
run's first act near it has no baseline for good: a number then stays UNKNOWN, and every alert is new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from restart.model.answer import Answer, Checked
from restart.model.check import OF_RUN, Check
from restart.model.inventory import Inventory
from restart.rules.compare import compares

Subject = tuple[str, str]
"""Whose checks they are: (`gate`, the service) or (`watch`, its name)."""


class Baselines:
    """What each check saw first. `away` gives the hosts that the run has in flight or lost, `caused` what its hooks cause."""

    def __init__(
        self, inventory: Inventory, *, away: Callable[[], Iterable[str]], caused: Callable[[], tuple[str, ...]]
    ) -> None:
        self._hosts = inventory.hosts
        self._away = away
        self._caused = caused
        self._before: dict[tuple[Subject, int], Mapping[str, Any]] = {}
        self._touched: set[str] = set()
        self._last: dict[tuple[Subject, int], Check] = {}

    def take_over(self, before: Baselines) -> None:
        """Go on from what the stage before knows."""
        self._before, self._touched = before._before, before._touched

    def touched(self, services: Iterable[str]) -> None:
        """A move begins near these services: from now on, what their gates see is no longer from before the run."""
        self._touched.update(services)

    def wants(self, subject: Subject, checks: tuple[Check, ...]) -> bool:
        """Whether one of the checks compares, has seen nothing yet, and may still learn."""
        return self._may_learn(subject) and any(
            compares(check) and (subject, index) not in self._before for index, check in enumerate(checks)
        )

    def filled(self, subject: Subject, checks: tuple[Check, ...]) -> tuple[Check, ...]:
        """The checks as they are to be asked now: those that compare get what they are compared with."""
        if not any(compares(check) for check in checks):
            return checks
        names = {name for host in self._away() for name in (host, self._hosts[host].address)}
        known: dict[str, Any] = {"away": sorted(names)} if names else {}
        if caused := self._caused():
            known["caused"] = list(caused)
        return tuple(
            self._filled(subject, index, check, known) if compares(check) else check
            for index, check in enumerate(checks)
        )

    def heard(self, subject: Subject, answer: Answer) -> None:
        """Keep what a first look saw; the first that was answered counts."""
        findings = answer.findings if isinstance(answer, Checked) else ()
        for index, finding in enumerate(findings):
            if finding.seen and self._may_learn(subject):
                self._before.setdefault((subject, index), finding.seen)

    def _may_learn(self, subject: Subject) -> bool:
        """A watch is open before anything begins, so its first PASS is from before the run; a gate is asked at any time."""
        kind, name = subject
        return kind == "watch" or name not in self._touched

    def _filled(self, subject: Subject, index: int, check: Check, known: Mapping[str, Any]) -> Check:
        before = self._before.get((subject, index))
        of_run = dict(known)
        if before is not None:
            of_run["before"] = dict(before)
        elif self._may_learn(subject):
            of_run["first"] = True
        # The same object where nothing has changed: who compares checks tries identity first.
        last = self._last.get((subject, index))
        if last is None or last.params[OF_RUN] != of_run:
            last = self._last[subject, index] = replace(check, params={**check.params, OF_RUN: of_run})
        return last
