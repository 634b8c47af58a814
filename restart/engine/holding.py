"""Tells what holds a move, or the whole run: always with its rule, its numbers and its way out."""

from __future__ import annotations

from restart.engine import facts
from restart.engine.outbox import Outbox
from restart.engine.parking import Hold
from restart.engine.state import MoveState
from restart.rules.ways_out import way_out


def tell_hold(outbox: Outbox, state: MoveState, hold: Hold) -> None:
    """Tell what holds a move, where it is not what was told last."""
    outbox.tell_change(
        facts.HELD, (hold.rule, hold.told), host=state.host, wave=state.wave, why=hold.told, rule=hold.rule, way_out=hold.way_out
    )  # fmt: skip


def is_told(outbox: Outbox, state: MoveState, hold: Hold) -> bool:
    """Whether this is what was told last of the move."""
    return bool(outbox.known(facts.HELD, host=state.host) == (hold.rule, hold.told))


def tell_run_hold(outbox: Outbox, closed: tuple[str, str] | None) -> None:
    """Tell for which rule nothing may start now, and why; None: nothing holds the run."""
    if closed is None:
        outbox.tell_change(facts.HELD, None, about="run", why="nothing holds the run", rule="")
        return
    rule, why = closed
    way = way_out(rule)
    outbox.tell_change(facts.HELD, closed, about="run", why=f"{why} ({way})", rule=rule, way_out=way)
