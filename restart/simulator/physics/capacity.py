"""R3: capacity. What could not be served is retried at once; demand above the capacity for too long collapses the resource, and it
recovers only once demand has been low for long enough (hysteresis). Between two events all rates are constant."""

from __future__ import annotations

from dataclasses import dataclass, field

from restart.simulator.clock import Entry, Rank
from restart.simulator.physics.figures import LogIns, Resource
from restart.simulator.physics.fleet import Fleet, Rule
from restart.simulator.physics.members import Members, Step

HAIR = 1e-6


@dataclass(slots=True)
class Store:
    """How one resource stands."""

    figures: Resource
    demand: float = 0.0
    served: float = 0.0
    collapsed: bool = False
    timer: Entry | None = None


@dataclass(slots=True)
class Crowd:
    """How far the log-ins of one service are: sessions still out, sessions that each host holds, log-ins since the cache was cold."""

    figures: LogIns
    waiting: float
    holds: dict[str, float] = field(default_factory=dict)
    since_cold: float = 0.0
    active: tuple[str, ...] = ()

    def cost(self) -> float:
        """What one log-in demands now."""
        warm = self.since_cold >= self.figures.warm_after - HAIR
        return self.figures.warm if warm else self.figures.cold


class Capacity(Rule):
    """All resources, the log-ins and the steady load that demand of them."""

    def __init__(self, fleet: Fleet, members: Members) -> None:
        self._fleet = fleet
        self._members = members
        self._stores = {figures.service: Store(figures) for figures in fleet.physics.resources}
        self._crowds = [Crowd(figures, figures.waiting) for figures in fleet.physics.log_ins]
        self._watched = frozenset(
            [*self._stores]
            + [name for crowd in self._crowds for name in (crowd.figures.service, crowd.figures.cache) if name]
            + [steady.service for steady in fleet.physics.steady]
        )
        self._since_us = fleet.agenda.now_us
        self._next: Entry | None = None
        self._dirty = bool(self._stores)

    def measure(self, word: str, service: str) -> float | None:
        """`demand` or `served` of a resource, a second; `waiting`: sessions that want in through the service."""
        if word == "waiting":
            return next((crowd.waiting for crowd in self._crowds if crowd.figures.service == service), None)
        store = self._stores.get(service)
        if store is None:
            return None
        return store.demand if word == "demand" else store.served if word == "served" else None

    def waiting(self) -> float:
        """Sessions of all services that are still out."""
        return sum(crowd.waiting for crowd in self._crowds)

    def counted(self, service: str) -> None:
        self._dirty = self._dirty or service in self._watched

    def settle(self) -> bool:
        if not self._dirty:
            return False
        self._dirty = False
        self._advance()
        for crowd in self._crowds:
            self._gather(crowd)
        for store in self._stores.values():
            self._weigh(store)
        self._plan()
        return True

    # --- what has passed ---------------------------------------------------------------------------------------------

    def _share(self, of: str) -> float:
        store = self._stores.get(of)
        if store is None:
            return 1.0
        return store.served / store.demand if store.demand > 0 else 1.0

    def _advance(self) -> None:
        """Let the log-ins go on at the rates that held since the last change."""
        passed_s = (self._fleet.agenda.now_us - self._since_us) / 1_000_000
        self._since_us = self._fleet.agenda.now_us
        for crowd in self._crowds:
            done = passed_s * crowd.figures.rate * self._share(crowd.figures.of)
            for host in crowd.active if done else ():
                crowd.holds[host] = crowd.holds.get(host, 0.0) + done
                crowd.waiting = max(0.0, crowd.waiting - done)
                crowd.since_cold += done

    def _gather(self, crowd: Crowd) -> None:
        """Who logs in now. The sessions of a host that was lost want back in; a lost cache is cold again."""
        figures, truth = crowd.figures, self._fleet.truth
        for host in [host for host in crowd.holds if not truth[host].ready[figures.service]]:
            crowd.waiting += crowd.holds.pop(host)
        if figures.cache is not None and not self._fleet.groups[figures.cache].available:
            crowd.since_cold = 0.0
        crowd.active = tuple(
            host
            for host in self._fleet.groups[figures.service].hosts
            if truth[host].ready[figures.service]
            and crowd.holds.get(host, 0.0) < figures.holds - HAIR
            and crowd.waiting > HAIR
        )

    # --- what holds now ----------------------------------------------------------------------------------------------

    def _weigh(self, store: Store) -> None:
        figures = store.figures
        store.demand = figures.base + sum(
            steady.each * self._fleet.groups[steady.service].available
            for steady in self._fleet.physics.steady
            if steady.of == figures.service
        )
        for crowd in self._crowds:
            if crowd.figures.of == figures.service:
                store.demand += len(crowd.active) * crowd.figures.rate * crowd.cost()
        alive = self._alive(figures.service)
        cap = figures.cap * alive if figures.per_member else figures.cap
        store.served = 0.0 if store.collapsed or not alive else min(cap, store.demand)
        if store.collapsed:
            self._time(store, figures.clear_s, runs=store.demand < figures.clear_below, collapse=False)
        else:
            over = bool(alive) and store.demand > cap + HAIR
            self._time(store, figures.collapse_after_s, runs=over, collapse=True)

    def _alive(self, service: str) -> int:
        """Members that would serve, were the resource not collapsed."""
        members = (self._members.of[service, host] for host in self._fleet.groups[service].hosts)
        return sum(member.step is Step.UP and not member.sick for member in members)

    def _time(self, store: Store, after_s: float, *, runs: bool, collapse: bool) -> None:
        """Let the timer of a collapse, or of a recovery, run as long as its cause lasts."""
        if not runs and store.timer is not None:
            store.timer.cancel()
            store.timer = None
        elif runs and store.timer is None:
            store.timer = self._fleet.agenda.after(after_s, lambda: self._turn(store, collapse), Rank.TIMEOUT)

    def _turn(self, store: Store, collapse: bool) -> None:
        store.timer = None
        store.collapsed = collapse
        service = store.figures.service
        self._fleet.tell(
            "collapse" if collapse else "recovery",
            service,
            f"demand {store.demand:g}/s, capacity {store.figures.cap:g}/s",
        )
        self._dirty = True
        self._fleet.cut(service, "collapsed", on=collapse)
        self._fleet.unsettle()

    def _plan(self) -> None:
        """Wake up when the first host is full, the last session is in, or the cache is warm."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        waits = []
        for crowd in self._crowds:
            each = crowd.figures.rate * self._share(crowd.figures.of)
            if not crowd.active or each <= 0:
                continue
            together = each * len(crowd.active)
            fullest = max(crowd.holds.get(host, 0.0) for host in crowd.active)
            waits += [(crowd.figures.holds - fullest) / each, crowd.waiting / together]
            if crowd.since_cold < crowd.figures.warm_after - HAIR:
                waits.append((crowd.figures.warm_after - crowd.since_cold) / together)
        if waits:
            self._next = self._fleet.agenda.after(max(min(waits), 1e-6), self._wake)

    def _wake(self) -> None:
        self._next = None
        self._dirty = True
        self._fleet.unsettle()
