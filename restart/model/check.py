"""A check: a question to one host or service, answered PASS, FAIL or UNKNOWN with evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """UNKNOWN never opens anything."""

    PASS = "PASS"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One health question as the inventory states it.

    `kind` names a gate on the `restart.gates` shelf (`tcp`, `http`, ...); `params` are that gate's own keys, already
    checked against its schema. `service` names the service that the question travels through (design: path).
    All times are in seconds: one question is given up after `timeout_s`, repeated each `every_s`, must keep passing for
    `healthy_for_s`, and has failed for good after `within_s`.
    """

    kind: str
    params: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float = 5.0
    every_s: float = 2.0
    healthy_for_s: float = 10.0
    within_s: float = 300.0
    service: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check answered. `evidence` is one line for people; it never holds a secret.

    `seen` is what a first look measured, for later looks to be compared with: `value`, a number, `alerts`, a list of keys, or `told` and `there`, what
    stands on a host (`restart.probes.standing`). It goes into the journal with the answer, so that a resumed run compares with the same.
    """

    verdict: Verdict
    evidence: str = ""
    seen: Mapping[str, Any] = field(default_factory=dict)


OF_RUN = "of_run"
"""The key of a check's params under which the engine says what the run knows, when it asks a check that compares.

`before` is what the first look saw (see `Finding.seen`), `first` that this is that look, `away` the names and addresses of the hosts
that the run has in flight or lost, `caused` what its hooks are declared to cause. A gate stays pure: all that it compares with
comes with the check. No inventory can state the key.
"""


SSH_CHECK = Check(kind="ssh")
"""The `ready` check of a service that states none."""
