"""`approve`: a person says so. Neither asked nor judged by the world: the engine pauses and waits for `restart approve`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from restart.gates.evidence import unknown
from restart.model.check import Check, Finding
from restart.model.inventory import Host
from restart.model.question import Question, Reply
from restart.model.world import Gate


class Approve:
    """`approve: "vault is unsealed"`."""

    kind: str = "approve"
    schema: Mapping[str, Any] = {
        "description": "What a person must confirm before the run goes on.",
        "type": "string",
        "minLength": 1,
        "maxLength": 500,
    }

    def params(self, value: Any) -> Mapping[str, Any]:
        """`{"text": ..}`."""
        return {"text": value}

    def ask(self, check: Check, host: Host | None, service: str | None) -> tuple[Question, ...]:
        """Nothing: no machine can answer it."""
        return ()

    def judge(self, check: Check, replies: Sequence[Reply]) -> Finding:
        """UNKNOWN, always."""
        return unknown(f"approve: waits for a person: {check.params.get('text', '')}")


gate: Gate = Approve()
