"""Faults drawn from a seed: the same fleet, seed and span give the same faults."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from restart.model.inventory import Inventory
from restart.simulator.deaths import MOMENTS
from restart.simulator.faults import Fault

FOR_GOOD = ("never_returns", "same_boot_id", "ignores_reboot", "returns_late")
PASSING = (
    "goes_down",
    "someone_reboots",
    "lies",
    "flaps",
    "ssh_hangs",
    "unknown",
    "answers_lost",
    "comes_back_corrupt",
    "disk_full",
    "controller_dies",
)
PHASES = ("connect", "banner", "auth", "channel", "command")


def drawn_faults(
    inventory: Inventory, seed: int, *, number: int = 3, span_s: float = 600.0, passing: bool = False
) -> tuple[Fault, ...]:
    """So many faults within the first `span_s` of a run. `passing`: only those that stop by themselves, the last by 1.5 times `span_s`."""
    chance = Random(f"{seed}/faults")
    kinds = PASSING if passing else (*PASSING, *FOR_GOOD, "foreign_claim", "clock_steps")
    return tuple(_drawn(inventory, chance, chance.choice(kinds), span_s) for _ in range(number))


def _drawn(inventory: Inventory, chance: Random, kind: str, span_s: float) -> Fault:
    host = (chance.choice(list(inventory.hosts)),)
    at_s, for_s = round(chance.uniform(0.1, span_s), 3), round(chance.uniform(1.0, span_s / 2), 3)
    make: dict[str, Callable[[], Fault]] = {
        "controller_dies": lambda: Fault(kind=kind, event=chance.randint(1, 500), moment=chance.choice(MOMENTS)),
        "returns_late": lambda: Fault(kind=kind, hosts=host, by_s=for_s),
        "clock_steps": lambda: Fault(kind=kind, at_s=at_s, by_s=round(chance.uniform(-span_s, span_s), 3)),
        "flaps": lambda: Fault(kind=kind, hosts=host, at_s=at_s, for_s=for_s, by_s=round(chance.uniform(1.0, 20.0), 3)),
        "ssh_hangs": lambda: Fault(kind=kind, hosts=host, at_s=at_s, for_s=for_s, phase=chance.choice(PHASES)),
        "answers_lost": lambda: Fault(kind=kind, hosts=host, at_s=at_s, for_s=for_s, chance=chance.choice((0.3, 1.0))),
        "unknown": lambda: _unknown(inventory, chance, host, at_s, for_s),
    }
    if kind in make:
        return make[kind]()
    if kind in FOR_GOOD:
        return Fault(kind=kind, hosts=host)
    return Fault(kind=kind, hosts=host, at_s=at_s, for_s=for_s)


def _unknown(inventory: Inventory, chance: Random, host: tuple[str, ...], at_s: float, for_s: float) -> Fault:
    """Of a host's checks, of a service's gate, or of the watch."""
    services = list(inventory.services)
    if services and chance.random() < 0.5:
        return Fault(kind="unknown", services=(chance.choice(services),), at_s=at_s, for_s=for_s)
    return Fault(kind="unknown", hosts=host if chance.random() < 0.8 else (), at_s=at_s, for_s=for_s)
