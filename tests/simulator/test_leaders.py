"""Leaders in the simulated world: elected anew when they go down, restarted last, and a referee that looks at who really leads."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial

import pytest

from restart.model.answer import Answer
from restart.model.check import Check
from restart.model.event import Answered, Event
from restart.model.inventory import Amount, Inventory, Role, Service
from restart.model.plan import Plan
from restart.model.request import Read, Request
from restart.model.simulation import Result
from restart.planner import make_plan
from restart.simulator import play as stage
from restart.simulator.faults import Fault
from restart.simulator.physics.figures import HostFigures, Physics, ServiceFigures
from restart.simulator.physics.leaders import says
from restart.simulator.referee import Referee
from tests.inventory.reading import GATES
from tests.simulator.mutants import Deaf, blind_to
from tests.simulator.random_fleets import ask, fixed, fleet

QUEUE = Service(
    name="queue",
    hosts=("q1", "q2", "q3"),
    min_available=Amount(quorum=True),
    ready=(ask("rabbitmqctl await_online_nodes", healthy_for_s=10.0),),
    role=Role(run="rabbitmq-queues leader", leader="^leader$"),
)


DEPOSED = Fault(kind="goes_down", hosts=("q1",), at_s=1.0, for_s=30.0)


def played(*faults: Fault, leader: str = "q1", service: Service = QUEUE, **figures: object) -> Result:
    inventory = fleet(service, policy=fixed(max_failures=1))
    physics = Physics(
        hosts={name: HostFigures(boot_s=90.0) for name in inventory.hosts},
        services={"queue": ServiceFigures(leader=leader, **figures)},  # type: ignore[arg-type]
        latency_s=0.1,
    )
    return stage.play(
        make_plan(inventory, made_at=""), physics, 7, gates=GATES, faults=faults, referee=partial(Referee, seed=7)
    )


def order(result: Result) -> list[str]:
    """Who was begun with, each once: a silent host is tried again."""
    return list(dict.fromkeys(str(row["host"]) for row in result.rows if row.get("event") == "move_started"))


@pytest.mark.parametrize("leader", QUEUE.hosts)
def test_whoever_leads_is_restarted_last_and_no_rule_is_broken(leader: str) -> None:
    result = played(leader=leader)
    assert result.violations == ()
    assert result.outcome is not None
    assert result.outcome.exit_code == 0
    assert order(result)[-1] == leader


def test_leadership_that_moves_during_the_run_is_followed() -> None:
    result = played(DEPOSED)
    assert result.violations == ()
    assert any(told.startswith("leads q3") for _, told in result.happenings)
    assert order(result) == ["q2", "q1", "q3"]


def test_an_election_without_end_halts_the_run_by_name_though_a_gate_takes_turns_with_it() -> None:
    asked = ask("rabbitmqctl cluster_status", healthy_for_s=10.0)
    guarded = replace(QUEUE, gate=(replace(asked, params={**asked.params, "on": "controller"}),))
    result = played(DEPOSED, service=guarded, election_s=1e6)
    assert result.outcome is not None
    assert result.outcome.exit_code == 5
    assert "role.queue" in result.outcome.why


def test_a_pattern_whose_words_nobody_can_guess_is_rehearsed_all_the_same() -> None:
    etcd = Role(run="etcdctl endpoint status -w json", leader=r'"member_id":(\d+),.*"leader":\1,')
    result = played(leader="q1", service=replace(QUEUE, role=etcd))
    assert result.violations == ()
    assert result.outcome is not None
    assert result.outcome.exit_code == 0
    assert order(result)[-1] == "q1"


def test_an_election_holds_the_next_member_until_one_leads() -> None:
    result = played(Fault(kind="goes_down", hosts=("q1",), at_s=1.0, for_s=30.0), election_s=200.0)
    assert result.violations == ()
    assert result.outcome is not None
    assert result.outcome.exit_code == 0


def test_a_member_counts_as_available_only_once_it_is_synced() -> None:
    synced = replace(QUEUE, ready=(ask("synced?", healthy_for_s=30.0),))
    result = played(service=synced, quorum=2, sync_s=60.0, reseed_s=900.0)
    assert result.violations == ()
    assert result.score.corruptions == 0
    assert result.score.all_ready_s is not None
    starts = [row["at_s"] for row in result.rows if row.get("event") == "move_started"]
    assert all(later - earlier >= 90.0 + 60.0 + 30.0 for earlier, later in itertools.pairwise(starts))


def test_a_port_that_opens_before_the_member_has_synced_is_no_sync_gate() -> None:
    shallow = replace(QUEUE, ready=(Check(kind="tcp", params={"port": 5672}, healthy_for_s=0.0),), role=None)
    result = played(service=shallow, quorum=2, sync_s=60.0, reseed_s=900.0)
    assert result.score.corruptions == 1


@pytest.mark.parametrize(
    "pattern", ["^leader$", "primary", "(master|leader)", r"role:\s*master", "^1$", "State: Leader"]
)
def test_the_simulated_members_find_words_for_the_pattern(pattern: str) -> None:
    role = Role(run="x", leader=pattern)
    if pattern == r"role:\s*master":
        assert says(role, leads=True) is None  # told as unknown, not guessed
    else:
        assert says(role, leads=True) is not None
    assert says(role, leads=False) is not None


def without_roles(inventory: Inventory) -> Inventory:
    """Nobody leads anything."""
    return replace(inventory, services={name: replace(held, role=None) for name, held in inventory.services.items()})


def test_the_referee_catches_an_engine_that_restarts_the_leader_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert played().violations == ()
    monkeypatch.setattr(stage, "Engine", blind_to(without_roles))
    broken = played()
    assert {found.rule for found in broken.violations} == {1}
    assert "which leads queue" in broken.violations[0].what


def test_members_outside_the_selection_are_asked_who_leads_and_the_referee_has_nothing_against_it() -> None:
    inventory = fleet(QUEUE, policy=fixed())
    plan = make_plan(inventory, selection=("q1", "q2"), made_at="")
    result = stage.play(plan, Physics(latency_s=0.1), 7, gates=GATES, referee=partial(Referee, seed=7))
    assert result.violations == ()
    assert order(result) == ["q2", "q1"]


def test_the_referee_catches_a_question_that_the_plan_does_not_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Curious(Deaf):
        def handle(self, event: Event) -> tuple[Request, ...]:
            return tuple(
                replace(request, command="cat /etc/shadow") if isinstance(request, Read) else request
                for request in super().handle(event)
            )

    monkeypatch.setattr(stage, "Engine", Curious)
    assert 7 in {found.rule for found in played().violations}


class KeepsRoles(Deaf):
    """Whatever a member said of its role first is what it says for ever."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._asked: dict[str, str] = {}
        self._said: dict[str, Answer] = {}

    def hears(self, event: Event) -> Event | None:
        if isinstance(event, Answered) and event.request in self._asked:
            return replace(event, answer=self._said.setdefault(self._asked[event.request], event.answer))
        return event

    def handle(self, event: Event) -> tuple[Request, ...]:
        requests = super().handle(event)
        self._asked.update({request.id: request.host for request in requests if isinstance(request, Read)})
        return requests


def test_the_referee_catches_an_engine_that_keeps_what_it_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert played(DEPOSED).violations == ()
    monkeypatch.setattr(stage, "Engine", KeepsRoles)
    assert {found.rule for found in played(DEPOSED).violations} == {1}
