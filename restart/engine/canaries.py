"""Canaries that are watched for longer than others (`canary_for`, design: rule 8): before their stratum opens, their checks and gates must hold that long.

The canary is back in service by then, so that what is watched is how it does its work. A check that is not PASS, or a gate that does not
pass, begins the time anew; where it does not come to hold in the end, the canary is lost like one that never came back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from restart.engine import facts
from restart.engine.guards import Guards
from restart.engine.outbox import Outbox
from restart.engine.readiness import asked_before, summed_up
from restart.model.answer import Answer
from restart.model.check import Check, Verdict
from restart.model.inventory import Inventory
from restart.model.request import Ask
from restart.rules.durations import spoken

BEAT_S = 5.0
"""The checks of a watched canary are asked again no sooner than this."""


@dataclass(slots=True)
class Watched:
    """One canary. Times are run seconds. `since_s`: everything has held since; `until_s`: then it is given up; `told`: its last verdicts."""

    host: str
    services: tuple[str, ...]
    for_s: float
    within_s: float
    done_s: float
    since_s: float
    until_s: float
    next_s: dict[str, float] = field(default_factory=dict)
    asking: set[str] = field(default_factory=set)
    told: dict[str, Verdict] = field(default_factory=dict)
    why: str = "its checks were not asked yet"


class Canaries:
    """The canaries under watch."""

    def __init__(
        self,
        inventory: Inventory,
        outbox: Outbox,
        guards: Guards,
        ended: Callable[[str, str | None], None],
        noted: Callable[[str, str, Verdict, str], None],
    ) -> None:
        """`ended(host, why)` hears of each canary that has held, or (`why`) has not; `noted` each verdict learnt (service, host, verdict, evidence)."""
        self._outbox = outbox
        self._guards = guards
        self._ended = ended
        self._noted = noted
        self._checks: dict[str, tuple[Check, ...]] = {
            name: asked_before(service.ready) for name, service in inventory.services.items()
        }
        self._watched: dict[str, Watched] = {}

    @property
    def is_watching(self) -> bool:
        """Whether any canary is under watch."""
        return bool(self._watched)

    def watch(self, host: str, services: tuple[str, ...], for_s: float) -> None:
        """Watch the canary on `host`, whose move has just ended well, for so long."""
        now_s = self._outbox.now_s
        within_s = max((check.within_s for name in services for check in self._checks[name]), default=0.0)
        self._watched[host] = Watched(
            host, services, for_s, within_s, now_s, now_s, now_s + for_s + within_s, dict.fromkeys(services, now_s)
        )
        self._outbox.tell(facts.CANARY_WATCHED, host=host, for_s=for_s, why=f"a canary, watched for {spoken(for_s)}")

    def drop(self, host: str) -> None:
        """An operator decided on the host."""
        self._watched.pop(host, None)

    def forget(self) -> None:
        """After a resume nothing that held before counts."""
        now_s = self._outbox.now_s
        for found in self._watched.values():
            found.asking.clear()
            found.told.clear()
            found.since_s, found.until_s = now_s, now_s + found.for_s + found.within_s
            found.next_s = dict.fromkeys(found.services, now_s)

    def look(self) -> None:
        """Ask what is due, and say which canaries have held, or have had their time."""
        now_s = self._outbox.now_s
        for found in list(self._watched.values()):
            gates = self._gates_hold(found)
            held = gates and all(found.told.get(name) is Verdict.PASS for name in found.services)
            if held and now_s - found.since_s >= found.for_s - 1e-9:
                self._end(found, None)
            elif now_s >= found.until_s:
                self._end(found, f"the canary's checks and gates did not hold for {spoken(found.for_s)}: {found.why}")
            else:
                self._ask(found)

    def deadline_s(self) -> float | None:
        """When, in run seconds, one of them is next to be looked at."""
        if not self._watched:
            return None
        times = [
            at_s
            for found in self._watched.values()
            for at_s in (
                found.until_s,
                found.since_s + found.for_s,
                *(at_s for name, at_s in found.next_s.items() if name not in found.asking),
            )
            if at_s > self._outbox.now_s
        ]
        return min(times, default=None)

    def _gates_hold(self, found: Watched) -> bool:
        """Every gate of its services has passed since its move ended; one that does not pass begins the time anew."""
        hold = True
        for name in (name for name in found.services if self._guards.has(name)):
            passed = self._guards.passed(name, found.done_s)
            if self._guards.fails(name):
                found.since_s, found.why = self._outbox.now_s, self._guards.story(name)
            hold = hold and passed
        return hold

    def _ask(self, found: Watched) -> None:
        for name in found.services:
            if name not in found.asking and self._outbox.now_s >= found.next_s[name]:
                found.asking.add(name)
                self._outbox.send(
                    lambda id, name=name: Ask(  # type: ignore[misc]
                        id=id, subject="ready", checks=self._checks[name], host=found.host, service=name
                    ),
                    partial(self._heard, found, name),
                )

    def _heard(self, found: Watched, name: str, answer: Answer) -> None:
        found.asking.discard(name)
        now_s = self._outbox.now_s
        found.told[name], evidence = summed_up(answer)
        found.next_s[name] = now_s + max(BEAT_S, min(check.every_s for check in self._checks[name]))
        if found.told[name] is not Verdict.PASS:
            found.since_s, found.why = now_s, f"{name}: {evidence}"
        if self._watched.get(found.host) is found:
            # It is a member like any other, and nothing that is known of one is kept from those that count them.
            self._noted(name, found.host, found.told[name], evidence)

    def _end(self, found: Watched, why: str | None) -> None:
        del self._watched[found.host]
        self._ended(found.host, why)
