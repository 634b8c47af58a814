"""What is known of one host's move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from math import inf
from typing import Any

from restart.engine.bridges import Bridge, before
from restart.engine.guards import Streaks
from restart.engine.table import Phase
from restart.model.inventory import Inventory
from restart.model.plan import Move
from restart.model.playbook import Playbook, Step
from restart.rules.ladders import playbook_of


@dataclass(slots=True)
class MoveState:
    """All that is known of one host's move. Times are run seconds.

    `taken`: the host has accepted this rung's command; `touched`: some rung's; `rebooted`: an earlier rung brought it into a new boot. `same_rung`: the next climb repeats the rung.
    `dark`: it has not answered since our last act was sent to it. `reboots_seen`: how often somebody else rebooted it while its checks held.
    `stepping`: the drain's step at hand may have been carried out. `held_since_s`: since when it waits to be judged well.
    `look_s`: when its checks are next to be looked at; `check_until_s`: when their time is over, `early_until_s` that of the more impatient of them. `switched`: the reset that this rung sends, or has sent, to its power control; `answers`: it let us in just before. `told_done`: who said that the host is done, and why.
    `kernel`: the one that ran before, as far as the host told, `kernel_now` the one after. `by_itself`: it came back without us, and only its checks are asked. Of a start: `up_already`: the host was found up, and is not touched; `silent_s`: when it was last found silent; `bridges`: its stand-ins; `seeded`: a service of it chooses who starts first. Of a spare: `member`, the lost one whose place in its first service it takes.
    """

    move: Move
    wave: int
    playbook: Playbook
    phase: Phase = Phase.WAITING
    sick_in: frozenset[str] = frozenset()
    judged_s: float = 0.0
    began_s: float = 0.0
    acted_s: float | None = None
    booted_s: float | None = None
    check_until_s: float = 0.0
    early_until_s: float = inf
    rung: int = -1
    step: int = 0
    drained: list[int] = field(default_factory=list)
    tries: int = 0
    boot_id: str = ""
    boot_id_now: str = ""
    uptime_s: float = 0.0
    invocations: tuple[str, ...] = ()
    taken: bool = False
    touched: bool = False
    rebooted: bool = False
    same_rung: bool = False
    dark: bool = False
    reboots_seen: int = 0
    stepping: bool = False
    held_since_s: float | None = None
    lost_with_process: bool = False
    still_up: bool = False
    declined: str = ""
    why: str = ""
    approval: str | None = None
    streaks: dict[str | None, Streaks] = field(default_factory=dict)
    asking: set[str | None] = field(default_factory=set)
    next_s: dict[str | None, float] = field(default_factory=dict)
    look_s: float = inf
    switched: str = ""
    answers: bool = False
    told_done: str = ""
    up_already: bool = False
    by_itself: bool = False
    kernel: str = ""
    kernel_now: str = ""
    silent_s: float | None = None
    bridges: tuple[Bridge, ...] = ()
    seeded: bool = False
    undrains: tuple[Step, ...] = ()
    """What an earlier stage has drained it with, to be undone once it is well."""
    member: str | None = None
    before: Mapping[str, Any] | None = None
    """What stood on it before anything was done to it, to be compared with; None: nothing is known."""
    changed: bool = False
    """Something was done to it in an earlier try of this run: what it is compared with is not taken anew."""
    owed_look: bool = False
    """A controller that died took it for sick, so that nobody has looked at it."""
    host: str = field(init=False)
    """The host that moves."""

    def __post_init__(self) -> None:
        self.host = self.move.host

    def reset(self) -> None:
        """As if the move had never begun; its place in the plan stays, and what is known from before anything was done to the host."""
        changed = self.changed or self.touched or self.acted_s is not None
        fresh = MoveState(
            self.move,
            self.wave,
            self.playbook,
            phase=self.phase,
            bridges=self.bridges,
            seeded=self.seeded,
            undrains=self.undrains,
            member=self.member,
            before=self.before if changed else None,
            changed=changed,
        )
        for known in fields(MoveState):
            setattr(self, known.name, getattr(fresh, known.name))

    @property
    def undone(self) -> tuple[Step, ...]:
        """The steps that its undrain undoes."""
        return self.undrains if self.undrains and self.phase is Phase.UNDRAINING else self.playbook.drain


def state_of(inventory: Inventory, move: Move, wave: int, mine: tuple[Bridge, ...]) -> MoveState:
    """The state in which `move` begins, `mine` being its stand-ins."""
    playbook = playbook_of(inventory, move)
    undrains = playbook.drain if move.undrain else ()
    if move.act == "start":
        # What drains a host makes sense of one that is up; before a start only stand-ins are put up, where they are elsewhere.
        playbook = replace(playbook, drain=before(mine))
    seeded = move.act == "start" and any(inventory.services[name].seed is not None for name in move.services)
    return MoveState(move, wave, playbook, bridges=mine, seeded=seeded, undrains=undrains)
