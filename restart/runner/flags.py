"""Stop flags: an operator's standing "touch nothing", kept in the store for every run that is or will be carried out from it.

A flag stands on everything, on a fleet, or on a service (of one fleet, or of that name in any). Each is set by somebody, for a
reason, and stands until it is lifted by its number, so that nobody lifts another's without knowing. A run hears of flags
as words, within a second (`FlagWords`); and whatever it has heard, the store is asked once more right before each act on a host (`FlagGuard`).

A store knows its own flags only: a controller with another store, on another machine, does not see them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from restart.errors import Held
from restart.model.event import Word
from restart.model.inventory import Inventory
from restart.model.request import PowerOff, Reboot, Request, RestartUnits, RunHook, RunStep, SwitchPower
from restart.runner.store import Store, utc_now

EVERYTHING, FLEET, SERVICE = "everything", "fleet", "service"

_COLUMNS = "number, level, fleet, service, by, reason, at"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopFlag:
    """One flag. `fleet` is None where it stands for every fleet. `at` is UTC, RFC 3339."""

    number: int
    level: str
    fleet: str | None
    service: str | None
    by: str
    reason: str
    at: str

    @property
    def scope(self) -> str:
        """What it stands on, in words."""
        if self.level == SERVICE:
            return f"service {self.service} of {f'fleet {self.fleet}' if self.fleet else 'every fleet'}"
        return EVERYTHING if self.level == EVERYTHING else f"fleet {self.fleet}"

    @property
    def target(self) -> str:
        """As a run's words name it: its number and what of the run's fleet it holds."""
        return f"{self.number} {f'service {self.service}' if self.level == SERVICE else self.level}"

    def __str__(self) -> str:
        return f"stop flag {self.number} stands on {self.scope}, set by {self.by} at {self.at}: {self.reason}"


def raise_flag(
    store: Store, *, level: str, fleet: str | None = None, service: str | None = None, by: str, reason: str
) -> StopFlag:
    """A new flag, standing from now on."""
    with store.writing() as execute:
        added = execute(
            "INSERT INTO flag (level, fleet, service, by, reason, at) VALUES (?, ?, ?, ?, ?, ?)",
            (level, fleet, service, by, reason, utc_now()),
        )
        number = int(added.lastrowid)
    return next(flag for flag in standing(store) if flag.number == number)


def lift_flag(store: Store, number: int, *, by: str, reason: str) -> bool:
    """Lift the flag of this number; False where it does not stand."""
    with store.writing() as execute:
        changed = execute(
            "UPDATE flag SET lifted_by = ?, lifted_why = ?, lifted_at = ? WHERE number = ? AND lifted_at IS NULL",
            (by, reason, utc_now(), number),
        )
        return bool(changed.rowcount)


def standing(store: Store, fleet: str | None = None) -> tuple[StopFlag, ...]:
    """The flags that stand (for `fleet`), the oldest first."""
    rows = store.read(
        f"SELECT {_COLUMNS} FROM flag WHERE lifted_at IS NULL AND (?1 IS NULL OR fleet IS NULL OR fleet = ?1) "
        "ORDER BY number",
        (fleet,),
    )
    keys = _COLUMNS.split(", ")
    return tuple(StopFlag(**dict(zip(keys, row, strict=True))) for row in rows)


class FlagWords:
    """The flags that were set or lifted since the last call, as words; `known` are the targets of those that the run has heard of."""

    def __init__(self, store: Store, fleet: str, known: Iterable[str] = ()) -> None:
        self._store = store
        self._fleet = fleet
        self._known = dict.fromkeys(known)

    def __call__(self) -> tuple[Word, ...]:
        now = {flag.target: flag for flag in standing(self._store, self._fleet)}
        told = [
            Word(at_s=0.0, word="flag", by=flag.by, reason=flag.reason, target=target)
            for target, flag in now.items()
            if target not in self._known
        ]
        told += [self._lifted(target) for target in self._known if target not in now]
        self._known = dict.fromkeys(now)
        return tuple(told)

    def _lifted(self, target: str) -> Word:
        number = target.partition(" ")[0]
        found = self._store.read("SELECT lifted_by, lifted_why FROM flag WHERE number = ?", (number,))
        by, why = found[0] if found else ("", "")
        return Word(at_s=0.0, word="unflag", by=by or "", reason=why or "", target=target)


class FlagGuard:
    """Asked right before an act: why it may not be begun, a flag that stands; None: it changes no host, or none stands."""

    def __init__(self, store: Store, inventory: Inventory) -> None:
        self._store = store
        self._fleet = inventory.fleet
        self._services: dict[str, set[str]] = {}
        for service in inventory.services.values():
            for host in service.hosts:
                self._services.setdefault(host, set()).add(service.name)

    def __call__(self, request: Request) -> str | None:
        if not isinstance(request, Reboot | RestartUnits | PowerOff | SwitchPower | RunStep | RunHook):
            return None
        on = request.host
        if isinstance(request, RunStep | RunHook) and request.undo:
            # What takes back what was begun is never withheld.
            return None
        if isinstance(request, RunStep):
            on = request.on
        touched = self._services.get(request.host or "", set()) | self._services.get(on or "", set())
        try:
            found = standing(self._store, self._fleet)
        except Held as error:
            return f"the stop flags cannot be read: {error.message}"
        return next((str(flag) for flag in found if flag.level != SERVICE or flag.service in touched), None)
