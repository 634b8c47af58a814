"""R4: a server that n transfers share equally: each goes at rate min(1, k / n). One older than its time-out fails and starts from zero.

Progress is kept as one running sum for each server (every client gains the same), in whole nanoseconds of work, so that figures come
out exactly and a client costs a logarithm.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from restart.simulator.clock import Agenda, Entry, Rank, micros
from restart.simulator.physics.figures import Transfer
from restart.simulator.physics.fleet import Fleet, Rule
from restart.simulator.physics.members import Member

SLACK_US = 10
"""Rounding may make a transfer end a few microseconds late; a time-out strikes only what is later than that."""
HAIR_NS = 1000


@dataclass(slots=True)
class Client:
    """One transfer under way: for whom, what to do at its end, its time-out, and the server it is on (None: none is open)."""

    key: Hashable
    host: str
    done: Callable[[], None]
    timeout: Entry | None = None
    server: Server | None = None


class Server:
    """One server, or a pool that serves as one."""

    def __init__(self, agenda: Agenda, name: str, at_once: int) -> None:
        self.name = name
        self.open = True
        self.clients: dict[Hashable, Client] = {}
        self._agenda = agenda
        self._at_once = at_once
        self._sum_ns = 0
        self._since_us = agenda.now_us
        self._ends: list[tuple[int, int, Client]] = []
        self._count = 0
        self._next: Entry | None = None

    def join(self, client: Client, work_ns: int) -> None:
        """The client's transfer begins here."""
        self._advance()
        self._count += 1
        client.server = self
        self.clients[client.key] = client
        heapq.heappush(self._ends, (self._sum_ns + work_ns, self._count, client))
        self._plan()

    def leave(self, client: Client) -> None:
        """The client's transfer is given up."""
        self._advance()
        self.clients.pop(client.key, None)
        client.server = None
        self._ends = [end for end in self._ends if end[2] is not client]
        heapq.heapify(self._ends)
        self._plan()

    def _advance(self) -> None:
        """Bring the running sum up to now."""
        passed_us = self._agenda.now_us - self._since_us
        self._since_us = self._agenda.now_us
        number = len(self.clients)
        if number and passed_us:
            gained_ns = passed_us * 1000
            self._sum_ns += gained_ns if number <= self._at_once else gained_ns * self._at_once // number

    def _plan(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._ends:
            left_ns = max(0, self._ends[0][0] - self._sum_ns)
            slower, faster = max(len(self.clients), self._at_once), self._at_once
            wait_us = -(-left_ns * slower // (1000 * faster))
            self._next = self._agenda.at(self._agenda.now_us + wait_us, self._finish)

    def _finish(self) -> None:
        self._next = None
        self._advance()
        ended = []
        while self._ends and self._ends[0][0] <= self._sum_ns + HAIR_NS:
            client = heapq.heappop(self._ends)[2]
            self.clients.pop(client.key)
            client.server = None
            ended.append(client)
        self._plan()
        for client in ended:
            if client.timeout is not None:
                client.timeout.cancel()
            client.done()


class SharedServer(Rule):
    """One `Transfer`: its servers, and the clients that wait because none is open. Clients go to the least loaded server."""

    def __init__(self, fleet: Fleet, transfer: Transfer) -> None:
        self._fleet = fleet
        self._agenda = fleet.agenda
        self._transfer = transfer
        self._hosts = frozenset(transfer.hosts)
        self._work_ns = micros(transfer.work_s) * 1000
        names = fleet.groups[transfer.service].hosts if transfer.service is not None else ()
        self._of_host = {name: Server(self._agenda, name, transfer.at_once) for name in names if transfer.per_server}
        self._servers = list(self._of_host.values()) or [Server(self._agenda, transfer.name, transfer.at_once)]
        self._clients: dict[Hashable, Client] = {}
        self._judge()

    def before_boot(self, host: str, go: Callable[[], None]) -> bool:
        """A gate of `Machines`."""
        if host not in self._hosts or self._transfer.before != "boot":
            return False
        self._start(host, host, go)
        return True

    def before_ready(self, member: Member, go: Callable[[], None]) -> bool:
        """A stage of `Members`."""
        if member.host not in self._hosts or self._transfer.before != "ready":
            return False
        self._start((member.service, member.host), member.host, go)
        return True

    def went_down(self, host: str) -> None:
        self._drop(host)

    def stopped(self, service: str, host: str) -> None:
        self._drop((service, host))

    def counted(self, service: str) -> None:
        if service == self._transfer.service:
            self._judge()

    def _drop(self, key: Hashable) -> None:
        client = self._clients.pop(key, None)
        if client is not None:
            self._end(client)

    def _start(self, key: Hashable, host: str, go: Callable[[], None]) -> None:
        def done() -> None:
            self._clients.pop(key, None)
            go()

        client = self._clients[key] = Client(key, host, done)
        self._join(client)

    def _join(self, client: Client) -> None:
        """On to the least loaded server; its time-out counts from now."""
        open_ones = [server for server in self._servers if server.open]
        if self._transfer.timeout_s is not None:
            at_us = self._agenda.now_us + micros(self._transfer.timeout_s) + SLACK_US
            client.timeout = self._agenda.at(at_us, lambda: self._timed_out(client), Rank.TIMEOUT)
        if open_ones:
            min(open_ones, key=lambda server: len(server.clients)).join(client, self._work_ns)

    def _end(self, client: Client) -> None:
        if client.timeout is not None:
            client.timeout.cancel()
            client.timeout = None
        if client.server is not None:
            client.server.leave(client)

    def _timed_out(self, client: Client) -> None:
        self._fleet.tell(
            "timeout", client.host, f"{self._transfer.name}: not done within {self._transfer.timeout_s:g}s"
        )
        client.timeout = None
        self._end(client)
        self._join(client)

    def _judge(self) -> None:
        """Which servers are open; what ran on one that closed starts from zero on another, or waits."""
        service = self._transfer.service
        if service is None:
            return
        for server in self._servers:
            truth = self._fleet.truth.get(server.name) if self._of_host else None
            server.open = self._fleet.groups[service].available > 0 if truth is None else truth.ready[service]
        shut = [client for server in self._servers if not server.open for client in tuple(server.clients.values())]
        waiting = [client for client in self._clients.values() if client.server is None]
        for client in shut if not any(server.open for server in self._servers) else ():
            self._end(client)
        if any(server.open for server in self._servers):
            for client in (*shut, *waiting):
                self._end(client)
                self._join(client)
