"""What operators read of a plan: the document itself and `explain`, kept as golden files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import pytest

from restart.errors import UsageMistake
from restart.model.check import Check
from restart.model.inventory import Amount, Dependency, Expect, Limit, Policy, Service, Shared
from restart.model.plan import Duration, Plan
from restart.planner import compare_barriers, explain, make_plan, plan_json
from tests.planner.fleets import AT, fleet, host
from tests.planner.test_document import plan

Golden = Callable[[str, str], None]


def test_the_plan_as_json(golden: Golden) -> None:
    golden("plan.json", json.dumps(plan_json(plan()), indent=1) + "\n")


def test_explain_tells_of_every_host(golden: Golden) -> None:
    made = plan()
    golden("explain.txt", "\n\n".join("\n".join(explain(made, name)) for name in made.inventory.hosts) + "\n")


def test_explain_names_zones_and_readiness_with_numbers(golden: Golden) -> None:
    hosts = [host(f"q-{number}", labels={"zone": f"z{number}"}) for number in (1, 2, 3)]
    hosts += [host("app-1", labels={"zone": "z1"}), host("x-1", labels={"zone": "z2"})]
    services = [
        Service(name="queue", hosts=("q-1", "q-2", "q-3"), max_unavailable=Amount(number=2)),
        Service(name="app", hosts=("app-1",), depends_on=(Dependency(provider="queue", needs=2),)),
        Service(name="x", hosts=("x-1",)),
    ]
    zone = Limit(name="zone", per="zone", max_domains=2)
    made = make_plan(fleet(hosts, services, limits={"zone": zone}), made_at=AT)
    golden("explain-zones.txt", "\n\n".join("\n".join(explain(made, name)) for name in made.inventory.hosts) + "\n")


def test_explain_of_a_host_left_alone_says_why() -> None:
    made = make_plan(fleet([host("ctl", controller=True), host("a")], []), made_at=AT)
    assert explain(made, "ctl") == (
        "ctl is left alone: the controller runs here; --include-controller restarts it, last of all",
    )


def test_explain_of_a_host_outside_the_selection_says_so() -> None:
    made = make_plan(fleet([host("a"), host("b")], []), selection=("a",), made_at=AT)
    assert explain(made, "b") == ("b is not in this plan: the selection a does not hold it",)


def test_explain_of_an_unknown_host_is_a_mistake_of_usage() -> None:
    with pytest.raises(UsageMistake, match="nope is not in the inventory"):
        explain(plan(), "nope")


def test_history_replaces_what_was_expected() -> None:
    known = {"a": Duration(value_s=42.0, samples=7, source="history")}
    made = make_plan(fleet([host("a"), host("b")], []), durations=known, made_at=AT)
    assert {move.host: move.finish_s for move in made.moves()} == {"a": 42.0, "b": 190.0}
    assert made.durations["a"] == known["a"]
    assert made.durations["b"] == Duration(value_s=190.0, source="built-in")


def test_options_are_written_into_the_plan_that_the_engine_gets() -> None:
    web = Service(name="web", hosts=("a", "b"), canaries=2)
    made = make_plan(fleet([host("a"), host("b")], [web]), barrier="service", canaries=0, made_at=AT)
    assert made.inventory.policy.barrier == "service"
    assert made.inventory.policy.canaries == 0
    assert not any(move.canary for move in made.moves())


@pytest.mark.parametrize("options", [{"barrier": "loose"}, {"canaries": -1}, {"selection": ("z*",)}])
def test_an_option_that_cannot_be_meant_is_a_mistake_of_usage(options: dict[str, object]) -> None:
    with pytest.raises(UsageMistake):
        make_plan(fleet([host("a")], []), made_at=AT, **options)  # type: ignore[arg-type]


def test_the_strict_barrier_costs_more_where_boot_times_differ() -> None:
    hosts = [host(name) for name in ("a", "b", "a2", "b2")]
    services = [
        Service(name="a", hosts=("a",)),
        Service(name="b", hosts=("b",)),
        Service(name="a2", hosts=("a2",), depends_on=(Dependency(provider="a"),)),
        Service(name="b2", hosts=("b2",), depends_on=(Dependency(provider="b"),)),
    ]
    uneven = {"a": 40.0, "b": 400.0, "a2": 400.0, "b2": 40.0}
    known = {name: Duration(value_s=value_s, samples=3, source="history") for name, value_s in uneven.items()}
    assert compare_barriers(fleet(hosts, services), durations=known) == {"fleet": 800.0, "service": 440.0}


def test_a_plan_of_an_empty_service_ignores_it() -> None:
    made = make_plan(
        fleet(
            [host("a")],
            [
                Service(name="none", hosts=()),
                Service(name="s", hosts=("a",), depends_on=(Dependency(provider="none"),)),
            ],
        ),
        made_at=AT,
    )
    assert [row.service for row in made.impact] == ["s"]


def limited(*written: Limit, hosts: int = 6) -> Plan:
    names = [f"h{number}" for number in range(1, hosts + 1)]
    web = Service(name="web", hosts=tuple(names), max_unavailable=Amount(number=hosts))
    policy = Policy(pace="fixed", canaries=0)
    found = {limit.name: limit for limit in written}
    return make_plan(fleet([host(name) for name in names], [web], limits=found, policy=policy), made_at=AT)


def tightest(plan: Plan) -> list[str]:
    return [note for note in plan.notes if note.startswith("tightest limit: ")]


def test_the_tightest_limit_is_the_one_whose_lifting_gains_most() -> None:
    made = limited(Limit(name="fleet", max_in_flight=3), Limit(name="few", hosts=("h1", "h2", "h3"), max_in_flight=1))
    assert tightest(made) == [
        "tightest limit: limit.few (at most 1 at once); it costs 3m10s, without it the plan would take 6m20s"
    ]


def test_a_limit_that_no_move_waits_for_is_not_called_tight() -> None:
    assert tightest(limited(Limit(name="fleet", max_in_flight=6))) == []


def test_two_limits_that_hold_a_plan_up_together_are_not_said_to_cost_time_alone() -> None:
    made = limited(
        Limit(name="fleet", max_in_flight=2),
        Limit(name="all", hosts=("h1", "h2", "h3", "h4", "h5", "h6"), max_in_flight=2),
    )
    (note,) = tightest(made)
    assert note.endswith("but without it alone the plan would take as long")


def test_a_large_plan_says_how_long_moves_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restart.planner.tightest.REPLAYED_MOVES_MAX", 5)
    assert tightest(limited(Limit(name="fleet", max_in_flight=2))) == [
        "tightest limit: limit.fleet (at most 2 at once); moves wait for it during 6m20s"
    ]


def test_slow_start_never_goes_past_the_number_that_saturates_a_limit() -> None:
    shared = Shared(work_s=60.0, at_once=3, timeout_s=600.0)
    names = [f"h{number:02d}" for number in range(40)]
    web = Service(name="web", hosts=tuple(names), max_unavailable=Amount(number=40), expect=Expect(boot_s=50.0))
    map_ = Limit(name="map", shared=shared, max_in_flight=20)
    plan = make_plan(fleet([host(name) for name in names], [web], limits={"map": map_}), made_at=AT)
    started = Counter(move.start_s for move in plan.moves())
    assert max(started.values()) == 3
    assert min(started.values()) == 1


def test_waiting_for_a_person_is_said() -> None:
    web = Service(name="web", hosts=("a",), gate=(Check(kind="approve"),))
    made = make_plan(fleet([host("a")], [web]), made_at=AT)
    assert "waits for a person, and the times do not count that: the gate of web" in made.notes
    assert made.estimate.makespan_s == 190.0
