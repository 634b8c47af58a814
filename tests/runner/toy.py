"""A toy engine and a toy world: three hosts, two at a time, claimed, rebooted, waited for. Deterministic and small.

Enough of an engine to show what loop, journal and lease promise, whatever the real one does.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from pathlib import Path

from restart.engine import facts
from restart.model.answer import Answer, Booted, Claimed, RebootDeclined, RebootTaken
from restart.model.event import Answered, Event, Fact, LeaseLost, Outcome, Resumed, Started, Woke, Word
from restart.model.request import AwaitBoot, Claim, Reboot, Request
from restart.runner import runs
from restart.runner.lease import Holder
from restart.runner.store import Store

VERSION = 1
HOSTS = ("db-1", "db-2", "db-3")
PLAN = {"version": 1, "fleet": "shop", "digest": "sha256:plan", "inventory_digest": "sha256:inventory", "z": 1, "a": 2}
HOLDER = Holder(user="ann", controller="desk", pid=1234)


class ToyEngine:
    """Two hosts at a time, one second between starts."""

    def __init__(self, hosts: Sequence[str] = HOSTS, width: int = 2) -> None:
        self._left = list(hosts)
        self._width = width
        self._flying: dict[str, Request] = {}
        self._boot: dict[str, str] = {}
        self._count = 0
        self._stopping = False
        self._free_at_s = 0.0
        self.facts: tuple[Fact, ...] = ()
        self.outcome: Outcome | None = None

    @property
    def deadline(self) -> float | None:
        may_start = self._left and len(self._flying) < self._width and not self._stopping
        return self._free_at_s if may_start else None

    def handle(self, event: Event) -> tuple[Request, ...]:
        self._told: list[Fact] = []
        self._wanted: list[Request] = []
        self._now_s = event.at_s
        match event:
            case Started():
                self._tell(facts.RUN_STARTED, why=event.reason)
            case Resumed():
                self._stopping, self.outcome = False, None
                self._tell(facts.RUN_RESUMED, why=event.user)
                for host, request in list(self._flying.items()):
                    self._ask(host, type(request))
            case Word(word="stop"):
                self._stopping = True
                self._tell(facts.STOPPING, why=event.by)
            case LeaseLost():
                self.outcome = Outcome(state="held", exit_code=7, why=event.why)
            case Answered():
                self._answered(event)
        if self.outcome is None:
            self._start_more()
            self._end()
        self.facts = tuple(self._told)
        return tuple(self._wanted)

    def _answered(self, event: Answered) -> None:
        host = next((host for host, request in self._flying.items() if request.id == event.request), None)
        if host is None:
            return
        match event.answer:
            case Claimed(boot_id=boot_id):
                self._boot[host] = boot_id
                self._tell(facts.CLAIMED, host=host, data={"boot_id": boot_id})
                self._ask(host, Reboot)
            case RebootTaken() | RebootDeclined():
                self._ask(host, AwaitBoot)
            case Booted(took_s=took_s):
                del self._flying[host]
                self._tell(facts.BOOTED, host=host)
                self._tell(facts.MOVE_DONE, host=host, wave=1, data={"took_s": took_s, "boot_s": 1.0, "ready_s": 1.5})

    def _start_more(self) -> None:
        if self._left and len(self._flying) < self._width and not self._stopping and self._now_s >= self._free_at_s:
            host = self._left.pop(0)
            self._free_at_s = self._now_s + 1
            self._tell(facts.MOVE_STARTED, host=host, wave=1)
            self._ask(host, Claim)

    def _end(self) -> None:
        if self._flying or (self._left and not self._stopping):
            return
        state, code = ("stopped", 6) if self._left else ("done", 0)
        self._tell(facts.RUN_ENDED, why="all said", data={"state": state})
        self.outcome = Outcome(state=state, exit_code=code, why="all said")

    def _ask(self, host: str, kind: type[Request]) -> None:
        self._count += 1
        id = f"{host}:{self._count}"
        request: Request
        if kind is Claim:
            request = Claim(id=id, host=host, hold_s=60)
        elif kind is Reboot:
            request = Reboot(id=id, host=host, boot_id=self._boot[host], not_after_uptime_s=99)
        else:
            request = AwaitBoot(id=id, host=host, boot_id=self._boot[host], down_within_s=5, back_within_s=9)
        self._flying[host] = request
        self._wanted.append(request)

    def _tell(self, fact: str, **told: object) -> None:
        self._told.append(Fact(at_s=self._now_s, fact=fact, **told))  # type: ignore[arg-type]


class Hosts:
    """The truth of the world: how often each host was rebooted. It outlives every crash, as a file for each host."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder

    def reboots(self, host: str) -> int:
        file = self._folder / host
        return file.stat().st_size if file.exists() else 0

    def reboot(self, host: str) -> None:
        with (self._folder / host).open("a") as file:
            file.write("x")

    def boot_id(self, host: str) -> str:
        return f"boot-{self.reboots(host)}"


class ToyWorld:
    """Every answer takes one second of a clock that jumps. `crossing` is called wherever a process might die."""

    def __init__(
        self,
        hosts: Hosts,
        *,
        start_s: float = 0.0,
        crossing: Callable[[], None] = lambda: None,
        words: Callable[[], Sequence[Word]] = tuple,
    ) -> None:
        self._hosts = hosts
        self._now_s = start_s
        self._crossing = crossing
        self._words = words
        self._due: list[tuple[float, int, Event]] = []
        self._count = 0
        self.begun: list[Request] = []

    def begin(self, request: Request) -> None:
        self._crossing()
        self.begun.append(request)
        self._push(Answered(at_s=self._now_s + 1, request=request.id, host=request.host, answer=self._do(request)))
        self._crossing()

    def wait(self, until_s: float | None) -> Event:
        for word in self._words():
            self._push(Word(at_s=self._now_s, word=word.word, by=word.by, reason=word.reason, target=word.target))
        if self._due and (until_s is None or self._due[0][0] <= until_s):
            event = heapq.heappop(self._due)[2]
        else:
            assert until_s is not None, "nothing in flight and nothing to wait for"
            event = Woke(at_s=max(until_s, self._now_s))
        self._now_s = event.at_s
        self._crossing()
        return event

    def _push(self, event: Event) -> None:
        self._count += 1
        heapq.heappush(self._due, (event.at_s, self._count, event))

    def _do(self, request: Request) -> Answer:
        if isinstance(request, Claim):
            return Claimed(boot_id=self._hosts.boot_id(request.host), uptime_s=7.0)
        if isinstance(request, AwaitBoot):
            return Booted(boot_id=self._hosts.boot_id(request.host), uptime_s=0.5, took_s=2.5)
        assert isinstance(request, Reboot)
        if self._hosts.boot_id(request.host) != request.boot_id:
            return RebootDeclined(reason="boot-id")
        self._hosts.reboot(request.host)
        return RebootTaken()


def started(run: str, at_s: float = 0.0) -> Started:
    return Started(at_s=at_s, engine=VERSION, run=run, plan_digest=PLAN["digest"], user="ann", reason="patch night")


def create(store: Store, run: str = "r1", fleet: str = "shop") -> runs.Run:
    plan = {**PLAN, "fleet": fleet}
    return runs.create(store, id=run, plan=plan, reason="patch night", user="ann", controller="desk")
