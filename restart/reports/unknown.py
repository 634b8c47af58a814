"""Hosts that a plan leaves alone because nobody can say how they are: a run that is done says nothing of them, so that reports must."""

from __future__ import annotations

from restart.model.plan import LeftAlone, Plan
from restart.reports.prose import count, listed
from restart.rules.recovery import state_of


def unknown_hosts(plan: Plan) -> tuple[LeftAlone, ...]:
    """Those that a recovery does not touch though nothing says that they are well; each with why."""
    if plan.mode != "recover" or plan.observation is None:
        return ()
    seen = plan.observation.hosts
    return tuple(alone for alone in plan.left_alone if state_of(seen.get(alone.host)) == "unknown")


def unknown_line(hosts: tuple[LeftAlone, ...]) -> str:
    """The one line that nobody may miss."""
    names = listed([alone.host for alone in hosts])
    return f"UNKNOWN, so not touched, and not counted above: {count(len(hosts), 'host')} ({names}). Nobody can say how they are."
