"""Requests: what the engine wants done. Plain data; a world carries them out and answers each exactly once.

`id` is unique within the run and the same on every replay. `host` is the moving host, save where said.
"""

from __future__ import annotations

from dataclasses import dataclass

from restart.model.check import Check
from restart.model.hook import Silence


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Ask these checks, once each, and answer `Checked` (or `NoAnswer` where none could be asked). Repeatable.

    `subject` is `ready` (of `host`, as a member of `service`; `boot` where the check proves a reboot), `before` (of `host`: the first look, which its restart
    is compared with), `gate` (of `service`; `host` is None) or `watch`.
    """

    id: str
    subject: str
    checks: tuple[Check, ...]
    host: str | None = None
    service: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Claim `host` for this run for `hold_s` of its uptime, and read its boot id: `Claimed`, `HeldBy`. Repeatable."""

    id: str
    host: str
    hold_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Take this run's claim off `host`: `Released`. Repeatable."""

    id: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStep:
    """Run one playbook step's shell command on host `on`, for the move of `host`: `StepRan`. Idempotent by contract."""

    id: str
    host: str
    on: str
    command: str
    timeout_s: float
    undo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reboot:
    """Reboot `host` only if its boot id is still `boot_id` and its uptime at most `not_after_uptime_s`, and no foreign claim stands.

    Answered by `RebootTaken` or `RebootDeclined`. A repeated or late one does nothing.
    """

    id: str
    host: str
    boot_id: str
    not_after_uptime_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitBoot:
    """Wait until `host` answers with a boot id other than `boot_id`: `Booted`; `StillUp` when the old one still answers
    after `down_within_s`; `NoAnswer` when nothing answers within `back_within_s`. Repeatable.

    An empty `boot_id` is a host that was off: any boot id will do."""

    id: str
    host: str
    boot_id: str
    down_within_s: float
    back_within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadUnits:
    """Read the `InvocationID`s of systemd `units` on `host`: `Units`. Repeatable."""

    id: str
    host: str
    units: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartUnits:
    """Restart each of `units` whose `InvocationID` is still the one in `invocations` (same order): `Units`, or `NoAnswer`.

    A repeated one does nothing to a unit that was restarted already. It ends when the units are active or `within_s` is over.
    """

    id: str
    host: str
    units: tuple[str, ...]
    invocations: tuple[str, ...]
    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Run a command on `host` that changes nothing and read what it prints, for `service`: `StepRan`. Repeatable.

    `about` is `role` (which member leads) or `seed` (which member starts first).
    """

    id: str
    host: str
    service: str
    about: str
    command: str
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerOff:
    """Switch `host` off over SSH, under the conditions of `Reboot`: `RebootTaken` or `RebootDeclined`. A repeated or late one does nothing."""

    id: str
    host: str
    boot_id: str
    not_after_uptime_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitOff:
    """Wait until `host` is proved off: `WentOff`; `StillUp` when it is not after `within_s`. Repeatable.

    Proved by its power control, or without one by SSH refused or silent for 30 s after the session ended (design: rule 20).
    """

    id: str
    host: str
    boot_id: str
    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPower:
    """Read the state of `host`'s power through its power control: `PowerState`. Repeatable."""

    id: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchPower:
    """Switch `host`'s power: `PowerSwitched`, or `NoAnswer`. `reset` is `graceful`, `force`, `cycle`, `on` or `off`.

    `cycle` is off, proved off, on. `on` and `off` may be repeated. The others are proved by boot id, never repeated blindly.
    """

    id: str
    host: str
    reset: str
    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHook:
    """Set the hook of this name, or take it back (`undo`): `StepRan`. Idempotent by contract.

    It is `command` on `host` (None: on the controller), or `silence`: one of this run and hook is made, renewed, or ended.
    """

    id: str
    hook: str
    command: str
    timeout_s: float
    host: str | None = None
    silence: Silence | None = None
    undo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotWanted:
    """`amount` of a slot of which `cap` may be held at once by all runs of the store; a `cap` of None: it is counted and never refused."""

    slot: str
    amount: float
    cap: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeSlots:
    """Have the store give `host` all of `slots`, or none: `SlotsGiven`, `SlotsRefused`. Repeatable."""

    id: str
    host: str
    slots: tuple[SlotWanted, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveSlots:
    """Give `slots` of `host` back to the store: `SlotsGiven`. Repeatable."""

    id: str
    host: str
    slots: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepSlots:
    """Tell the store all that this run holds, after a resume: `hosts` and `slots` go in step. Whatever else it held it holds no longer: `SlotsGiven`."""

    id: str
    hosts: tuple[str, ...]
    slots: tuple[SlotWanted, ...]
    host: str | None = None


Request = (
    Ask
    | Claim
    | Release
    | RunStep
    | RunHook
    | Reboot
    | AwaitBoot
    | ReadUnits
    | RestartUnits
    | Read
    | PowerOff
    | AwaitOff
    | ReadPower
    | SwitchPower
    | TakeSlots
    | GiveSlots
    | KeepSlots
)
