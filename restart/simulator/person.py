"""A person in a rehearsal: does what a run asks for by hand, and agrees to what it asks for, a stated time later.

Nobody is at the keyboard of a fleet that does not exist; without somebody every run that asks would wait for ever. A scenario that scripts
its operator (`says`) has none of these beside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from restart.engine import facts as names
from restart.model.event import Fact, Word
from restart.model.inventory import Inventory
from restart.model.plan import Plan, Wave
from restart.model.playbook import Playbook
from restart.rules.durations import spoken
from restart.rules.ladders import start_ladder
from restart.rules.stops import stop_ladder
from restart.simulator.clock import Rank, micros
from restart.simulator.world import SimulatedWorld

AFTER_S = 300.0
"""How long it takes until an approval is given, from when it is asked for: an assumption, and said so wherever it shows."""

NAMED_MAX = 5


class Person:
    """Answers each approval that a run asks for, `after_s` seconds later; switches hosts on or off where a rung asks for that."""

    def __init__(self, world: SimulatedWorld, plan: Plan, after_s: float) -> None:
        self._world = world
        self._inventory = plan.inventory
        self._after_s = after_s
        self._books = {(_mode(plan, wave), move.host): move.playbook for wave in plan.waves for move in wave.moves}
        self._mode = _mode(plan, plan.waves[0]) if plan.waves else plan.mode
        self._asked: set[str] = set()

    def hear(self, facts: Iterable[Fact]) -> None:
        """One event's facts. What is asked again while the answer is under way is asked once."""
        for fact in facts:
            if fact.fact == names.STAGE_STARTED:
                self._mode = str(fact.data.get("mode", self._mode))
            elif fact.fact == names.APPROVAL_WANTED:
                self._answer_later(fact, str(fact.data.get("target")))

    def _answer_later(self, fact: Fact, target: str) -> None:
        if target in self._asked:
            return
        self._asked.add(target)
        agenda, by_hand = self._world.site.agenda, self._by_hand(fact)

        def answer() -> None:
            self._asked.discard(target)
            if by_hand and fact.host is not None:
                machines = self._world.site.machines
                (machines.power_off if by_hand == "off" else machines.power_on)(fact.host)
            self._world.say(Word(at_s=0.0, word="approve", by="a person", target=target))

        agenda.at(agenda.now_us + micros(self._after_s), answer, Rank.ARRIVAL)

    def _by_hand(self, fact: Fact) -> str:
        """What is to be done to the host: `on`, `off`, or nothing but to agree."""
        playbook = self._inventory.playbooks.get(self._books.get((self._mode, fact.host or ""), ""))
        if (
            playbook is None
            or fact.service is not None
            or any(step.approve == fact.evidence for step in playbook.drain)
        ):
            return ""
        return "off" if self._mode == "shutdown" else "on"


def _mode(plan: Plan, wave: Wave) -> str:
    return wave.mode or plan.mode


def in_words(plan: Plan, after_s: float) -> tuple[str, ...]:
    """What a rehearsal of `plan` assumes of its person, in sentences; none where nobody is ever asked."""
    by_hand = [host for host, act in _acts(plan) if act == "start" and _first_by_hand(plan.inventory, host, plan)]
    found = []
    if by_hand:
        named = ", ".join(by_hand[:NAMED_MAX]) + (
            f" and {len(by_hand) - NAMED_MAX} more" if len(by_hand) > NAMED_MAX else ""
        )
        found.append(f"Assumed: a person switches on {named} by hand, {spoken(after_s)} after being asked for each.")
    if _asks(plan):
        found.append(f"Assumed: a person who is asked to agree does so after {spoken(after_s)}.")
    return tuple(found)


def _acts(plan: Plan) -> Sequence[tuple[str, str]]:
    return tuple(dict.fromkeys((move.host, move.act) for move in plan.moves()))


def _first_by_hand(inventory: Inventory, host: str, plan: Plan) -> bool:
    ladder = start_ladder(inventory.hosts[host], _book(plan, host))
    return bool(ladder) and ladder[0].kind == "approve"


def _book(plan: Plan, host: str) -> Playbook:
    return plan.inventory.playbooks[next(move.playbook for move in plan.moves() if move.host == host)]


def _asks(plan: Plan) -> bool:
    """Whether a person may be asked for more than to switch on what has no power control."""
    touched = {name for move in plan.moves() for name in move.services}
    gates = any(check.kind == "approve" for name in touched for check in plan.inventory.services[name].gate)
    books = [plan.inventory.playbooks[name] for name in dict.fromkeys(move.playbook for move in plan.moves())]
    drains = any(step.approve is not None for book in books for step in book.drain)
    acts = {move.act for move in plan.moves()}
    stops = "stop" in acts and any(rung.kind == "approve" for book in books for rung in stop_ladder(book))
    restarts = "restart" in acts and any(rung.kind == "approve" for book in books for rung in book.restart)
    return gates or drains or stops or restarts or any(wave.approve for wave in plan.waves)
