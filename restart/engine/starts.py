"""May this move begin now? Every rule that can say no, each with its name and numbers (design: contract 6, rules 1, 3, 7 to 10)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from heapq import nsmallest
from itertools import chain

from restart.engine.across import Across
from restart.engine.flags import Flags
from restart.engine.guards import Guards
from restart.engine.pace import Pace
from restart.engine.parking import Hold, Topic
from restart.engine.readiness import Readiness
from restart.engine.roles import Roles
from restart.engine.silent import Silent
from restart.engine.slots import Slots
from restart.engine.state import MoveState
from restart.engine.table import COUNTS_AS_DOWN, FINISHED, IN_FLIGHT, ONLY_AN_OPERATOR, Phase
from restart.engine.windows import Windows
from restart.model.check import Verdict
from restart.model.inventory import Dependency, Inventory
from restart.rules.budgets import may_be_down, ready_enough
from restart.rules.limits import Slot
from restart.rules.moves import gate_s
from restart.rules.named import budget_rule, gate_rule, order_rule, requires_rule, settle_rule
from restart.rules.path import path_hosts
from restart.rules.waived import Waived


@dataclass(slots=True)
class WaveProgress:
    """How far one service's moves of one wave are: those not finished, and when the last one finished (run seconds)."""

    unfinished: set[str] = field(default_factory=set)
    ended_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What the hosts of the same services look at: their own services and required providers, the gates near them, and the topics of it all."""

    wanted: tuple[str, ...]
    near: tuple[str, ...]
    gates: tuple[str, ...]
    topics: tuple[Topic, ...]


class Starts:
    """Judges starts. It changes nothing but for asking what it needs to know."""

    def __init__(
        self,
        inventory: Inventory,
        states: Mapping[str, MoveState],
        *,
        readiness: Readiness,
        guards: Guards,
        slots: Slots,
        pace: Pace,
        flags: Flags,
        windows: Windows,
        across: Across,
        roles: Roles,
        silent: Silent,
        now_s: Callable[[], float],
        stir: Callable[[Topic], None],
        waived: Waived,
        passed_over: Callable[[MoveState, str, str], None],
    ) -> None:
        """`waived`: rules overridden by name, which hold nothing up; `passed_over(state, rule, why)` hears where one would have.

        `stir` hears the topics of which something has changed (see `restart.engine.parking`)."""
        self._stir = stir
        self._inventory = inventory
        self._states = states
        self._readiness = readiness
        self._guards = guards
        self._slots = slots
        self._pace = pace
        self._flags = flags
        self._windows = windows
        self._across = across
        self._waived = waived
        self._passed_over = passed_over
        # Rules overridden by name, and what each would have said, in the judgement at hand.
        self._through: dict[str, str] = {}
        self._roles = roles
        self._silent = silent
        self._now_s = now_s
        self._path = frozenset(path_hosts(inventory))
        self._in_flight: dict[str, int] = {}  # in order: what goes over a set differs from process to process
        self._begun = 0
        self._path_in_flight: dict[str, None] = {}
        self._drained_on: dict[str, dict[str, None]] = {}  # host -> those in flight whose drains run on it
        self._lost: dict[str, None] = {}
        self._lost_in: dict[str, dict[str, None]] = {name: {} for name in inventory.services}
        self._around: dict[tuple[str, ...], Around] = {}
        self.contained: dict[str, dict[str, str]] = {}  # service -> failed host -> why
        self._off_path = {host: state.wave for host, state in states.items() if host not in self._path}
        self.last_end_s: dict[str, float] = {}
        self._drains_on = {host: _drains_on(state) for host, state in states.items()}
        self._edges = {name: _running_edges(service.depends_on) for name, service in inventory.services.items()}
        self._near: dict[str, tuple[str, ...]] = _neighbours(inventory)
        self._service_barrier = inventory.policy.barrier == "service"
        self._progress: dict[str, dict[int, WaveProgress]] = {}
        self._promoted_in: dict[str, set[str]] = {}  # service -> spares in flight that take a place in it
        for state in states.values():
            self._take_in(state)

    def _take_in(self, state: MoveState) -> None:
        for service in state.move.services:
            waves = self._progress.setdefault(service, {})
            waves.setdefault(state.wave, WaveProgress()).unfinished.add(state.host)

    def join(self, state: MoveState) -> None:
        """One more move: a spare's."""
        self._drains_on[state.host] = _drains_on(state)
        if state.host not in self._path:
            self._off_path[state.host] = state.wave
        self._take_in(state)
        for service in state.move.services:
            self._stir(("unfinished", service))

    def entered(self, state: MoveState) -> None:
        """Keep the set of moves in flight, and of those not finished in each wave of each service."""
        if state.host not in self._path:
            if state.phase in FINISHED:
                self._off_path.pop(state.host, None)
            else:
                self._off_path[state.host] = state.wave
        self._flies(state.host, state.phase in IN_FLIGHT)
        self._loses(state, state.phase in ONLY_AN_OPERATOR)
        for service in state.move.services:
            wave = self._progress[service][state.wave]
            if state.phase not in FINISHED:
                if state.host not in wave.unfinished:
                    wave.unfinished.add(state.host)
                    self._stir(("unfinished", service))
            elif state.host in wave.unfinished:
                wave.unfinished.discard(state.host)
                wave.ended_s = self.last_end_s[service] = self._now_s()
                self._stir(("unfinished", service))
                self._stir(("ended", service))
        if self._path and (state.phase in FINISHED or state.phase in ONLY_AN_OPERATOR or state.phase is Phase.WAITING):
            self._stir(("off path",))

    def change_places(self, first: MoveState, second: MoveState) -> None:
        """Two waiting moves of the same services change their waves."""
        for mine, other in ((first, second), (second, first)):
            for service in mine.move.services:
                unfinished = self._progress[service][mine.wave].unfinished
                unfinished.discard(mine.host)
                unfinished.add(other.host)
                self._stir(("unfinished", service))
            if mine.host in self._off_path:
                self._off_path[mine.host] = other.wave

    def _flies(self, host: str, flies: bool) -> None:
        """Keep the moves in flight."""
        if flies == (host in self._in_flight):
            return
        if flies:
            self._begun += 1
            self._in_flight[host] = self._begun
            if host in self._path:
                self._path_in_flight[host] = None
            for on in self._drains_on[host]:
                self._drained_on.setdefault(on, {})[host] = None
            if self._states[host].member is not None:
                self._promoted_in.setdefault(self._states[host].move.services[0], set()).add(host)
        else:
            del self._in_flight[host]
            self._path_in_flight.pop(host, None)
            for on in self._drains_on[host]:
                self._drained_on[on].pop(host, None)
            if self._states[host].member is not None:
                self._promoted_in[self._states[host].move.services[0]].discard(host)
            self._stir(("in flight",))
            self._stir(("in flight", host))

    def _loses(self, state: MoveState, lost: bool) -> None:
        """Keep the hosts that only an operator can let go."""
        if lost == (state.host in self._lost):
            return
        for lost_in in (self._lost, *(self._lost_in[service] for service in state.move.services)):
            lost_in.pop(state.host, None)
            if lost:
                lost_in[state.host] = None
        for service in state.move.services:
            self._stir(("unfinished", service))
        self._slots.stir(state.host)

    def begun(self, host: str) -> int:
        """The number of the move of `host`, in flight, in the order in which they began."""
        return self._in_flight[host]

    @property
    def in_flight(self) -> Collection[str]:
        """Hosts whose moves are in flight, in the order in which they began."""
        return self._in_flight.keys()

    def away(self) -> tuple[str, ...]:
        """Hosts that are away by the run's own doing: in flight, or given up and not let go by an operator."""
        return (*self._in_flight, *self._lost)

    def blinds(self, rule: str, service: str | None) -> bool:
        """Whether the watch called `rule` asks a host in flight, or through a `service` of which members are away.

        That a host which was given up answers no watch is news.
        """
        hosts = self._inventory.hosts
        return any(rule in hosts[host].asked_by for host in self._in_flight) or (
            service is not None and any(service in self._states[host].move.services for host in self.away())
        )

    def near(self, state: MoveState) -> tuple[str, ...]:
        """The services of a move, their direct providers and their direct consumers."""
        return self._around_of(state.move.services).near

    def wanted(self, state: MoveState) -> tuple[str, ...]:
        """The services whose members must be freshly known before `state` may begin: its own and its required providers."""
        return self._around_of(state.move.services).wanted

    def _around_of(self, services: tuple[str, ...]) -> Around:
        found = self._around.get(services)
        if found is None:
            wanted = dict.fromkeys(services)
            for service in services:
                wanted.update(dict.fromkeys(edge.provider for edge in self._edges[service] if edge.kind == "requires"))
            near = tuple(dict.fromkeys(name for service in services for name in self._near[service]))
            gates = tuple(name for name in near if self._guards.has(name))
            found = self._around[services] = Around(
                wanted=tuple(wanted),
                near=near,
                gates=gates,
                topics=(
                    *(("ready", name) for name in wanted),
                    *(("gate", name) for name in gates),
                    *(("ended", name) for name in near if gates),
                ),
            )
        return found

    def hold(self, state: MoveState) -> Hold | None:
        """Why the move may not begin now; None: it may. Asks what is stale along the way."""
        self._through.clear()
        found = self._silent.hold(state) or self._static(state) or self._asked(state) or self._role(state)
        if found is None:
            found = self._across.hold(state)
        if self._waived and found is None:
            self._through.update((*self._slots.let_through(state.host), *self._pace.let_through(state.host)))
            self._tell_through(state)
        return found

    def hold_acting(self, state: MoveState) -> Hold | None:
        """Why a move that has been drained may not be carried on to its first act: what allowed it has changed meanwhile."""
        self._through.clear()
        found = self._asked(state) or self._role(state)
        if found is None:
            self._tell_through(state)
        return found

    def hold_begun(self, state: MoveState) -> Hold | None:
        """Why a move that has begun may not act at this instant, by what is known: a member of a provider may have begun since, or fallen."""
        return self._providers(state) if state.move.act == "restart" else None

    def hold_later(self, state: MoveState) -> Hold | None:
        """Why a later rung may not be taken on a host that is up: the budgets and providers of now. Those that a fresh FAIL proves sick take nothing.

        Where no rung before it came to an act it is a first act, which the gates guard as well."""
        self._through.clear()
        self._readiness.age()  # an answer is heard before anything else has taken in the time that has passed
        gate = self._gates(state, self._around_of(state.move.services), []) if state.acted_s is None else None
        if not self._readiness.refresh(self.wanted(state)):
            return _ASKING
        found = self._budget(state, self.sick_in(state)) or self._providers(state) or gate
        if found is None:
            self._tell_through(state)
        return found

    def _role(self, state: MoveState) -> Hold | None:
        """The leader goes last; who leads is asked also where the rule is overridden by name."""
        hold = self._roles.hold(state)
        return None if hold is None or (hold.waits != "asking" and self._lets(state, hold.rule, hold.why)) else hold

    def _tell_through(self, state: MoveState) -> None:
        for rule, why in self._through.items():
            self._passed_over(state, rule, why)

    def _lets(self, state: MoveState, rule: str, why: str) -> bool:
        """Whether `rule`, which would hold the move for `why`, is overridden by name; then it is kept what it would have said."""
        if rule not in self._waived:
            return False
        self._through[rule] = why
        return True

    def take_slots(self, state: MoveState) -> Hold | None:
        """Take the slots for the rung at hand: a later rung takes anew what a boot, or the clock, has freed. None: it has them."""
        if state.acted_s is not None:
            self._slots.spend(state.host, self._now_s())
        hold = self._full(state.host) if self._slots.lacking(state.host) else None
        if hold is None:
            hold = self._across.hold(state)
        if hold is None:
            self._through = dict(self._slots.let_through(state.host))
            self._tell_through(state)
            self._slots.take(state.host)
        return hold

    def _full(self, host: str) -> Hold | None:
        """The limit that has no room for an act of `host`."""
        full = self._slots.full(host)
        if full is None:
            return None
        rule, why = full
        never = self._slots.never(host)
        lasting = never or self.lost(self._slots.holders(host)) or self._slots.gone_for_good(host)
        shut = self._slots.in_the_way(host)
        topics = tuple(("slot", Slot(limit=slot.limit) if not amount else slot) for slot, amount in shut)
        if lasting:
            topics = (*topics, *(("slot taken", slot) for slot, _ in shut))  # its reason is told, with who holds it
        return Hold(
            rule=rule, why=why, waits="slot", lasting=lasting, queue=("slots", never, *shut), topics=topics
        )  # fmt: skip

    def forgive(self, state: MoveState) -> None:
        """An operator decided on the host: it contains its services no longer."""
        for service in state.move.services:
            self.contained.get(service, {}).pop(state.host, None)
            self._stir(("contained", service))

    def sick_in(self, state: MoveState) -> frozenset[str]:
        """The services of which a fresh FAIL proves the host not ready: its restart takes nothing from their budgets."""
        return frozenset(
            name for name in state.move.services if self._readiness.verdict(name, state.host) is Verdict.FAIL
        )

    def _static(self, state: MoveState) -> Hold | None:
        """What can be told without asking anybody."""
        return self.hold_early(state) or self._on_path(state) or self._beside_its_drain(state) or self._order(state)

    def hold_early(self, state: MoveState) -> Hold | None:
        """What comes before everything else: a stop flag, the maintenance window, a failure that is contained, the pace, the limits."""
        host = state.host
        if (flagged := self._flags.hold(state)) is not None:
            return flagged
        outside = self._windows.hold(state)
        if outside is not None and not self._lets(state, outside.rule, outside.why):
            return outside
        for service in state.move.services:
            for edge in self._inventory.services[service].depends_on:
                if reasons := self.contained.get(edge.provider):
                    why = f"held: its provider {edge.provider} is contained ({next(iter(reasons.values()))})"
                    topic = ("contained", edge.provider)
                    return Hold(rule="contain", why=why, waits="order", lasting=True, queue=topic, topics=(topic,))
        if (closed := self._pace.closed(host)) is not None:
            strata = self._pace.of(host)
            return Hold(
                rule=closed[0],
                why=closed[1],
                waits="pace",
                lasting=self._pace.closed_for_good(host),
                queue=("pace", state.wave, strata),
                topics=tuple(("pace", name) for name, _ in strata),
            )
        return self._full(host)

    def _on_path(self, state: MoveState) -> Hold | None:
        if not self._path:
            return None
        host, on_path = state.host, state.host in self._path
        if on_path:
            before = [name for name, wave in self._off_path.items() if wave < state.wave]
            if before:
                why = f"path hosts go last; {len(before)} moves before it are not finished: {', '.join(before[:5])}"
                lasting = all(self._states[name].phase is Phase.IN_DOUBT for name in before)
                queue = ("off path", state.wave)
                return Hold(
                    rule="path", why=why, waits="order", lasting=lasting, queue=queue, topics=(("off path",),)
                )  # fmt: skip
        others = self._in_flight.keys() - {host} if on_path or self._path_in_flight else frozenset()
        if others and (on_path or self._path_in_flight.keys() - {host}):
            why = f"path hosts go alone; in flight: {', '.join(sorted(others)[:5])}"
            return Hold(rule="path", why=why, waits="slot", queue=("path", on_path), topics=(("in flight",),))
        return None

    def _beside_its_drain(self, state: MoveState) -> Hold | None:
        """A host on which another's drain runs is not restarted meanwhile, nor is drained on while it restarts."""
        away = self._drains_on[state.host] & self._in_flight.keys()
        users = self._drained_on.get(state.host)
        if not away and not users:
            return None
        if away:
            why = f"its drain runs on {', '.join(sorted(away))}, which is in flight"
        else:
            why = f"the drain of {', '.join(sorted(users or ())[:5])}, in flight, runs on it"
        queue, topics = ("drain", state.host), tuple(("in flight", host) for host in sorted({*away, *(users or ())}))
        return Hold(rule="drain", why=why, waits="slot", queue=queue, topics=topics)

    def _order(self, state: MoveState) -> Hold | None:
        """Own services' and providers' moves of earlier waves are finished and settled (the plan's waves hold the order)."""
        for service in state.move.services:
            hold = self._finished_before(state, service, f"waves.{service}", None)
            if hold is not None:
                return hold
            for edge in self._edges[service]:
                hold = self._finished_before(state, edge.provider, order_rule(service, edge.provider), edge.needs)
                if hold is not None:
                    return hold
        return None

    def _finished_before(self, state: MoveState, service: str, rule: str, needs: int | None) -> Hold | None:
        waves = [wave for number, wave in self._progress.get(service, {}).items() if number < state.wave]
        left = sum(len(wave.unfinished) for wave in waves)
        queue, topics = ("order", state.wave, state.move.services), (("unfinished", service),)
        if left and (needs is None or self._finished_or_outside(service) < needs):
            if self._lets(state, rule, f"{left} moves of {service} before it are not finished"):
                return None
            names = ", ".join(nsmallest(5, chain.from_iterable(wave.unfinished for wave in waves)))
            lasting = all(self._states[host].phase is Phase.IN_DOUBT for wave in waves for host in wave.unfinished)
            why = f"{left} moves of {service} before it are not finished: {names}"
            return Hold(rule=rule, why=why, waits="order", lasting=lasting, queue=queue, topics=topics)
        if not self._service_barrier or not waves or rule in self._waived:
            return None
        found = self._inventory.services[service]
        ended_s = max(wave.ended_s for wave in waves) + (0.0 if gate_rule(service) in self._waived else gate_s(found))
        settled_s = ended_s + found.settle_s
        if self._now_s() < settled_s:
            why = f"{service} settles for {settled_s - self._now_s():.0f}s more, of {found.settle_s:g}s"
            if self._now_s() >= ended_s and self._lets(state, settle_rule(service), why):
                return None
            settled_s = ended_s if settle_rule(service) in self._waived else settled_s
            return Hold(
                rule=settle_rule(service), why=why, waits="settle", queue=queue, topics=topics, until_s=settled_s
            )  # fmt: skip
        return None

    def _finished_or_outside(self, service: str) -> int:
        """Members of `service` that are finished or out of the plan."""
        unfinished = sum(len(wave.unfinished) for wave in self._progress.get(service, {}).values())
        return len(self._inventory.services[service].hosts) - unfinished

    def _asked(self, state: MoveState) -> Hold | None:
        """What only fresh answers can tell. Readiness and gates are asked side by side."""
        around = self._around_of(state.move.services)
        complete = self._readiness.refresh(around.wanted)
        wanted: list[str] = []
        gate = self._gates(state, around, wanted)
        found = (self._budget(state, self._sick(state)) or self._providers(state) or gate) if complete else _ASKING
        if found is None:
            return None
        # Hosts of the same services are told the same, but for those that are not ready themselves.
        own = () if self._well(state) else (state.host,)
        return replace(
            found,
            queue=("asked", state.move.services, *own),
            topics=around.topics,
            gates=tuple(wanted),
            services=around.wanted,
        )

    def _well(self, state: MoveState) -> bool:
        """Nothing but what all members of its services share stands in its way."""
        return all(self._readiness.last_known(name, state.host) in (None, Verdict.PASS) for name in state.move.services)

    def _gates(self, state: MoveState, around: Around, wanted: list[str]) -> Hold | None:
        """The first gate that has not passed; all of them are `wanted`."""
        if not around.gates:
            return None
        since_s = max((self.last_end_s.get(name, 0.0) for name in around.near), default=0.0)
        sick = self._sick(state)
        found = None
        for service in self._guarding(state, around.gates):
            excused = self._guards.excused(service)
            repairing = excused and any(service in self._states[host].sick_in for host in self._in_flight)
            repairing = repairing or bool(self._promoted_in.get(service))
            if self._guards.passed(service, since_s, patient=repairing):
                continue
            wanted.append(service)
            if found is None and not (service in sick and excused):
                why = self._guards.story(service)
                if not self._lets(state, gate_rule(service), why):
                    found = Hold(rule=gate_rule(service), why=why, waits="gate")
        return found

    def _guarding(self, state: MoveState, gates: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the gates near it that guard this start."""
        if state.member is None:
            return gates
        # Its service's own gate may well fail for the member that is lost, whose place the spare takes.
        return tuple(name for name in gates if name != state.move.services[0])

    def _takes_nothing(self, state: MoveState, service: str) -> bool:
        """Whether the start takes nothing from the budget: a spare that is to become a member, or a member whose place was taken."""
        promoted = state.member is not None and service == state.move.services[0]
        return promoted or not self._readiness.is_member(service, state.host)

    def _members_lost(self, service: str, but: str) -> int:
        """How many members other than `but` only an operator can bring back."""
        return sum(host != but and self._readiness.is_member(service, host) for host in self._lost_in[service])

    def _sick(self, state: MoveState) -> frozenset[str]:
        return state.sick_in if state.phase in IN_FLIGHT else self.sick_in(state)

    def _budget(self, state: MoveState, sick: frozenset[str]) -> Hold | None:
        for name in state.move.services:
            if name in sick or self._takes_nothing(state, name):
                continue
            service = self._inventory.services[name]
            allowed = may_be_down(service)
            would = self._readiness.down_without(name, state.host) + 1
            if would > allowed:
                lost = self._members_lost(name, state.host) + 1
                others = ", ".join(
                    f"{host} ({self._reason(name, host)})"
                    for host in self._readiness.down(name, 4)
                    if host != state.host
                )
                why = (
                    f"{would} of {len(service.hosts)} would be not ready, at most {allowed} may be; not ready: {others}"
                )
                if self._lets(state, budget_rule(name), why):
                    continue
                return Hold(rule=budget_rule(name), why=why, waits="ready", lasting=lost > allowed)
        return None

    def _providers(self, state: MoveState) -> Hold | None:
        for name in state.move.services:
            for edge in self._edges[name]:
                if edge.kind != "requires":
                    continue
                provider = self._inventory.services[edge.provider]
                needed = self._opens(state, edge)
                ready = len(provider.hosts) - self._readiness.down_without(edge.provider, state.host)
                if ready < needed:
                    lost = self._members_lost(edge.provider, state.host)
                    why = f"{name} requires {edge.provider}: {ready} of {len(provider.hosts)} ready, {needed} needed"
                    if self._lets(state, requires_rule(name, edge.provider), why):
                        continue
                    lasting = len(provider.hosts) - lost < needed
                    return Hold(rule=requires_rule(name, edge.provider), why=why, waits="ready", lasting=lasting)
        return None

    def _opens(self, state: MoveState, edge: Dependency) -> int:
        """Ready members of the provider that let `state` begin."""
        return ready_enough(self._inventory.services[edge.provider], edge.needs)

    def lost(self, hosts: Iterable[str]) -> bool:
        """Whether only an operator can let any of `hosts` go."""
        found = [self._states[host].phase for host in hosts]
        return bool(found) and all(phase in ONLY_AN_OPERATOR for phase in found)

    def _reason(self, service: str, host: str) -> str:
        state = self._states.get(host)
        if state is not None and state.phase in COUNTS_AS_DOWN:
            return state.phase.value
        return self._readiness.evidence(service, host)


def _drains_on(state: MoveState) -> frozenset[str]:
    """The other hosts on which the move's drain runs."""
    return frozenset(step.on for step in state.playbook.drain if step.on is not None and step.on != state.host)


_ASKING = Hold(rule="ready_fresh", why="readiness is being asked", waits="asking")


def _running_edges(edges: Iterable[Dependency]) -> tuple[Dependency, ...]:
    """The edges that hold while the fleet runs, declared breaks left out."""
    return tuple(edge for edge in edges if edge.at in ("run", "both") and edge.stand_in is None)


def _neighbours(inventory: Inventory) -> dict[str, tuple[str, ...]]:
    """Each service, its direct providers and its direct consumers."""
    near: dict[str, dict[str, None]] = {name: {name: None} for name in inventory.services}
    for name, service in inventory.services.items():
        for edge in service.depends_on:
            near[name][edge.provider] = None
            near[edge.provider][name] = None
    return {name: tuple(found) for name, found in near.items()}
