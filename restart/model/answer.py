"""Answers: what came of a request. One request gets exactly one answer; a host that cannot be reached is data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from restart.model.check import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """Nothing could be learnt. What was asked for may or may not have happened.

    `reason` is one of `unreachable`, `refused`, `timeout`, `connect`, `banner`, `host-key`, `auth`, `channel`,
    `command`, `dropped`, `gateway`, `privilege`, `broken` (a fault of a worker); `detail` is one line for people.
    """

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The findings of an `Ask`, one for each of its checks, in their order."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """The host is claimed for this run; its boot id, uptime and running kernel (empty: not told) were read together with the claim."""

    boot_id: str
    uptime_s: float
    kernel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBy:
    """The host carries a foreign claim: who, from where, which run, since when (all for people), `for_s` left of it.

    `on` names the host that carries it, where that is not the one that was to be claimed but another member of its services.
    """

    controller: str
    user: str
    run: str
    since: str
    for_s: float
    on: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """This run's claim on the host is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRan:
    """A playbook step ended. `output` is its last lines, for people, secrets struck out."""

    exit_status: int
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RebootTaken:
    """The host has accepted the compare-and-reboot. That does not mean that it goes down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RebootDeclined:
    """The host did not act, by its own judgement. `reason`: `boot-id` (another boot already), `too-late`, `claim`, `privilege`, `failed`;
    `controller`: it was not asked, because it is the machine that this runs on."""

    reason: str
    detail: str = ""
    boot_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """The act was not begun: a stop flag stands, as `why` says, that the run had not heard of when it asked for it."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Booted:
    """The host answers with a boot id that is not the old one: it really rebooted. `down_s` is from the request's start."""

    boot_id: str
    uptime_s: float
    took_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StillUp:
    """The host went on answering with the old boot id past `down_within_s`: the reboot did not take."""

    boot_id: str
    uptime_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """The systemd units' `InvocationID`s, by unit; an empty id means the unit is not running."""

    invocations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WentOff:
    """The host is off. `how` is the proof, in words for people."""

    how: str
    took_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerState:
    """What the host's power control says: `state` is `on`, `off` or `unknown`; `detail` is one line for people."""

    state: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerSwitched:
    """The power control has carried out the switch. That the host boots must be proved by its boot id."""

    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotsGiven:
    """The store has written down what was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotsRefused:
    """The store gave nothing: of `slot`, `held` of `cap` are held. `by`: runs with their hosts, for people."""

    slot: str
    held: float
    cap: float
    by: tuple[str, ...] = ()


Answer = (
    NoAnswer
    | Checked
    | Claimed
    | HeldBy
    | Released
    | StepRan
    | RebootTaken
    | RebootDeclined
    | Withheld
    | SlotsGiven
    | SlotsRefused
    | Booted
    | StillUp
    | Units
    | WentOff
    | PowerState
    | PowerSwitched
)


def silence(answer: object) -> str:
    """In words, why an answer is not the one that was hoped for."""
    if isinstance(answer, NoAnswer):
        return f"{answer.reason}: {answer.detail}" if answer.detail else answer.reason
    return f"unexpected answer {type(answer).__name__}"
