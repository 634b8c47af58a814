"""The slots that span the runs of a simulated store: this run's, and what other runs hold meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field

from restart.model.answer import Answer, SlotsGiven, SlotsRefused
from restart.model.request import GiveSlots, KeepSlots, TakeSlots


@dataclass(slots=True)
class Ledger:
    """`own` and `others` map a slot to who holds how much of it. A scenario writes `others`."""

    own: dict[str, dict[str, float]] = field(default_factory=dict)
    others: dict[str, dict[str, float]] = field(default_factory=dict)

    def answer(self, request: TakeSlots | GiveSlots | KeepSlots) -> Answer:
        """What a store would say."""
        if isinstance(request, GiveSlots):
            for slot in request.slots:
                self.own.get(slot, {}).pop(request.host, None)
        elif isinstance(request, KeepSlots):
            self.own.clear()
            for host, wanted in zip(request.hosts, request.slots, strict=True):
                self.own.setdefault(wanted.slot, {})[host] = wanted.amount
        else:
            for wanted in request.slots:
                held = self.held(wanted.slot) - self.own.get(wanted.slot, {}).get(request.host, 0.0)
                if wanted.cap is not None and held + wanted.amount > wanted.cap + 1e-9:
                    names = (*self.others.get(wanted.slot, {}), *self.own.get(wanted.slot, {}))
                    return SlotsRefused(slot=wanted.slot, held=held, cap=wanted.cap, by=names)
            for wanted in request.slots:
                self.own.setdefault(wanted.slot, {})[request.host] = wanted.amount
        return SlotsGiven()

    def held(self, slot: str) -> float:
        """How much of `slot` all runs hold."""
        return sum(self.own.get(slot, {}).values()) + sum(self.others.get(slot, {}).values())
