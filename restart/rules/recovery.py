"""Recovery: what is done about a host, by the state that a survey sorted it as (design: section 4 and rule 17)."""

from __future__ import annotations

from restart.model.check import Verdict
from restart.model.observation import HostSeen

WELL = frozenset({"returned", "never-went-down"})
"""Left alone."""

DARK = frozenset({"stuck", "down", "returning"})
"""Not ready, though no check may have said FAIL: nothing that is taken from them is lost. They take nothing from a budget."""

RESTARTED = frozenset({"unhealthy", "stuck"})
STARTED = frozenset({"down"})


def state_of(seen: HostSeen | None) -> str:
    """The host's state; one that was not looked at, or not sorted, is `unknown`."""
    return "unknown" if seen is None or seen.state is None else seen.state


def act_of(seen: HostSeen | None) -> str | None:
    """Which ladder is climbed: `start` where its power is off, else `restart`; None: the host is left alone."""
    state = state_of(seen)
    if state in STARTED or (state == "returning" and seen is not None and seen.power == "off"):
        return "start"
    return "restart" if state in RESTARTED or state == "returning" else None


def is_sick(verdict: Verdict, state: str) -> bool:
    """Whether a member takes nothing from its service's budget: a FAIL proves it not ready, or it is dark and does not PASS."""
    return verdict is Verdict.FAIL or (state in DARK and verdict is not Verdict.PASS)
