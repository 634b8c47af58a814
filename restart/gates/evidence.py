"""How a gate words what it saw: findings with one line of evidence, the same way for every kind."""

from __future__ import annotations

from restart.model.answer import NoAnswer
from restart.model.check import Finding, Verdict
from restart.model.question import Reply
from restart.probes.output import one_line


def passed(evidence: str) -> Finding:
    """PASS: proved good."""
    return Finding(verdict=Verdict.PASS, evidence=one_line(evidence))


def failed(evidence: str) -> Finding:
    """FAIL: proved bad."""
    return Finding(verdict=Verdict.FAIL, evidence=one_line(evidence))


def unknown(evidence: str) -> Finding:
    """UNKNOWN: it could not be learnt."""
    return Finding(verdict=Verdict.UNKNOWN, evidence=one_line(evidence))


def unanswered(subject: str, reply: Reply | None) -> Finding:
    """UNKNOWN for `subject`: no reply, or one that does not answer the question."""
    if reply is None:
        return unknown(f"{subject}: was not asked")
    if isinstance(reply, NoAnswer):
        return unknown(f"{subject}: {reply.reason}" + (f", {reply.detail}" if reply.detail else ""))
    return unknown(f"{subject}: cannot read a {type(reply).__name__}")


def milliseconds(took_s: float) -> str:
    """`12 ms`, for evidence."""
    return f"{took_s * 1000:.0f} ms"
