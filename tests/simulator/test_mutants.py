"""The referee is shown to work: for each rule of the list something is broken on purpose, and it calls that rule.

Each fleet is first played with everything whole, and the referee must be silent; so a mutant is caught for what is broken in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import pytest

from restart.engine import Engine
from restart.model.check import Check
from restart.model.event import Outcome
from restart.model.inventory import Amount, Dependency, Inventory, Limit, Service, Shared
from restart.model.plan import Plan
from restart.model.playbook import Playbook, PowerControl, Rung, Step
from restart.model.simulation import Result
from restart.planner import make_plan
from restart.simulator import play as stage
from restart.simulator.faults import Fault
from restart.simulator.journal import MemoryJournal
from restart.simulator.physics.figures import HostFigures, Physics, ServiceFigures
from restart.simulator.referee import Referee
from restart.simulator.world import SimulatedWorld
from tests.inventory.reading import GATES
from tests.simulator import mutants
from tests.simulator.random_fleets import ask, fixed, fleet

DB = Service(name="db", hosts=("db-1", "db-2", "db-3"), min_available=Amount(quorum=True), ready=(ask(),))
APP = Service(
    name="app",
    hosts=("app-1", "app-2", "app-3", "app-4"),
    max_unavailable=Amount(number=2),
    ready=(ask(),),
    depends_on=(Dependency(provider="db"),),
)
GATE = ask("group", "controller", healthy_for_s=10.0, within_s=120.0)
WATCH = Check(
    kind="prometheus",
    params={"url": "http://prom:9090", "query": "errors", "expect": "< 5", "alive": None, "empty": "unknown"},
)
DRAINED = Playbook(
    name="reboot", drain=(Step(run="drain {host}", undo="undrain {host}"),), restart=(Rung(kind="reboot"),)
)


@dataclass
class Case:
    """A fleet, what befalls it, and how it is played."""

    inventory: Inventory
    faults: Sequence[Fault] = ()
    selection: tuple[str, ...] | None = None
    warm_s: float = 0.0
    boot_s: float = 30.0
    written: MemoryJournal | None = None

    def plan(self) -> Plan:
        return make_plan(self.inventory, made_at="", selection=self.selection)

    def play(self, plan: Plan | None = None) -> Result:
        inventory = self.inventory
        physics = Physics(
            hosts={name: HostFigures(boot_s=self.boot_s) for name in inventory.hosts},
            services={name: ServiceFigures(warm_s=self.warm_s) for name in inventory.services},
            latency_s=0.2,
            silence_s=1.0,
        )
        referee = partial(Referee, seed=7)
        return stage.play(
            plan or self.plan(), physics, 7, gates=GATES, faults=self.faults, referee=referee, horizon_s=86_400.0
        )


def rules(result: Result) -> set[int]:
    return {found.rule for found in result.violations}


def caught(monkeypatch: pytest.MonkeyPatch, case: Case, engine: type[Engine], *, plan: Plan | None = None) -> set[int]:
    """The rules that the referee calls with this engine; with the whole one, none."""
    whole = case.play()
    assert whole.violations == (), [str(found) for found in whole.violations]
    monkeypatch.setattr(stage, "Engine", engine)
    broken = case.play(plan)
    assert all(found.seed == 7 and found.seq > 0 for found in broken.violations)
    return rules(broken)


def dies(host: str, at_s: float, for_s: float | None = 400.0) -> Fault:
    return Fault(kind="goes_down", hosts=(host,), at_s=at_s, for_s=for_s)


# --- 1: order ---------------------------------------------------------------------------------------------------------


def test_the_referee_catches_an_engine_that_ignores_unready_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(fleet(DB, APP, policy=fixed()), [dies("db-1", 140.0), dies("db-2", 140.0)])
    assert 1 in caught(monkeypatch, case, mutants.blind_to(mutants.without_edges))


def test_the_referee_catches_a_planner_that_puts_consumers_before_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(fleet(DB, APP, policy=fixed()))
    whole = case.plan()
    turned = [replace(wave, number=number) for number, wave in enumerate(reversed(whole.waves), 1)]
    assert caught(monkeypatch, case, Engine, plan=replace(whole, waves=tuple(turned))) == {1}


# --- 2: budgets -------------------------------------------------------------------------------------------------------


def test_the_referee_catches_an_engine_that_ignores_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(fleet(APP, DB, policy=fixed()), [dies("app-1", 0.0), dies("app-2", 0.0)], ("app-3", "app-4"))
    assert 2 in caught(monkeypatch, case, mutants.blind_to(mutants.without_budgets))


def test_the_referee_catches_a_planner_that_ignores_budgets_with_an_engine_that_trusts_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case(fleet(DB, policy=fixed()))
    careless = replace(make_plan(mutants.without_budgets(case.inventory), made_at=""), inventory=case.inventory)
    assert len(careless.waves) == 1
    assert caught(monkeypatch, case, mutants.blind_to(mutants.without_budgets), plan=careless) == {2}


def test_the_referee_catches_an_engine_that_trusts_what_it_saw_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(fleet(DB, policy=fixed()), [dies("db-3", 10.0)])
    assert 2 in caught(monkeypatch, case, mutants.blind_to(mutants.fresh_for_ever))


def test_the_referee_catches_an_engine_that_takes_unready_members_for_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(fleet(DB, policy=fixed()), warm_s=100.0)
    assert 2 in caught(monkeypatch, case, mutants.TakesUnreadyForReady)


def test_the_referee_catches_an_engine_whose_checks_need_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = replace(DB, ready=(ask(healthy_for_s=30.0),))
    assert caught(monkeypatch, Case(fleet(slow, policy=fixed())), mutants.blind_to(mutants.without_soaking)) & {2, 5}


# --- 3: limits --------------------------------------------------------------------------------------------------------

WEB = Service(name="web", hosts=tuple(f"w{n}" for n in range(1, 7)), max_unavailable=Amount(number=6), ready=(ask(),))
RACKS = {f"w{n}": {"rack": f"r{n % 2}", "zone": f"z{n % 3}"} for n in range(1, 7)}


def limited(**fields: object) -> Inventory:
    limits = {"cap": Limit(name="cap", **fields)}  # type: ignore[arg-type]
    return fleet(WEB, labels=RACKS, limits=limits, policy=fixed())


@pytest.mark.parametrize("until", ["booted", "ready", "gate"])
@pytest.mark.parametrize("per", [None, "rack"])
def test_the_referee_catches_slots_that_are_never_full(
    monkeypatch: pytest.MonkeyPatch, per: str | None, until: str
) -> None:
    case = Case(limited(per=per, max_in_flight=2, held_until=until))
    assert caught(monkeypatch, case, mutants.blind_to(mutants.without_limits)) == {3}


def test_the_referee_catches_slots_that_are_never_full_where_no_limit_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hosts = tuple(f"w{n:02}" for n in range(1, 16))
    web = replace(WEB, hosts=hosts, max_unavailable=Amount(number=15))
    assert caught(monkeypatch, Case(fleet(web, policy=fixed())), mutants.blind_to(mutants.without_limits)) == {3}


def test_the_referee_catches_slots_that_are_given_back_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(limited(max_in_flight=2), warm_s=20.0)
    assert caught(monkeypatch, case, mutants.blind_to(mutants.held_until_booted)) == {3}


def test_the_referee_catches_slots_held_for_a_time_that_are_never_full(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(limited(max_in_flight=2, held_s=90.0))
    assert caught(monkeypatch, case, mutants.blind_to(mutants.without_limits)) == {3}


def test_the_referee_catches_an_engine_that_admits_too_many_consumers(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(fleet(replace(DB, admission=1), APP, policy=fixed()))
    assert caught(monkeypatch, case, mutants.blind_to(mutants.without_limits)) == {3}


def test_the_referee_catches_an_engine_that_touches_two_zones_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(limited(per="zone", max_domains=1))
    careless = replace(make_plan(mutants.without_domains(case.inventory), made_at=""), inventory=case.inventory)
    assert caught(monkeypatch, case, mutants.blind_to(mutants.without_domains), plan=careless) == {3}


OTHER_LIMITS = {
    "shared": {"shared": Shared(work_s=20.0, at_once=2, timeout_s=400.0)},
    "rate": {"max_rate": 2, "max_rate_per_s": 60.0},
    "capacity": {"capacity": 100.0, "starting": 30.0, "starting_for_s": 10.0, "running": 10.0},
    "from the boot on": {"max_in_flight": 2, "held_from": "booted"},
    "per use": {"max_in_flight": 2, "uses": {"w1": 2.0}},
}


@pytest.mark.parametrize("what", OTHER_LIMITS)
def test_the_referee_catches_an_engine_that_ignores_every_kind_of_limit(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    fields = dict(OTHER_LIMITS[what])
    uses = fields.pop("uses", {})
    inventory = limited(**fields)
    hosts = {
        name: replace(host, uses={"cap": uses[name]} if name in uses else {}) for name, host in inventory.hosts.items()
    }  # type: ignore[attr-defined, operator, index]
    inventory = replace(
        inventory, hosts=hosts, limits={**inventory.limits, "fleet": Limit(name="fleet", max_in_flight=6)}
    )
    assert caught(monkeypatch, Case(inventory), mutants.blind_to(mutants.without_the_cap)) == {3}


def test_the_referee_catches_an_engine_that_takes_slots_of_the_store_without_asking(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case(limited(max_in_flight=2, per="rack", across_runs=True), [Fault(kind="controller_dies", event=60)])
    assert caught(monkeypatch, case, mutants.blind_to(mutants.within_one_run)) == {3}


# --- 4: nothing new starts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["stop", "pause"])
def test_the_referee_catches_an_engine_that_starts_after_a_word(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    case = Case(fleet(DB, APP, policy=fixed()), [Fault(kind="says", word=word, at_s=20.0)])
    assert caught(monkeypatch, case, mutants.DeafToStop) >= {4}


@pytest.mark.parametrize("target", ["1 everything", "1 fleet", "1 service app"])
def test_the_referee_catches_an_engine_that_starts_under_a_stop_flag(
    monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    lifted = Fault(kind="says", word="unflag", target=target, at_s=2000.0)
    case = Case(fleet(DB, APP, policy=fixed()), [Fault(kind="says", word="flag", target=target, at_s=20.0), lifted])
    assert case.play().outcome == Outcome(state="done", exit_code=0, why="all 7 hosts restarted")
    assert caught(monkeypatch, case, mutants.DeafToStop) == {4}


def test_the_referee_catches_an_engine_that_starts_after_its_own_halt(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 4 in caught(monkeypatch, Case(fleet(DB, APP, policy=fixed())), mutants.HaltsInWordsOnly)


@pytest.mark.parametrize("on_failure", ["halt", "contain"])
def test_the_referee_catches_an_engine_that_bears_more_failures_than_it_may(
    monkeypatch: pytest.MonkeyPatch, on_failure: str
) -> None:
    drained = Playbook(name="reboot", drain=(Step(run="drain {host}"),), restart=(Rung(kind="reboot"),))
    inventory = fleet(
        WEB,
        policy=fixed(max_failures=1, on_failure=on_failure),
        limits={"one": Limit(name="one", max_in_flight=1)},
        playbooks={"reboot": drained},
    )
    declined = [Fault(kind="step_fails", hosts=(f"w{n}",)) for n in range(1, 5)]
    assert 4 in caught(monkeypatch, Case(inventory, declined), mutants.blind_to(mutants.bearing_everything))


def test_the_referee_catches_an_engine_that_starts_while_a_watch_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(fleet(DB, APP, policy=fixed(), watch=(WATCH,)), [Fault(kind="unknown", at_s=30.0, for_s=200.0)])
    assert caught(monkeypatch, case, mutants.TakesFailedWatchesForPass) == {4}


def test_the_referee_catches_an_engine_that_starts_while_the_question_of_a_watch_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stage, "SimulatedWorld", mutants.SlowToWatch)
    case = Case(fleet(DB, APP, policy=fixed(), watch=(replace(WATCH, timeout_s=1.0),)))
    assert caught(monkeypatch, case, mutants.blind_to(mutants.with_watches_fresh_for_ever)) == {4}


# --- 5: no move twice -------------------------------------------------------------------------------------------------


def test_the_referee_catches_a_resume_that_starts_from_scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(fleet(DB, APP, policy=fixed()), [Fault(kind="controller_dies", event=60)])
    assert case.play().violations == ()
    monkeypatch.setattr("restart.simulator.journal.replay", lambda engine, entries, version: ())
    assert 5 in rules(case.play())


def test_the_referee_catches_a_resume_that_repeats_a_reboot_blindly(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(fleet(DB, APP, policy=fixed()), [Fault(kind="controller_dies", event=60)])
    assert caught(monkeypatch, case, mutants.RepeatsReboots) == set(), "compare-and-reboot makes it harmless"
    monkeypatch.setattr(stage, "SimulatedWorld", mutants.CarelessWorld)
    assert 5 in rules(case.play())


# --- 6: claims and the lease ------------------------------------------------------------------------------------------


def test_the_referee_catches_an_engine_that_takes_a_foreign_claim_for_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case(fleet(DB, policy=fixed()), [Fault(kind="foreign_claim", hosts=("db-1",))])
    assert case.play().violations == ()
    world = SimulatedWorld(case.inventory, Physics(), gates=GATES, seed=7)
    boot_ids = {name: host.boot_id for name, host in world.hosts.items()}
    monkeypatch.setattr(mutants.TakesForeignClaimsForItsOwn, "boot_ids", boot_ids)
    monkeypatch.setattr(stage, "Engine", mutants.TakesForeignClaimsForItsOwn)
    monkeypatch.setattr(stage, "SimulatedWorld", mutants.CarelessWorld)
    assert 6 in rules(case.play())


def test_the_referee_catches_an_engine_that_restarts_without_a_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    assert caught(monkeypatch, Case(fleet(DB, policy=fixed())), mutants.RestartsUnclaimed) == {6}


def test_the_referee_catches_an_engine_that_acts_after_its_lease_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(fleet(DB, policy=fixed()), [Fault(kind="lease_lost", at_s=20.0)])
    assert 6 in caught(monkeypatch, case, mutants.DeafToTheLostLease)


# --- 7: nothing outside the plan --------------------------------------------------------------------------------------

SPARE = Service(name="spare", hosts=("spare-1",))


def test_the_referee_catches_an_engine_that_restarts_a_host_without_a_move(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(fleet(DB, SPARE, policy=fixed()), selection=("db-*",))
    world = SimulatedWorld(case.inventory, Physics(), gates=GATES, seed=7)
    monkeypatch.setattr(mutants.RestartsAnotherHost, "boot_id", world.hosts["spare-1"].boot_id)
    assert caught(monkeypatch, case, mutants.RestartsAnotherHost) == {7}


def test_the_referee_catches_an_engine_that_sends_commands_where_the_plan_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case(fleet(DB, SPARE, policy=fixed(), playbooks={"reboot": DRAINED}))
    assert 7 in caught(monkeypatch, case, mutants.DrainsElsewhere)


# --- 8: durable first -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loop", [mutants.appends_afterwards, mutants.forgets_to_append])
def test_the_referee_catches_a_loop_that_acts_on_events_that_are_not_durable(
    monkeypatch: pytest.MonkeyPatch, loop: object
) -> None:
    case = Case(fleet(DB, policy=fixed()))
    monkeypatch.setattr(stage, "drive", loop)
    assert 8 in rules(case.play())


def test_the_referee_catches_a_journal_that_only_pretends(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pretends(MemoryJournal):
        def append(self, event, facts_before=()):  # type: ignore[no-untyped-def]
            if len(self) < 10:
                super().append(event, facts_before)

    case = Case(fleet(DB, policy=fixed()))
    journals: list[MemoryJournal] = []

    def made() -> MemoryJournal:
        journals.append(Pretends())
        return journals[-1]

    monkeypatch.setattr(stage, "MemoryJournal", made)
    physics = Physics(hosts={name: HostFigures(boot_s=30.0) for name in case.inventory.hosts})
    result = stage.play(
        case.plan(), physics, 7, gates=GATES, referee=partial(Referee, written=lambda: len(journals[-1]))
    )
    assert rules(result) == {8}


# --- 9: gates ---------------------------------------------------------------------------------------------------------

GATED = fleet(replace(DB, gate=(GATE,)), APP, policy=fixed())


def test_the_referee_catches_guards_that_count_unknown_as_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(GATED, [Fault(kind="unknown", services=("db",), at_s=60.0)])
    assert 9 in caught(monkeypatch, case, mutants.TakesUnknownGatesForPass)


def test_the_referee_catches_an_engine_that_does_not_ask_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    assert caught(monkeypatch, Case(GATED), mutants.blind_to(mutants.without_gates)) == {9}


def test_the_referee_catches_guards_that_open_before_a_gate_has_held(monkeypatch: pytest.MonkeyPatch) -> None:
    assert caught(monkeypatch, Case(GATED), mutants.blind_to(mutants.with_gates_held_for_nothing)) >= {9}


ALERTS = Check(kind="alertmanager", params={"url": "http://am:9093", "alive": ["alertname=Watchdog"]}, within_s=120.0)
HITS = Check(
    kind="prometheus", params={"url": "http://p", "query": "hits", "not_below": "95% of before"}, within_s=120.0
)


@pytest.mark.parametrize(
    "mutant", [mutants.TakesAnyTimeForBefore, mutants.InventsBaselines, mutants.TakesTheFleetForItsOwnDoing]
)
def test_the_referee_catches_an_engine_that_tells_its_gates_what_is_not_so(
    monkeypatch: pytest.MonkeyPatch, mutant: type[Engine]
) -> None:
    case = Case(fleet(replace(DB, gate=(HITS,)), APP, policy=fixed(), watch=(ALERTS,)))
    assert 9 in caught(monkeypatch, case, mutant)


def test_an_alert_about_another_host_halts_a_run_and_one_about_a_host_in_flight_does_not() -> None:
    inventory = fleet(DB, APP, policy=fixed(), watch=(ALERTS,))
    own = Fault(kind="alert", target="InstanceDown", hosts=("db-1",), at_s=5.0, for_s=20.0)
    other = Fault(kind="alert", target="InstanceDown", hosts=("app-4",), at_s=5.0, for_s=400.0)
    known = replace(other, at_s=0.0)
    for faults, exit_code in (([own], 0), ([own, other], 5), ([known], 0)):
        result = Case(inventory, faults).play()
        assert result.violations == ()
        assert result.outcome is not None
        assert result.outcome.exit_code == exit_code, result.outcome


# --- 10: an end with a true reason ------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", [mutants.DoneTooEarly, mutants.HaltsForNothing, mutants.NeverEnds])
def test_the_referee_catches_an_engine_that_ends_wrongly_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, engine: type[Engine]
) -> None:
    assert 10 in caught(monkeypatch, Case(fleet(DB, APP, policy=fixed())), engine)


# --- canaries ---------------------------------------------------------------------------------------------------------


def test_the_referee_catches_an_engine_that_does_not_watch_its_canaries(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = replace(fixed(), canaries=1, canary_for_s=600.0)
    assert caught(
        monkeypatch, Case(fleet(APP, DB, policy=policy)), mutants.blind_to(mutants.without_canary_watches)
    ) == {9}


def test_the_referee_catches_an_engine_that_waits_for_the_last_rung_of_two_canaries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Waits(Engine):
        """A canary counts once its whole ladder has failed."""

        def _missed(self, state: object) -> None:
            """Takes no notice."""

    rungs = (Rung(kind="reboot", back_within_s=60.0), Rung(kind="power", reset="cycle", back_within_s=900.0))
    labels = {host: {"image": "v7"} for host in (*APP.hosts, *DB.hosts)}
    app, cache = (
        replace(APP, depends_on=()),
        replace(DB, name="cache", hosts=("c-1", "c-2"), min_available=None, max_unavailable=Amount(number=2)),
    )
    labels |= {host: {"image": "v7"} for host in cache.hosts}
    inventory = fleet(app, DB, cache, labels=labels, policy=replace(fixed(), canaries=1, max_failures=5))
    power = {name: replace(host, power=PowerControl(method="ipmi")) for name, host in inventory.hosts.items()}
    inventory = replace(inventory, hosts=power, playbooks={"reboot": Playbook(name="reboot", restart=rungs)})
    stuck = Fault(kind="never_returns", hosts=("app-1", "db-1"))
    late = Fault(kind="returns_late", hosts=("c-1",), by_s=22.0)
    assert caught(monkeypatch, Case(inventory, [stuck, late]), Waits) == {4}
