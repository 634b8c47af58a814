"""Carrying out one request on the hosts, in the thread of whoever calls: question or text out, answer back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, TypeVar

from restart.model.answer import (
    Answer,
    Booted,
    Checked,
    Claimed,
    HeldBy,
    NoAnswer,
    RebootDeclined,
    RebootTaken,
    StepRan,
    StillUp,
    WentOff,
)
from restart.model.inventory import Inventory
from restart.model.question import Shell, ShellReply
from restart.model.request import (
    Ask,
    AwaitBoot,
    AwaitOff,
    Claim,
    GiveSlots,
    KeepSlots,
    PowerOff,
    Read,
    ReadPower,
    ReadUnits,
    Reboot,
    Release,
    Request,
    RestartUnits,
    RunHook,
    RunStep,
    SwitchPower,
    TakeSlots,
)
from restart.model.world import Gate, Power
from restart.probes import claim, probe, reboot, units
from restart.probes.output import last_lines
from restart.rules.durations import spoken
from restart.runner import power
from restart.runner.off import SILENT_S, OffWait
from restart.runner.peers import LOOK_S, Peers
from restart.runner.power import PowerControls
from restart.runner.store import utc_now
from restart.transports import local, silences
from restart.transports.asking import Asking

COMMAND_S = 30.0
"""The deadline of a command that the tool itself sends."""

OPENING_S = 60.0
"""The longest that opening a connection may take, through a gateway that must be opened first."""

POLL_S = 0.2
"""Between two knocks on a host that does not answer; five times as long while the old boot does.

A closed port costs 0.1 ms and a log-in 100 times that, on both sides. A bare knock on an open port is no way out: sshd counts
connections without a log-in against the caller (PerSourcePenalties in sshd_config(5)).
"""

HOST_KEY_PATIENCE_S = 30.0
"""How long a host that comes back with a wrong host key is asked again: a boot's first stage may have another key."""

_WENT_AWAY = frozenset({"unreachable", "refused", "connect", "banner", "dropped"})


A = TypeVar("A")


class Ssh(Protocol):
    """What is needed of the SSH pool."""

    def run(self, shell: Shell) -> ShellReply | NoAnswer:
        """Run a command on a host."""

    def forget(self, host: str) -> None:
        """Have the next command open a fresh connection."""

    def close(self) -> None:
        """Close every connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who acts: the run, the controller's name and the user, as a claim tells them."""

    run: str
    controller: str
    user: str


def deadline_s(request: Request) -> float:
    """How long carrying out `request` may take at most, in seconds, waiting for a free thread left out."""
    match request:
        case Claim():
            return OPENING_S + COMMAND_S + OPENING_S + LOOK_S
        case Ask():
            return OPENING_S + sum(2 * check.timeout_s for check in request.checks)
        case RunStep() | Read():
            return OPENING_S + request.timeout_s
        case RunHook():
            # A silence is looked for, then made or ended.
            return OPENING_S + 3 * request.timeout_s
        case AwaitBoot():
            return OPENING_S + COMMAND_S + request.back_within_s
        case RestartUnits():
            return OPENING_S + _units_s(request)
        case AwaitOff():
            return OPENING_S + COMMAND_S + request.within_s + SILENT_S + power.STATE_S
        case SwitchPower():
            return OPENING_S + request.within_s + power.GRACE_S
        case _:
            return OPENING_S + COMMAND_S


class Hosts:
    """The inventory's hosts, as requests reach them. Used from any number of threads."""

    def __init__(
        self,
        inventory: Inventory,
        *,
        gates: Mapping[str, Gate],
        identity: Identity,
        ssh: Ssh,
        powers: Mapping[str, Power] = MappingProxyType({}),
        peers: Peers | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        self._asking = Asking(inventory, gates=gates, ssh=ssh)
        self._power = PowerControls(inventory, powers)
        self._identity = identity
        self._peers = peers
        self._ssh = ssh
        self._poll_s = poll_s

    def carry_out(self, request: Request, closing: threading.Event) -> Answer:
        """The answer to `request`, which is not one of those that the store answers. A wait for a boot ends early once `closing` is set."""
        match request:
            case TakeSlots() | GiveSlots() | KeepSlots():
                return NoAnswer(reason="broken", detail="no store is here to ask")
            case Ask():
                return self._ask(request)
            case Claim():
                return self._claim(request)
            case Release():
                return _or_nothing(
                    self._run(request.host, claim.release_text(run=self._identity.run)), claim.parse_release
                )
            case RunStep():
                return self._step(request)
            case RunHook():
                return self._hook(request)
            case Reboot() | PowerOff():
                return self._reboot(request)
            case AwaitBoot():
                return self._await_boot(request, closing)
            case AwaitOff():
                return self._await_off(request, closing)
            case ReadPower():
                return self._power.state(request.host)
            case SwitchPower():
                return self._switch(request)
            case Read():
                reply = self._run(request.host, request.command, request.timeout_s)
                return _or_nothing(reply, _ran)
            case ReadUnits():
                reply = self._run(request.host, units.read_text(request.units))
                return _or_nothing(reply, lambda ended: units.parse(ended, request.units))
            case RestartUnits():
                text = units.restart_text(request.units, request.invocations, request.within_s)
                reply = self._run(request.host, text, _units_s(request))
                return _or_nothing(reply, lambda ended: units.parse(ended, request.units))

    def _run(self, host: str, command: str, timeout_s: float = COMMAND_S) -> ShellReply | NoAnswer:
        return self._ssh.run(Shell(host=host, command=command, timeout_s=timeout_s))

    def _ask(self, request: Ask) -> Checked:
        silent: dict[str, NoAnswer] = {}
        return Checked(
            findings=tuple(
                self._asking.finding(check, request.host, request.service, silent) for check in request.checks
            )
        )

    def _claim(self, request: Claim) -> Claimed | HeldBy | NoAnswer:
        who = self._identity
        text = claim.claim_text(
            run=who.run, controller=who.controller, user=who.user, since=utc_now(), hold_s=request.hold_s
        )
        answer = _or_nothing(self._run(request.host, text), claim.parse_claim)
        held = None
        if isinstance(answer, Claimed) and self._peers is not None:
            held = self._peers.foreign(request.host, self._ssh.run)
        if held is None:
            return answer
        # The engine takes it for not claimed, and will not release what it does not hold.
        self._run(request.host, claim.release_text(run=who.run))
        return held

    def _step(self, request: RunStep) -> StepRan | NoAnswer:
        reply = self._run(request.on, request.command, request.timeout_s)
        return _or_nothing(reply, _ran)

    def _hook(self, request: RunHook) -> StepRan | NoAnswer:
        if request.silence is not None:
            by = f"staged-restart/{self._identity.run}/{request.hook}"
            say = silences.end_silence if request.undo else silences.set_silence
            return say(request.silence, by, request.timeout_s)
        shell = Shell(host=request.host, command=request.command, timeout_s=request.timeout_s)
        reply = local.run(shell) if request.host is None else self._ssh.run(shell)
        return _or_nothing(
            reply,
            lambda ended: StepRan(exit_status=ended.exit_status, output=last_lines(f"{ended.stdout}\n{ended.stderr}")),
        )

    def _reboot(self, request: Reboot | PowerOff) -> RebootTaken | RebootDeclined | NoAnswer:
        reply = self._run(request.host, reboot.text(request, run=self._identity.run))
        answer = _or_nothing(reply, lambda ended: reboot.parse(ended, request))
        if not isinstance(answer, RebootDeclined):
            # What is said over this connection from now on would be said to a boot that ends.
            self._ssh.forget(request.host)
        return answer

    def _switch(self, request: SwitchPower) -> Answer:
        answer = self._power.switch(request)
        # Whatever came of it: what was open to this host may be open to a boot that has ended.
        self._ssh.forget(request.host)
        return answer

    def _await_off(self, request: AwaitOff, closing: threading.Event) -> WentOff | StillUp | NoAnswer:
        host = request.host

        def look() -> probe.Seen | NoAnswer:
            self._ssh.forget(host)
            reply = self._run(host, probe.text())
            return probe.parse(reply) if isinstance(reply, ShellReply) else reply

        state = (lambda: self._power.state(host)) if self._power.tells(host) else None
        return OffWait(request, look=look, power=state, poll_s=self._poll_s).answer(closing)

    def _await_boot(self, request: AwaitBoot, closing: threading.Event) -> Booted | StillUp | NoAnswer:
        """Knock until another boot answers. Every knock is a fresh connection, and a closed port costs next to nothing."""
        start_s = time.monotonic()
        went_away = False
        wrong_key_since_s: float | None = None
        pause_s = 5 * self._poll_s
        while True:
            if closing.wait(pause_s):
                return NoAnswer(reason="broken", detail="the run let go while waiting for the boot")
            self._ssh.forget(request.host)
            reply = self._run(request.host, probe.text())
            seen = probe.parse(reply) if isinstance(reply, ShellReply) else reply
            now_s = time.monotonic()
            took_s = now_s - start_s
            if isinstance(seen, probe.Seen):
                if seen.boot_id != request.boot_id.lower():
                    return Booted(boot_id=seen.boot_id, uptime_s=seen.uptime_s, took_s=took_s)
                # The old boot answers. Once the port was away, that is its last breath, and we wait on.
                if took_s >= (request.back_within_s if went_away else request.down_within_s):
                    return StillUp(boot_id=seen.boot_id, uptime_s=seen.uptime_s)
            else:
                went_away = went_away or seen.reason in _WENT_AWAY
                if seen.reason == "host-key":
                    wrong_key_since_s = now_s if wrong_key_since_s is None else wrong_key_since_s
                    if now_s - wrong_key_since_s >= HOST_KEY_PATIENCE_S:
                        return seen
                else:
                    wrong_key_since_s = None
                if took_s >= request.back_within_s:
                    if seen.reason == "host-key":
                        return seen
                    last = f"{seen.reason}, {seen.detail}"
                    return NoAnswer(reason="timeout", detail=f"no boot within {spoken(request.back_within_s)}: {last}")
            pause_s = self._poll_s if isinstance(seen, NoAnswer) else 5 * self._poll_s


def _units_s(request: RestartUnits) -> float:
    return COMMAND_S + request.within_s * 1.5


def _ran(ended: ShellReply) -> StepRan:
    return StepRan(exit_status=ended.exit_status, output=last_lines(f"{ended.stdout}\n{ended.stderr}"))


def _or_nothing(reply: ShellReply | NoAnswer, parse: Callable[[ShellReply], A]) -> A | NoAnswer:
    return reply if isinstance(reply, NoAnswer) else parse(reply)
