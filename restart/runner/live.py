"""The live world: requests carried out on real hosts by worker threads, answers, operators' words and time as events.

One thread, the run's own, calls `begin` and `wait`. Workers only ever put answers into a queue, and so does a signal
handler its word; `wait` alone turns what it finds there into events, so the engine hears one thing at a time.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from restart.model.answer import Answer, Claimed, NoAnswer, RebootDeclined, Withheld
from restart.model.event import Answered, Event, LeaseLost, Woke, Word
from restart.model.inventory import Inventory
from restart.model.request import (
    Ask,
    AwaitBoot,
    AwaitOff,
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
from restart.probes.output import one_line
from restart.runner import hosts
from restart.runner.crew import Crew
from restart.runner.hosts import Hosts, Identity
from restart.runner.peers import Peers
from restart.transports.ssh import SshPool

__all__ = ["Identity", "LiveWorld"]

ASKING_MAX = 32
"""Short requests (checks, claims, reboots) carried out at once."""

WAITING_MAX = 256
"""Long requests (boots awaited, playbook steps, unit restarts) carried out at once; they have threads of their own."""

QUEUED_S = 120.0
"""How long a request may wait for a free thread before it is answered without one."""

LISTEN_EVERY_S = 1.0

_LONG = AwaitBoot | AwaitOff | RunStep | RunHook | RestartUnits | SwitchPower
_HARMLESS = Ask | AwaitBoot | AwaitOff | Read | ReadPower | ReadUnits | Release
"""Requests that change no host: carried out also when the lease is lost."""


@dataclass(frozen=True, slots=True)
class _Said:
    word: str
    by: str
    reason: str
    target: str | None


class LiveWorld:
    """Carries out requests on the hosts of `inventory`. Each is answered exactly once, also when its worker dies or hangs.

    `clock` gives seconds since the run's start. `words` is asked about once a second from `wait`, in the caller's thread;
    `lease_lost` is asked as often, and by workers before each act that changes a host: once it gives a reason, nothing
    changes a host any more. `withheld` is asked by workers at the same point: why this act is not begun, a stop flag; None: it may be. A host whose claim
    shows `own_boot_id` is the controller itself, whatever it is called: it is neither restarted nor switched off (empty: it may be).
    `slots` answers requests for slots that span the runs of the store. `peers` are looked at for foreign claims once a host of theirs is claimed.
    """

    def __init__(
        self,
        inventory: Inventory,
        *,
        gates: Mapping[str, Gate],
        identity: Identity,
        clock: Callable[[], float],
        words: Callable[[], Sequence[Word]] = tuple,
        lease_lost: Callable[[], str | None] = lambda: None,
        withheld: Callable[[Request], str | None] = lambda request: None,
        own_boot_id: str = "",
        slots: Callable[[TakeSlots | GiveSlots | KeepSlots], Answer] | None = None,
        powers: Mapping[str, Power] = MappingProxyType({}),
        peers: Peers | None = None,
        ssh: hosts.Ssh | None = None,
        poll_s: float = hosts.POLL_S,
    ) -> None:
        """`ssh` is the pool to use instead of one of the world's own; raises `UsageMistake` as that does."""
        self._ssh: hosts.Ssh = SshPool(inventory) if ssh is None else ssh
        self._hosts = Hosts(
            inventory, gates=gates, powers=powers, identity=identity, ssh=self._ssh, peers=peers, poll_s=poll_s
        )
        self._clock = clock
        self._words = words
        self._lease_lost = lease_lost
        self._withheld = withheld
        self._own_boot_id = own_boot_id
        self._slots = slots
        self._own: set[str] = set()
        self._heard: queue.SimpleQueue[tuple[str, Answer] | _Said] = queue.SimpleQueue()
        self._ready: deque[Event] = deque()
        self._in_flight: dict[str, tuple[Request, float]] = {}
        self._asking = Crew("restart ask", ASKING_MAX)
        self._waiting = Crew("restart wait", WAITING_MAX)
        self._closing = threading.Event()
        self._now_s = 0.0
        self._listen_at_s = 0.0
        self._lease_told = False

    def begin(self, request: Request) -> None:
        """Start carrying out `request`; returns at once."""
        due_s = time.monotonic() + QUEUED_S + hosts.deadline_s(request)
        self._in_flight[request.id] = (request, due_s)
        crew = self._waiting if isinstance(request, _LONG) else self._asking
        crew.begin(lambda: self._work(request))

    def wait(self, until_s: float | None) -> Event:
        """The next event, or `Woke` once the run's clock has reached `until_s`."""
        while True:
            self._listen()
            # What was heard goes before time: a run that is behind its deadlines must not be deaf to answers.
            event = self._ready.popleft() if self._ready else self._heard_within(0.0)
            if event is None:
                now_s = self._time()
                if until_s is not None and now_s >= until_s:
                    return Woke(at_s=now_s)
                pause_s = LISTEN_EVERY_S if until_s is None else min(LISTEN_EVERY_S, until_s - now_s)
                event = self._heard_within(pause_s)
            if event is not None:
                return replace(event, at_s=self._time())

    def say(self, word: str, *, by: str = "", reason: str = "", target: str | None = None) -> None:
        """Have `wait` return an operator's word soon. May be called from any thread and from a signal handler."""
        # A SimpleQueue's put is reentrant: it takes no lock that the interrupted thread might hold.
        self._heard.put(_Said(word, by, reason, target))

    def close(self) -> None:
        """Let go: no answers any more, connections closed. What hosts were told to do, they do."""
        self._closing.set()
        self._asking.close()
        self._waiting.close()
        self._ssh.close()

    def _work(self, request: Request) -> None:
        """In a worker: carry out and answer, whatever happens."""
        try:
            answer = self._answer(request)
        except Exception as error:  # noqa: BLE001 - a worker's edge: its death must be an answer, or the run waits for ever
            answer = NoAnswer(reason="broken", detail=one_line(f"{type(error).__name__}: {error}"))
        self._heard.put((request.id, answer))

    def _answer(self, request: Request) -> Answer:
        if self._closing.is_set():
            return NoAnswer(reason="broken", detail="the run has let go")
        if isinstance(request, TakeSlots | GiveSlots | KeepSlots) and self._slots is not None:
            return self._slots(request)
        if not isinstance(request, _HARMLESS):
            lost = self._lease_lost()
            if lost is not None:
                return NoAnswer(reason="broken", detail=f"not done: {lost}")
            why = self._withheld(request)
            if why is not None:
                return Withheld(why=why)
            if (spared := self._spares(request)) is not None:
                return spared
        answer = self._hosts.carry_out(request, self._closing)
        if isinstance(answer, Claimed) and answer.boot_id == self._own_boot_id:
            self._own.add(request.host or "")
        return answer

    def _spares(self, request: Request) -> Answer | None:
        """The answer to what would take down the machine that this runs on; None: it is another."""
        is_boot = isinstance(request, Reboot | PowerOff) and request.boot_id == self._own_boot_id != ""
        if not is_boot and not (isinstance(request, Reboot | PowerOff | SwitchPower) and request.host in self._own):
            return None
        why = "its boot id is that of the machine this runs on; --include-controller restarts it, last of all"
        if isinstance(request, SwitchPower):
            return NoAnswer(reason="refused", detail=f"not done: {why}")
        return RebootDeclined(reason="controller", detail=why)

    def _listen(self) -> None:
        """About once a second: words from outside, the lease, and requests that nobody answers."""
        now_s = time.monotonic()
        if now_s < self._listen_at_s:
            return
        self._listen_at_s = now_s + LISTEN_EVERY_S
        if not self._lease_told and (why := self._lease_lost()) is not None:
            self._lease_told = True
            self._ready.append(LeaseLost(at_s=0.0, why=why))
        self._ready.extend(self._words())
        for id, (request, due_s) in list(self._in_flight.items()):
            if now_s >= due_s:
                late = NoAnswer(reason="timeout", detail="its worker gave no answer in time")
                self._in_flight.pop(id)
                self._ready.append(_answered(request, late))

    def _heard_within(self, pause_s: float) -> Event | None:
        """The next thing heard as an event; None for silence, and for a late answer to a request that was answered for it."""
        try:
            heard = self._heard.get(timeout=pause_s) if pause_s > 0 else self._heard.get_nowait()
        except queue.Empty:
            return None
        if isinstance(heard, _Said):
            return Word(at_s=0.0, word=heard.word, by=heard.by, reason=heard.reason, target=heard.target)
        id, answer = heard
        request, _ = self._in_flight.pop(id, (None, 0.0))
        return None if request is None else _answered(request, answer)

    def _time(self) -> float:
        """The run's time, which never runs back."""
        self._now_s = max(self._now_s, self._clock())
        return self._now_s


def _answered(request: Request, answer: Answer) -> Answered:
    service = request.service if isinstance(request, Ask) else None
    return Answered(at_s=0.0, request=request.id, answer=answer, host=request.host, service=service)
