"""Ladders: by which a host is started where its playbook does not say how (design: section 5, Playbooks)."""

from __future__ import annotations

from dataclasses import replace

from restart.model.inventory import Host, Inventory
from restart.model.plan import Move
from restart.model.playbook import Playbook, Rung
from restart.rules.stops import stop_ladder

POWER_ON = Rung(kind="power", reset="on", back_within_s=900.0)
BY_HAND = Rung(kind="approve", text="switch {host} on by hand", back_within_s=900.0)


def start_ladder(host: Host, playbook: Playbook) -> tuple[Rung, ...]:
    """How `host` is started: its playbook's `start`; without one its power control, where it has one, and last a person."""
    if playbook.start:
        return playbook.start
    return (POWER_ON, BY_HAND) if host.power is not None else (BY_HAND,)


def playbook_of(inventory: Inventory, move: Move) -> Playbook:
    """The playbook of `move`, with the ladder that it climbs filled in."""
    playbook = inventory.playbooks[move.playbook]
    if move.act == "stop":
        return replace(playbook, stop=stop_ladder(playbook))
    if move.act != "start":
        return playbook
    return replace(playbook, start=start_ladder(inventory.hosts[move.host], playbook))
