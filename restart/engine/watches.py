"""Watches: fleet-wide checks asked all through a run. A FAIL, or an UNKNOWN that lasts, holds the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from restart.engine import facts
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
    """One watch: how it stands, since when it does not pass, and whether it stood well before."""

    name: str
    rule: str
    streaks: Streaks
    next_s: float = 0.0
    asking: bool = False
    verdict: Verdict | None = None
    evidence: str = "not asked yet"
    bad_since_s: float | None = None
    open: bool = False
    told: bool = False


class Watches:
    """All watches of the inventory. The first PASS opens; after trouble a watch must hold its `healthy_for` again."""

    def __init__(
        self,
        inventory: Inventory,
        outbox: Outbox,
        failed: Callable[[str, str], None],
        suspended: Callable[[str | None], bool] = lambda service: False,
        waived: Waived = NOTHING_WAIVED,
    ) -> None:
        """`suspended(service)`: nothing can be asked through that service yet. The watches of `waived` rules are asked all the same, for
        the record, and hold nothing up.

        `failed(rule, why)` is called once a watch has FAILed for its `within`."""
        self._outbox = outbox
        self._failed = failed
        self._suspended = suspended
        self._waived = waived
        self._unknown_s = inventory.policy.watch_unknown_s
        self._watches = [
            WatchState(f"watch {number} ({check.kind})", watch_rule(number), Streaks((check,)))
            for number, check in enumerate(inventory.watch, 1)
        ]

    def forget(self) -> None:
        """After a resume every watch must pass anew."""
        for watch in self._watches:
            watch.streaks.reset()
            watch.verdict = None
            watch.next_s, watch.asking, watch.open, watch.bad_since_s, watch.told = 0.0, False, False, None, False

    def look(self) -> None:
        """Ask the watches whose time has come, and call out those that are bad for too long."""
        now_s = self._outbox.now_s
        for watch in self._watches:
            if self._is_suspended(watch):
                continue
            if not watch.asking and now_s >= watch.next_s:
                watch.asking = True
                self._outbox.send(
                    lambda id, watch=watch: Ask(id=id, subject="watch", checks=watch.streaks.checks),  # type: ignore[misc]
                    partial(self._heard, watch),
                )
            self._judge_trouble(watch, now_s)

    def closed(self) -> tuple[str, str] | None:
        """The watch, as a rule, for which nothing may start, and why; None: every watch is open."""
        return next(((rule, why) for rule, why in self._shut() if rule not in self._waived), None)

    def let_through(self) -> list[tuple[str, str]]:
        """The watches overridden by name that are not open, each with why."""
        return [found for found in self._shut() if found[0] in self._waived] if self._waived else []

    def _shut(self) -> Iterator[tuple[str, str]]:
        for watch in self._watches:
            if not watch.open and not self._is_suspended(watch):
                yield watch.rule, f"{watch.name}: {watch.verdict or 'not asked yet'} ({watch.evidence})"

    def deadline_s(self) -> float | None:
        """When a watch is next to be asked, or its trouble has lasted too long, in run seconds."""
        times = [watch.next_s for watch in self._watches if not watch.asking]
        for watch in self._watches:
            if watch.bad_since_s is not None:
                patience_s = [self._patience_s(watch)] if watch.verdict is Verdict.FAIL or not watch.told else []
                times.extend(watch.bad_since_s + limit_s for limit_s in patience_s)
        return min(times, default=None)

    def _is_suspended(self, watch: WatchState) -> bool:
        return self._suspended(watch.streaks.checks[0].service)

    def _patience_s(self, watch: WatchState) -> float:
        return watch.streaks.checks[0].within_s if watch.verdict is Verdict.FAIL else self._unknown_s

    def _judge_trouble(self, watch: WatchState, now_s: float) -> None:
        if (
            watch.rule in self._waived
            or watch.bad_since_s is None
            or now_s < watch.bad_since_s + self._patience_s(watch)
        ):
            return
        if watch.verdict is Verdict.FAIL:
            watch.bad_since_s = now_s
            self._failed(watch.rule, f"{watch.name} FAILs for {self._patience_s(watch):g}s: {watch.evidence}")
        elif not watch.told:
            watch.told = True
            why = f"{watch.name} is UNKNOWN for {self._unknown_s:g}s: {watch.evidence}"
            self._outbox.tell(facts.PAUSED, verdict=Verdict.UNKNOWN, evidence=watch.evidence, why=why)

    def _heard(self, watch: WatchState, answer: Answer) -> None:
        watch.asking = False
        now_s = self._outbox.now_s
        before = watch.verdict
        watch.verdict, watch.evidence = summed_up(answer)
        held = watch.streaks.hear(answer, now_s)
        watch.next_s = watch.streaks.next_s(now_s)
        if watch.verdict is Verdict.PASS:
            # The first PASS opens; after trouble it takes a streak.
            watch.open = watch.open or held or before is None
            watch.bad_since_s, watch.told = None, False
        else:
            if watch.bad_since_s is None or watch.verdict is not before:
                watch.bad_since_s = now_s
            watch.open = False
        self._outbox.tell_change(
            facts.WATCH, watch.verdict, about=watch.name, verdict=watch.verdict, evidence=watch.evidence, name=watch.name
        )  # fmt: skip
