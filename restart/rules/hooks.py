"""Hooks in words: what they do, and how a person undoes them."""

from __future__ import annotations

from restart.model.hook import Hook
from restart.model.inventory import Host
from restart.rules.durations import spoken
from restart.rules.fill import fill_known


def does(hook: Hook) -> str:
    """What setting it does, for a plan."""
    if hook.silence is not None:
        return f"silence {', '.join(hook.silence.matchers)} in {hook.silence.alertmanager} for {spoken(hook.silence.for_s)}, renewed"
    return f"`{hook.run}` on {hook.on or 'the controller'}"


def by_hand(hook: Hook, said: str, host: Host | None) -> str:
    """How a person undoes it. `said` is what setting it answered: of a silence, its id."""
    if hook.silence is not None:
        known = said.split()[1] if said.startswith("silence ") else "ID"
        ends = f"; it ends by itself after {spoken(hook.silence.for_s)}"
        return f"amtool silence expire {known} --alertmanager.url={hook.silence.alertmanager}{ends}"
    if hook.undo is None:
        return "nothing to undo"
    return f"{fill_known(hook.undo, host, None)} (on {hook.on or 'the controller'})"
