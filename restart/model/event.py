"""Events: all that the engine ever hears, and the facts it tells in return.

`at_s` is monotonic, in seconds since the run's start, and never runs back; across a resume it goes on from where it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from restart.model.answer import Answer
from restart.model.check import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The first event of every run. `until_wave`: stop after this wave (None: all). `utc`: the wall clock at `at_s`, RFC 3339; empty: not told."""

    at_s: float
    engine: int
    run: str
    plan_digest: str
    controller: str = ""
    user: str = ""
    reason: str = ""
    until_wave: int | None = None
    utc: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """The run goes on in a new process: every request still in flight will never be answered. `utc` is as in `Started`."""

    at_s: float
    engine: int
    controller: str = ""
    user: str = ""
    utc: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Woke:
    """Time has passed. An extra one is a no-op."""

    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The one answer to the request `request`. `host` and `service` repeat the request's, for the reader."""

    at_s: float
    request: str
    answer: Answer
    host: str | None = None
    service: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """An operator spoke: `pause`, `go`, `stop`, `let-go` (second Ctrl-C), `approve`, `done`, `retry` or `skip` (the last three: `resolve`), `flag`, `unflag` or `clock`.

    `target` is what it is about: a host for resolve, an approval's name for approve, for flags a number and `everything`, `fleet` or `service NAME`,
    for `clock` what the stepped wall clock says (UTC).
    """

    at_s: float
    word: str
    by: str = ""
    reason: str = ""
    target: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseLost:
    """This controller may act no longer."""

    at_s: float
    why: str


Event = Started | Resumed | Woke | Answered | Word | LeaseLost


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that became true while the engine handled an event, told to journal, reports and people.

    `fact` is its name (see `restart.engine.facts` for the list). Facts are consequences: replay makes the same ones again.
    """

    at_s: float
    fact: str
    host: str | None = None
    service: str | None = None
    wave: int | None = None
    verdict: Verdict | None = None
    evidence: str | None = None
    why: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended. `state`: `done`, `halted`, `stopped`, `paused` (waits for an operator), `held` (claim or lease), `drift`."""

    state: str
    exit_code: int
    why: str
