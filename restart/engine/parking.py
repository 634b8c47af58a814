"""Parking: moves that may not begin wait here, and are looked at again only when something has changed that could let them.

To ask of every waiting move at every event whether it may begin now costs the fleet at every event. Yet almost no event changes the
answer for almost any move. So a move that is held is parked, and the hold says two things beside its reason:

* its *queue*: what holds it, as a key. Moves in one queue are held by the very same thing, so that while the first of them is
  held, so are all. One limit that is full, one budget that is used up, one wave that is not finished.
* its *topics*: what would have to change for the hold to be lifted, or for its reason to read otherwise.

Whoever changes something stirs its topic. A queue that is stirred sends its first move, in the plan's order, to be looked at again, and
where that one begins or turns out to be held by something else, the next, as long as there is room. Where it is held as before,
the queue rests again. So one look is paid for one change, not one for each move that waits.

What is looked at is looked at in the plan's order, whichever queues it comes from: the outcome of an event is that of
a walk over all waiting moves, from which only those were left out of which the answer is known. To wake too much
costs time; to wake too little would leave a move waiting for ever, so topics are chosen wide.

Two things are exempt. Where nothing is in flight the engine wakes all, because then it has to know for certain that only an operator's word can
lead on. And a hold that a stricter one would hide, had the move been looked at, stays as it is until one of its topics is stirred: nothing
begins by it, and nothing is asked.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush, nsmallest
from math import inf

from restart.rules.ways_out import way_out

Topic = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Why a move does not begin: the rule by the name an operator knows, the numbers, and whether only an operator can lift it.

    `waits` says for what: `slot`, `order`, `settle`, `pace`, `ready` (readiness and budgets), `gate`, `returning` (the host may come back by itself), or `asking` (answers are on their way).
    `queue` and `topics` are as the head of this file says; `until_s`: the run seconds at which it is worth looking again; `gates`: the services whose gates
    it waits for, `services` those whose readiness it looks at.
    """

    rule: str
    why: str
    waits: str
    lasting: bool = False
    queue: Topic = ()
    topics: tuple[Topic, ...] = ()
    until_s: float | None = None
    gates: tuple[str, ...] = ()
    services: tuple[str, ...] = ()

    @property
    def way_out(self) -> str:
        """What lifts it."""
        return way_out(self.rule, lasting=self.lasting)

    @property
    def told(self) -> str:
        """The reason with its way out, for people."""
        return f"{self.why} ({self.way_out})"


@dataclass(slots=True, eq=False)
class Queue:
    """Moves that the same thing holds, by their index in the plan: a heap, in which those that have left are passed over.

    `sent`: those on their way to be looked at again. Mostly one; two where one from before it in the plan has been parked since.
    """

    key: Topic
    hold: Hold
    indexes: list[int] = field(default_factory=list)
    parked: int = 0
    sent: set[int] = field(default_factory=set)


class Parking:
    """The waiting moves. `looked_at` counts the looks so far; `changes` grows with whatever another look at the holds may tell."""

    def __init__(self, hosts: Sequence[str]) -> None:
        """`hosts` in the plan's order."""
        self._hosts = list(hosts)
        self._index = {host: index for index, host in enumerate(hosts)}
        self._waiting: list[int] = []
        self._awake: list[int] = []
        self._later: list[int] = []
        self._reached = -1
        self._queue_of: dict[int, Queue] = {}
        self._from: dict[int, Queue] = {}  # those that were sent by a queue to be looked at again
        self._queues: dict[Topic, Queue] = {}
        self._topics: dict[Topic, dict[Queue, None]] = {}
        self._by_waits: dict[str, dict[Queue, None]] = {}
        self._gates: dict[str, dict[Queue, None]] = {}
        self._timers: list[tuple[float, int, Queue]] = []
        self._timed = 0
        self._moved = 0
        self._asking_max: tuple[int, int | None] = (-1, None)
        self.looked_at = 0
        self.changes = 0

    # --- who waits ---------------------------------------------------------------------------------------------------

    def enter(self, host: str) -> None:
        """The move of `host` waits for its turn; it is looked at soon."""
        index = self._index[host]
        at = bisect_left(self._waiting, index)
        if at == len(self._waiting) or self._waiting[at] != index:
            self._waiting.insert(at, index)
            self._rouse(index)
            self.changes += 1

    def leave(self, host: str) -> None:
        """The move of `host` waits no longer: it has begun, or never will."""
        index = self._index[host]
        at = bisect_left(self._waiting, index)
        if at == len(self._waiting) or self._waiting[at] != index:
            return
        del self._waiting[at]
        self.changes += 1
        self._unpark(index)
        self._go_on(index)

    def first(self, after: int = -1) -> int | None:
        """The first index above `after` of a waiting move."""
        at = bisect_right(self._waiting, after)
        return self._waiting[at] if at < len(self._waiting) else None

    def host(self, index: int) -> str:
        """The host at `index` of the plan."""
        return self._hosts[index]

    def index(self, host: str) -> int:
        """The index of `host` in the plan."""
        return self._index[host]

    def change_places(self, first: str, second: str) -> None:
        """Two waiting moves change their places in the plan's order; both are looked at again."""
        self.wake(first)
        self.wake(second)
        at, other = self._index[first], self._index[second]
        self._hosts[at], self._hosts[other] = second, first
        self._index[first], self._index[second] = other, at
        self.changes += 1

    # --- what changes ------------------------------------------------------------------------------------------------

    def stir(self, topic: Topic) -> None:
        """Something of `topic` has changed."""
        for queue in tuple(self._topics.get(topic, ())):
            self._send(queue)

    def wake(self, host: str) -> None:
        """Something has changed for the move of `host` alone."""
        index = self._index[host]
        if self._unpark(index):
            self._rouse(index)

    def wake_all(self, until: float = inf) -> None:
        """Look at every waiting move, up to the index `until` where one is given."""
        waiting = self._waiting[: bisect_right(self._waiting, until)]
        for index in waiting:
            self._unpark(index)
        # What comes from nowhere sends nobody after it: all are awake anyhow.
        for index in [index for index in self._from if index <= until]:
            self._go_on(index)
        self._awake = [*{*self._awake, *waiting}]
        heapify(self._awake)

    def wake_due(self, now_s: float) -> None:
        """Stir the queues for which the time has come."""
        while self._timers and self._timers[0][0] <= now_s:
            at_s, _, queue = heappop(self._timers)
            if queue.hold.until_s == at_s:
                self._send(queue)

    # --- the walk ----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A walk begins; what was roused behind the last one has its turn now."""
        self._reached = -1
        for index in self._later:
            heappush(self._awake, index)
        self._later.clear()

    def take(self, until: int) -> int | None:
        """The first index up to `until` of a move to be looked at; None: no more. Then comes `park` or `leave` for it."""
        while self._awake and self._awake[0] <= until:
            index = heappop(self._awake)
            while self._awake and self._awake[0] == index:
                heappop(self._awake)
            if not self._waits(index):
                self._go_on(index)
            elif index not in self._queue_of:  # else it was looked at out of its turn
                self._reached = index
                return index
        return None

    def skip_to(self, index: int) -> None:
        """The move at `index` is looked at out of its turn."""
        self._reached = index

    def park(self, index: int, hold: Hold) -> None:
        """The move at `index` has been looked at and is held."""
        queue = self._queues.get(hold.queue)
        if queue is None:
            queue = self._queues[hold.queue] = Queue(hold.queue, hold)
            self._subscribe(queue, hold)
            self.changes += 1
        elif queue.hold != hold:
            self._unsubscribe(queue)
            queue.hold = hold
            self._subscribe(queue, hold)
            self.changes += 1
        if self._queue_of.get(index) is not queue:
            self._unpark(index)
            heappush(queue.indexes, index)
            self._queue_of[index] = queue
            queue.parked += 1
            self._moved += 1
            if len(queue.indexes) > 2 * queue.parked + 8:
                queue.indexes = sorted({index for index in queue.indexes if self._queue_of.get(index) is queue})
        if self._from.get(index) is queue:
            del self._from[index]
            queue.sent.discard(index)
        else:
            self.changes += 1
            self._go_on(index)

    # --- the holds ---------------------------------------------------------------------------------------------------

    def holds(self, until: int, most: int | None = None) -> Iterator[tuple[str, Hold]]:
        """The waiting moves up to the index `until`, at `most` so many, each with its hold."""
        for index in self._waiting[:most]:
            if index > until:
                return
            queue = self._queue_of.get(index) or self._from.get(index)
            if queue is not None:
                yield self._hosts[index], queue.hold

    def hold(self, index: int) -> Hold | None:
        """What holds the move at `index`; None: it is to be looked at."""
        queue = self._queue_of.get(index)
        return None if queue is None else queue.hold

    def waiting_for(self, waits: str, until: int) -> Iterator[Hold]:
        """The holds of this kind on moves up to the index `until`, each once."""
        return (queue.hold for queue in self._by_waits.get(waits, ()) if self._head(queue) <= until)

    def asking(self, until: int) -> bool:
        """Whether a move up to the index `until` waits for answers."""
        return any(self._head(queue) <= until for queue in self._by_waits.get("asking", ()))

    def any_waits_for(self, gate: str, until: int) -> bool:
        """Whether a move up to the index `until` waits for the gate of this service."""
        return any(self._head(queue) <= until for queue in self._gates.get(gate, ()))

    def asking_until(self, most: int) -> int | None:
        """The index of the move with which `most` moves wait for answers; None: there are fewer."""
        asking = self._by_waits.get("asking", {})
        if sum(queue.parked for queue in asking) < most:
            return None
        if self._asking_max[0] != self._moved:
            heads = (
                index
                for queue in asking
                for index in nsmallest(most, (i for i in queue.indexes if self._queue_of.get(i) is queue))
            )
            found = nsmallest(most, heads)
            self._asking_max = (self._moved, found[-1] if len(found) == most else None)
        return self._asking_max[1]

    def next_s(self, now_s: float) -> float | None:
        """When, in run seconds, a hold is worth another look, after `now_s`."""
        while self._timers and self._timers[0][2].hold.until_s != self._timers[0][0]:
            heappop(self._timers)
        if self._timers and self._timers[0][0] <= now_s:
            return min(
                (at_s for at_s, _, queue in self._timers if at_s > now_s and queue.hold.until_s == at_s), default=None
            )
        return self._timers[0][0] if self._timers else None

    # --- inside ------------------------------------------------------------------------------------------------------

    def _waits(self, index: int) -> bool:
        at = bisect_left(self._waiting, index)
        return at < len(self._waiting) and self._waiting[at] == index

    def _head(self, queue: Queue) -> float:
        """The first index in the queue, or which it has sent; infinite where there is none."""
        while queue.indexes and self._queue_of.get(queue.indexes[0]) is not queue:
            heappop(queue.indexes)
        if not queue.sent:
            return queue.indexes[0] if queue.indexes else inf
        return min((*queue.indexes[:1], *queue.sent))

    def _rouse(self, index: int) -> None:
        """Have the move looked at: in this walk where it has not passed it yet, else in the next."""
        if index > self._reached:
            heappush(self._awake, index)
        else:
            self._later.append(index)

    def _send(self, queue: Queue) -> None:
        """Send the first move of the queue to be looked at, unless it is on its way."""
        head = self._head(queue)
        if head == inf:
            self._drop(queue)
        if head in queue.sent or head == inf:
            return
        index = heappop(queue.indexes)
        del self._queue_of[index]
        queue.parked -= 1
        self._moved += 1
        queue.sent.add(index)
        self._from[index] = queue
        self._rouse(index)

    def _go_on(self, index: int) -> None:
        """The move at `index` is not held by what its queue is for: the next one may not be either."""
        queue = self._from.pop(index, None)
        if queue is not None:
            queue.sent.discard(index)
            self._send(queue)

    def _unpark(self, index: int) -> bool:
        queue = self._queue_of.pop(index, None)
        if queue is None:
            return False
        queue.parked -= 1
        self._moved += 1
        if not queue.parked and not queue.sent:
            self._drop(queue)
        return True

    def _drop(self, queue: Queue) -> None:
        if self._queues.get(queue.key) is queue:
            del self._queues[queue.key]
            self._unsubscribe(queue)
            self.changes += 1

    def _subscribe(self, queue: Queue, hold: Hold) -> None:
        self._moved += 1
        for topic in hold.topics:
            self._topics.setdefault(topic, {})[queue] = None
        for gate in hold.gates:
            self._gates.setdefault(gate, {})[queue] = None
        self._by_waits.setdefault(hold.waits, {})[queue] = None
        if hold.until_s is not None:
            self._timed += 1
            heappush(self._timers, (hold.until_s, self._timed, queue))

    def _unsubscribe(self, queue: Queue) -> None:
        for topic in queue.hold.topics:
            self._topics.get(topic, {}).pop(queue, None)
        for gate in queue.hold.gates:
            self._gates.get(gate, {}).pop(queue, None)
        self._by_waits[queue.hold.waits].pop(queue, None)
