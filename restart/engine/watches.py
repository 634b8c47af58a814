"""Watches: fleet-wide checks asked all through a run. Whatever is not a fresh PASS holds it.

* A FAIL, or an UNKNOWN, holds at once. A FAIL that lasts for the watch's `within` halts the run; an UNKNOWN that lasts for
  `watch_unknown` is told as a pause, which is over when the watch has passed again for its `healthy_for`.
* A PASS holds for as long as `gate_fresh`, or a beat and the time that two answers may take where that is longer. A question that hangs keeps nothing
  open.
* While the host that a watch asks is in flight, or members of the service that it asks through are away by the run's own doing, its trouble holds, and
  is the run's own: it neither halts nor pauses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from restart.engine import facts
from restart.engine.baselines import Baselines
from restart.engine.guards import Streaks
from restart.engine.outbox import Outbox
from restart.engine.readiness import summed_up
from restart.model.answer import Answer
from restart.model.check import Verdict
from restart.model.inventory import Inventory
from restart.model.request import Ask
from restart.rules.named import watch_rule
from restart.rules.waived import NOTHING_WAIVED, Waived


@dataclass(slots=True)
class WatchState:
    """One watch: how it stands, since when it FAILs or is UNKNOWN (run seconds), and whether it stood well before.

    `passed_s` is when the last question that PASSed was asked, `fresh_s` for how long that counts. `failing_s` goes on through an UNKNOWN:
    what was proved bad is not well because nobody can look.
    """

    name: str
    rule: str
    streaks: Streaks
    fresh_s: float
    service: str | None = None
    next_s: float = 0.0
    asking: bool = False
    asked_s: float = 0.0
    passed_s: float | None = None
    verdict: Verdict | None = None
    evidence: str = "not asked yet"
    failing_s: float | None = None
    unknown_s: float | None = None
    open: bool = False
    told: bool = False


class Watches:
    """All watches of the inventory. The first PASS opens; after trouble a watch must hold its `healthy_for` again."""

    def __init__(
        self,
        inventory: Inventory,
        outbox: Outbox,
        failed: Callable[[str, str], None],
        *,
        baselines: Baselines,
        blinded: Callable[[str, str | None], bool],
        suspended: Callable[[str, str | None], bool] = lambda rule, service: False,
        waived: Waived = NOTHING_WAIVED,
    ) -> None:
        """`suspended(rule, service)`: nothing can be asked through that service, or of the host that the watch asks, yet. The watches of `waived` rules are asked all the same, for
        the record, and hold nothing up.

        `failed(rule, why)` is called once a watch has FAILed for its `within`; `blinded(rule, service)`: the run has what it asks away, or members of that service.
        """
        self._outbox = outbox
        self._failed = failed
        self._baselines = baselines
        self._blinded = blinded
        self._suspended = suspended
        self._waived = waived
        self._unknown_s = inventory.policy.watch_unknown_s
        self._watches = [
            WatchState(
                f"watch {number} ({check.kind})",
                watch_rule(number),
                Streaks((check,)),
                fresh_s=max(inventory.policy.gate_fresh_s, check.every_s + 4 * check.timeout_s),
                service=check.service,
            )
            for number, check in enumerate(inventory.watch, 1)
        ]

    def forget(self) -> None:
        """After a resume every watch must pass anew. What it saw before the run stays known."""
        for watch in self._watches:
            watch.streaks.reset()
            watch.verdict = watch.passed_s = watch.failing_s = watch.unknown_s = None
            watch.next_s, watch.asking, watch.open, watch.told = 0.0, False, False, False

    def look(self) -> None:
        """Ask the watches whose time has come, close those that have not been answered for too long, call out those that are bad for too long."""
        now_s = self._outbox.now_s
        for watch in self._watches:
            if self._is_suspended(watch):
                continue
            if not watch.asking and now_s >= watch.next_s:
                watch.asking, watch.asked_s = True, now_s
                checks = self._baselines.filled(("watch", watch.name), watch.streaks.checks)
                self._outbox.send(
                    lambda id, checks=checks: Ask(id=id, subject="watch", checks=checks),  # type: ignore[misc]
                    partial(self._heard, watch),
                )
            if watch.open and watch.passed_s is not None and now_s >= watch.passed_s + watch.fresh_s:
                watch.streaks.reset()
                self._turn(watch, Verdict.UNKNOWN, f"no answer for {now_s - watch.passed_s:.0f}s")
            self._judge_trouble(watch, now_s)

    def closed(self) -> tuple[str, str] | None:
        """The watch, as a rule, for which nothing may start, and why; None: every watch is open."""
        if not self._watches:
            return None
        return next(((rule, why) for rule, why in self._shut() if rule not in self._waived), None)

    def let_through(self) -> list[tuple[str, str]]:
        """The watches overridden by name that are not open, each with why."""
        return [found for found in self._shut() if found[0] in self._waived] if self._waived else []

    def _shut(self) -> Iterator[tuple[str, str]]:
        for watch in self._watches:
            if not watch.open and not self._is_suspended(watch):
                yield watch.rule, f"{watch.name}: {watch.verdict or 'not asked yet'} ({watch.evidence})"

    def deadline_s(self) -> float | None:
        """When a watch is next to be asked, has not been answered for too long, or its trouble has lasted too long, in run seconds."""
        if not self._watches:
            return None
        times = [watch.next_s for watch in self._watches if not watch.asking]
        for watch in self._watches:
            if watch.open and watch.passed_s is not None:
                times.append(watch.passed_s + watch.fresh_s)
            if watch.failing_s is not None:
                times.append(watch.failing_s + watch.streaks.checks[0].within_s)
            if watch.unknown_s is not None and not watch.told:
                times.append(watch.unknown_s + self._unknown_s)
        return min(times, default=None)

    def _is_suspended(self, watch: WatchState) -> bool:
        return self._suspended(watch.rule, watch.service)

    def _judge_trouble(self, watch: WatchState, now_s: float) -> None:
        if watch.rule in self._waived:
            return
        within_s = watch.streaks.checks[0].within_s
        if (watch.failing_s is not None or watch.unknown_s is not None) and self._blinded(watch.rule, watch.service):
            watch.failing_s = None if watch.failing_s is None else now_s
            watch.unknown_s = None if watch.unknown_s is None else now_s
        if watch.failing_s is not None and now_s >= watch.failing_s + within_s:
            watch.failing_s = now_s
            self._failed(watch.rule, f"{watch.name} FAILs for {within_s:g}s: {watch.evidence}")
        elif watch.unknown_s is not None and not watch.told and now_s >= watch.unknown_s + self._unknown_s:
            watch.told = True
            why = f"{watch.name} is UNKNOWN for {self._unknown_s:g}s: {watch.evidence}"
            self._outbox.tell(facts.PAUSED, verdict=Verdict.UNKNOWN, evidence=watch.evidence, why=why)

    def _heard(self, watch: WatchState, answer: Answer) -> None:
        watch.asking = False
        now_s = self._outbox.now_s
        first = watch.verdict is None
        self._baselines.heard(("watch", watch.name), answer)
        verdict, evidence = summed_up(answer)
        held = watch.streaks.hear(answer, now_s)
        watch.next_s = watch.streaks.next_s(now_s)
        if verdict is Verdict.PASS:
            watch.passed_s, watch.unknown_s = watch.asked_s, None
            # The first PASS opens; after trouble it takes a streak.
            watch.open = watch.open or held or first
            if watch.open:
                watch.failing_s = None
                if watch.told:
                    watch.told = False
                    self._outbox.tell(facts.GOING, why=f"{watch.name} passes again")
        self._turn(watch, verdict, evidence)

    def _turn(self, watch: WatchState, verdict: Verdict, evidence: str) -> None:
        """How the watch stands now."""
        now_s = self._outbox.now_s
        watch.verdict, watch.evidence = verdict, evidence
        if verdict is not Verdict.PASS:
            watch.open = False
        if verdict is Verdict.FAIL:
            watch.failing_s = now_s if watch.failing_s is None else watch.failing_s
            watch.unknown_s = None
        elif verdict is Verdict.UNKNOWN:
            watch.unknown_s = now_s if watch.unknown_s is None else watch.unknown_s
        self._outbox.tell_change(
            facts.WATCH, verdict, about=watch.name, verdict=verdict, evidence=evidence, name=watch.name
        )  # fmt: skip
