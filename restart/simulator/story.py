"""What a run told of itself, kept short: when each move began and ended, what held it, what it came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from restart.engine import facts as names
from restart.model.event import Event, Fact

GIVEN_UP = (names.QUARANTINED, names.UNTOUCHED, names.SKIPPED, names.NOT_REBOOTED)


@dataclass(slots=True)
class Story:
    """A watcher. Times in run seconds; `holds` are (from, until, rule) of whatever held a move, a wave or the run."""

    began_s: dict[str, float] = field(default_factory=dict)
    ended_s: dict[str, float] = field(default_factory=dict)
    acted: set[str] = field(default_factory=set)
    given_up: dict[str, str] = field(default_factory=dict)
    holds: list[tuple[float, float, str]] = field(default_factory=list)
    halted_by: str = ""
    _open: dict[str, tuple[float, str]] = field(default_factory=dict)
    _wave: dict[str, str] = field(default_factory=dict)

    def see(self, event: Event, facts: Sequence[Fact]) -> None:
        """One event's facts."""
        for fact in facts:
            self._take(fact)

    def _take(self, fact: Fact) -> None:
        host = fact.host
        match fact.fact:
            case names.MOVE_STARTED if host is not None:
                self.began_s[host] = fact.at_s
                self.ended_s.pop(host, None)
                for subject in (host, f"wave {fact.wave}", "the run"):
                    self._let_go(subject, fact.at_s)
            case names.REBOOTING if host is not None:
                self.acted.add(host)
            case names.MOVE_DONE if host is not None:
                self.ended_s.setdefault(host, fact.at_s)
                self.given_up.pop(host, None)
            case names.HELD:
                subject = host or (f"wave {fact.wave}" if fact.wave is not None else "the run")
                self._let_go(subject, fact.at_s)
                rule = str(fact.data.get("rule", ""))
                if rule:
                    self._open[subject] = (fact.at_s, rule)
            case names.HALTED:
                self.halted_by = str(fact.data.get("rule", ""))
            case names.RUN_ENDED:
                for subject in tuple(self._open):
                    self._let_go(subject, fact.at_s)
            case name if name in GIVEN_UP and host is not None:
                self.ended_s[host] = fact.at_s
                self.given_up[host] = fact.why or name

    def _let_go(self, subject: str, at_s: float) -> None:
        found = self._open.pop(subject, None)
        if found is not None and at_s > found[0]:
            self.holds.append((found[0], at_s, found[1]))
