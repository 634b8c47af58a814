"""The referee at shutdowns: a whole engine breaks nothing, and each broken one is caught by the rule that it breaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import pytest

from restart.engine import Engine, begin, core
from restart.model.answer import StillUp, WentOff
from restart.model.event import Answered, Event
from restart.model.inventory import Amount, Dependency, Inventory, Role, Service
from restart.model.plan import Override, Plan
from restart.model.playbook import Playbook, PowerControl, Rung, Step
from restart.model.request import AwaitOff, PowerOff, Request
from restart.model.simulation import Result
from restart.planner import make_plan
from restart.simulator import play as stage
from restart.simulator.faults import Fault
from restart.simulator.physics.figures import HostFigures, Physics
from restart.simulator.referee import Referee
from tests.inventory.reading import GATES
from tests.simulator import mutants
from tests.simulator.random_fleets import ask, fixed, fleet
from tests.simulator.test_leaders import KeepsRoles, without_roles

DB = Service(name="db", hosts=("d1", "d2", "d3"), min_available=Amount(quorum=True), ready=(ask(),))
APP = Service(name="app", hosts=("a1", "a2", "a3", "a4"), depends_on=(Dependency(provider="db"),), ready=(ask(),))
METRICS = Service(name="metrics", hosts=("m1",), path=True, ready=(ask(),))
BOOK = Playbook(
    name="reboot",
    drain=(Step(run="out {host}", undo="in {host}"),),
    stop=(Rung(kind="poweroff", down_within_s=60.0), Rung(kind="power", reset="off", back_within_s=60.0)),
    start=(Rung(kind="power", reset="on", back_within_s=300.0),),
)


@dataclass(frozen=True)
class Stopping:
    """A fleet that is to go off, and what befalls it."""

    inventory: Inventory
    faults: Sequence[Fault] = ()
    selection: tuple[str, ...] | None = None
    mode: str = "shutdown"

    def plan(self) -> Plan:
        return make_plan(powered(self.inventory), mode=self.mode, selection=self.selection, made_at="")

    def play(self, plan: Plan | None = None, *, seed: int = 7) -> Result:
        physics = Physics(
            hosts={name: HostFigures(boot_s=30.0) for name in self.inventory.hosts},
            latency_s=0.2,
            silence_s=1.0,
            strikes_after_s=5.0,
        )
        referee = partial(Referee, seed=seed)
        return stage.play(
            plan or self.plan(), physics, seed, gates=GATES, faults=self.faults, referee=referee, horizon_s=86_400.0
        )


def powered(inventory: Inventory) -> Inventory:
    """Every host has a power control."""
    control = PowerControl(method="simulated")
    return replace(inventory, hosts={name: replace(host, power=control) for name, host in inventory.hosts.items()})


def going_off(*services: Service, **given: object) -> Inventory:
    """These services, with a ladder that stops and one that starts."""
    given.setdefault("playbooks", {"reboot": BOOK})
    given.setdefault("policy", fixed())
    return fleet(*services, **given)


def rules(result: Result) -> set[int]:
    return {found.rule for found in result.violations}


def caught(
    monkeypatch: pytest.MonkeyPatch, case: Stopping, engine: type[Engine], *, plan: Plan | None = None
) -> set[int]:
    whole = case.play()
    assert whole.violations == (), [str(found) for found in whole.violations]
    assert whole.outcome is not None
    monkeypatch.setattr(stage, "Engine", engine)
    return rules(case.play(plan))


def test_the_referee_catches_an_engine_that_stops_providers_before_their_consumers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Stopping(going_off(DB, APP, policy=fixed(barrier="service")))
    assert caught(monkeypatch, case, mutants.blind_to(mutants.without_edges)) == {1}


def test_the_referee_catches_a_planner_that_puts_providers_first(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Stopping(going_off(DB, APP))
    whole = case.plan()
    turned = [replace(wave, number=number) for number, wave in enumerate(reversed(whole.waves), 1)]
    careless = replace(whole, waves=tuple(turned))
    assert 1 in caught(monkeypatch, case, mutants.blind_to(mutants.without_edges), plan=careless)


def test_the_referee_catches_a_path_that_is_stopped_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_path(inventory: Inventory) -> Inventory:
        services = {name: replace(service, path=False) for name, service in inventory.services.items()}
        return replace(inventory, services=services)

    case = Stopping(going_off(replace(APP, depends_on=()), METRICS, policy=fixed(barrier="service")))
    whole = case.plan()
    # All in one wave: it is the engine alone that holds the path back.
    (first, *others) = whole.waves
    together = replace(first, moves=(*[move for wave in others for move in wave.moves], *first.moves))
    assert caught(monkeypatch, case, mutants.blind_to(without_path), plan=replace(whole, waves=(together,))) == {1}


def test_the_referee_catches_a_floor_that_the_shutdown_of_a_part_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    index = Service(name="index", hosts=("i1", "i2", "i3", "i4"), min_available=Amount(number=2), ready=(ask(),))
    down = [Fault(kind="goes_down", hosts=("i4",), at_s=0.0)]
    case = Stopping(going_off(index), down, selection=("i1", "i2"))
    assert caught(monkeypatch, case, mutants.blind_to(mutants.without_budgets)) == {2}


def test_the_referee_catches_a_planner_that_lets_a_part_take_what_others_stand_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Stopping(going_off(DB, APP), selection=("a*", "d1"))
    whole = case.plan()
    more = replace(whole.waves[-1], moves=tuple(replace(whole.waves[-1].moves[-1], host=host) for host in ("d1", "d2")))
    careless = replace(whole, waves=(*whole.waves[:-1], more))
    monkeypatch.setattr(core, "as_stopping", lambda inventory, off, in_turn: mutants.without_budgets(inventory))
    assert 2 in rules(case.play(careless))


def test_the_referee_catches_more_in_flight_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = mutants.Limit(name="fleet", max_in_flight=2)
    case = Stopping(going_off(replace(APP, depends_on=()), limits={"fleet": limits}))
    assert caught(monkeypatch, case, mutants.blind_to(mutants.without_limits)) == {3}


LED = Service(
    name="queue", hosts=("q1", "q2", "q3"), ready=(ask(),), role=Role(run="rabbitmq-queues leader", leader="^leader$")
)

FIVE = replace(LED, hosts=("q1", "q2", "q3", "q4", "q5"))


@pytest.mark.parametrize("selection", [None, ("q1", "q2")], ids=["all of it", "a part"])
def test_the_referee_catches_an_engine_that_stops_the_leader_first(
    monkeypatch: pytest.MonkeyPatch, selection: tuple[str, ...] | None
) -> None:
    case = Stopping(going_off(LED), selection=selection)
    assert caught(monkeypatch, case, mutants.blind_to(without_roles)) == {1}


def test_the_referee_catches_an_engine_that_keeps_who_led_when_hosts_are_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # q1 led when it was asked about first; by the time others are asked about, another has been elected.
    limits = {"fleet": mutants.Limit(name="fleet", max_in_flight=1)}
    blip = Fault(kind="goes_down", hosts=("q1",), at_s=3.0, for_s=20.0)
    case = Stopping(going_off(FIVE, limits=limits), [blip])
    assert caught(monkeypatch, case, KeepsRoles) == {1}


def test_in_a_shutdown_the_order_is_let_go_by_the_name_that_its_holds_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Stopping(going_off(DB, APP, policy=fixed(barrier="service")))
    let_go = Override(rule="order.db.app", reason="the battery is nearly empty")
    plan = make_plan(powered(case.inventory), mode="shutdown", overrides=[let_go], made_at="")
    whole = case.play(plan)
    assert whole.violations == ()
    assert whole.outcome is not None
    assert whole.outcome.exit_code == 0
    off = {row["host"]: row["at_s"] for row in whole.rows if row["event"] == "off"}
    assert min(off[host] for host in DB.hosts) <= max(off[host] for host in APP.hosts), "it really lets go"
    monkeypatch.setattr(stage, "Engine", mutants.blind_to(mutants.without_limits))
    assert rules(case.play(plan)) <= {3}, "nothing else was loosened"


class TakesOffForGranted(mutants.Deaf):
    """A host that was told to switch off is off: no proof is waited for."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._awaited: set[str] = set()

    def hears(self, event: Event) -> Event | None:
        if isinstance(event, Answered) and event.request in self._awaited and isinstance(event.answer, StillUp):
            return replace(event, answer=WentOff(how="it was told to"))
        return event

    def handle(self, event: Event) -> tuple[Request, ...]:
        requests = super().handle(event)
        self._awaited |= {request.id for request in requests if isinstance(request, AwaitOff)}
        return requests


def test_the_referee_catches_an_engine_that_takes_off_for_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Stopping(going_off(DB, APP), [Fault(kind="ignores_reboot", hosts=("a2",))])
    assert 10 in caught(monkeypatch, case, TakesOffForGranted)


class RepeatsPowerOffs(mutants.Talker):
    """After a resume it sends every power-off once more that it has ever sent."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.sent: list[PowerOff] = []

    def adds(self, event: Event, requests: tuple[Request, ...]) -> Sequence[Request]:
        again = [replace(old, id=f"{old.id}again") for old in self.sent] if isinstance(event, mutants.Resumed) else []
        self.sent += [request for request in requests if isinstance(request, PowerOff)]
        return (*requests, *again)


class Obeys(mutants.SimulatedWorld):
    """A world in which a power-off compares nothing, and reaches also what is off already (a host that somebody switched on again)."""

    def _carry_out(self, request: Request):  # type: ignore[no-untyped-def]
        if isinstance(request, PowerOff) and request.id.endswith("again"):
            self.site.machines.power_on(request.host)
            self._act("off", request, request.host, accepted=True)
            self._strike(request.host, off=True)
            return mutants.RebootTaken(), 0.0
        return super()._carry_out(request)


@pytest.mark.parametrize("event", [25, 30, 40, 45])
def test_the_referee_catches_a_host_that_is_stopped_twice_after_a_crash(
    monkeypatch: pytest.MonkeyPatch, event: int
) -> None:
    case = Stopping(going_off(DB, APP), [Fault(kind="controller_dies", event=event)])
    monkeypatch.setattr(stage, "SimulatedWorld", Obeys)
    assert 5 in caught(monkeypatch, case, RepeatsPowerOffs)


class StopsAnother(mutants.Talker):
    """With the first power-off it sends one to a host that stays up."""

    def adds(self, event: Event, requests: tuple[Request, ...]) -> Sequence[Request]:
        first = next((request for request in requests if isinstance(request, PowerOff)), None)
        if self.extra or first is None:
            return requests
        self.extra = 1
        claim = mutants.Claim(id="x1", host="d1", hold_s=60.0)
        return (*requests, claim, replace(first, id="x2", host="d1", boot_id="d1-1"))


def test_the_referee_catches_a_host_outside_the_plan_that_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Stopping(going_off(DB, APP), selection=("a*",))
    boot_id = mutants.SimulatedWorld(case.inventory, Physics(), gates=GATES, seed=7).hosts["d1"].boot_id

    class Aimed(StopsAnother):
        def adds(self, event: Event, requests: tuple[Request, ...]) -> Sequence[Request]:
            found = super().adds(event, requests)
            return [
                replace(one, boot_id=boot_id) if isinstance(one, PowerOff) and one.id == "x2" else one for one in found
            ]

    assert 7 in caught(monkeypatch, case, Aimed)


# --- stop and start -----------------------------------------------------------------------------------------------------


def agreed(at_s: float) -> Fault:
    return Fault(kind="says", word="approve", target="stage-2", at_s=at_s)


def test_the_referee_catches_a_start_that_nobody_agreed_to(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Stopping(going_off(DB, APP), [agreed(2000.0)], mode="stop-start")
    whole = case.play()
    assert (whole.violations, whole.score.reached) == ((), True)
    plan = case.plan()
    asked = replace(plan, waves=tuple(replace(wave, approve=None) for wave in plan.waves))
    judged = partial(Referee, seed=7)
    monkeypatch.setattr(stage, "begin", lambda found, make: begin(asked, make))
    physics = Physics(hosts={name: HostFigures(boot_s=30.0) for name in case.inventory.hosts})
    result = stage.play(plan, physics, 7, gates=GATES, referee=judged)
    assert 4 in rules(result)
