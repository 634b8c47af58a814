"""The journal's rows read back: rows are what the store holds of a run, facts are what the views fold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from restart.model.check import Verdict
from restart.model.event import Fact

Row = Mapping[str, Any]

INPUT = "input"
"""The key that tells an input (something the engine heard) from a fact (something it concluded)."""


def fact_of(row: Row) -> Fact | None:
    """The fact that a row holds; None for an input."""
    if INPUT in row:
        return None
    verdict = row.get("verdict")
    return Fact(
        at_s=float(row["at_s"]),
        fact=str(row["event"]),
        host=row.get("host"),
        service=row.get("service"),
        wave=row.get("wave"),
        verdict=None if verdict is None else Verdict(verdict),
        evidence=row.get("evidence"),
        why=row.get("why"),
        data=row.get("data") or {},
    )


def facts_of(rows: Iterable[Row]) -> list[Fact]:
    """The facts among `rows`, in order."""
    return [fact for row in rows if (fact := fact_of(row)) is not None]
