"""What holds for every plan, on random fleets. The checks restate the rules; they share no code with the planner."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from restart.errors import Refused
from restart.model.check import Verdict
from restart.model.inventory import Inventory
from restart.model.observation import Observation
from restart.model.plan import Plan
from restart.planner import explain, make_plan, plan_from_json, plan_json
from tests.planner.fleets import AT, Reading, down_max, edges, enough, inventories, observations

FLEETS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Inventory, Observation | None, tuple[str, ...] | None]:
    inventory = draw(inventories())
    names = list(inventory.hosts)
    selection = draw(st.none() | st.lists(st.sampled_from(names), min_size=1, unique=True).map(tuple))
    return inventory, draw(observations(inventory)), selection


def planned(case: tuple[Inventory, Observation | None, tuple[str, ...] | None]) -> Plan | None:
    inventory, observation, selection = case
    try:
        return make_plan(inventory, observation=observation, selection=selection, made_at=AT)
    except Refused:
        return None


def each_wave(reading: Reading) -> Iterable[tuple[int, set[str]]]:
    for wave in reading.plan.waves:
        yield wave.number, {move.host for move in wave.moves}


@FLEETS
@given(cases())
def test_each_selected_host_moves_exactly_once(
    case: tuple[Inventory, Observation | None, tuple[str, ...] | None],
) -> None:
    plan = planned(case)
    if plan:
        moved = sorted(move.host for move in plan.moves())
        assert moved == sorted(case[2] or case[0].hosts)


@FLEETS
@given(cases())
def test_each_wave_keeps_every_budget_even_if_all_of_it_is_down(
    case: tuple[Inventory, Observation | None, tuple[str, ...] | None],
) -> None:
    plan = planned(case)
    if plan is None:
        return
    reading = Reading(plan)
    for number, hosts in each_wave(reading):
        for service in plan.inventory.services.values():
            takes = {
                name
                for name in hosts
                if name in service.hosts and reading.verdict(name, service.name) is not Verdict.FAIL
            }
            if takes:
                assert len(reading.down_in(service.name, number)) <= down_max(service), (number, service.name)


@FLEETS
@given(cases())
def test_a_consumer_moves_in_a_later_wave_than_its_providers(
    case: tuple[Inventory, Observation | None, tuple[str, ...] | None],
) -> None:
    plan = planned(case)
    if plan is None:
        return
    reading = Reading(plan)
    rings = reading.rings()
    for name, ring in rings.items():
        for service in reading.carried[name]:
            for edge in edges(plan.inventory, service):
                others = [other for other in plan.inventory.services[edge.provider].hosts if other not in ring]
                done = [
                    other for other in others if other not in rings or reading.wave_of[other] < reading.wave_of[name]
                ]
                wanted = len(others) if edge.needs is None else min(edge.needs, len(others))
                assert len(done) >= wanted, (name, service, edge.provider)


@FLEETS
@given(cases())
def test_required_providers_are_ready_while_a_consumer_moves(
    case: tuple[Inventory, Observation | None, tuple[str, ...] | None],
) -> None:
    plan = planned(case)
    if plan is None:
        return
    reading = Reading(plan)
    for number, hosts in each_wave(reading):
        for name in hosts:
            for service in reading.carried[name]:
                for edge in edges(plan.inventory, service):
                    provider = plan.inventory.services[edge.provider]
                    if edge.kind != "requires" or not provider.hosts:
                        continue
                    down = reading.down_in(edge.provider, number) - {name}
                    assert len(provider.hosts) - len(down) >= enough(provider, edge.needs), (
                        number,
                        name,
                        edge.provider,
                    )


@FLEETS
@given(cases())
def test_each_wave_touches_no_more_domains_than_allowed(
    case: tuple[Inventory, Observation | None, tuple[str, ...] | None],
) -> None:
    plan = planned(case)
    if plan is None:
        return
    reading = Reading(plan)
    for limit in plan.inventory.limits.values():
        if limit.max_domains is None or limit.per is None:
            continue
        for number, hosts in each_wave(reading):
            domain = {name: each.labels.get(limit.per) for name, each in plan.inventory.hosts.items()}
            healthy = {name for name in hosts if not reading.carried[name] or _healthy(reading, name)}
            if any(domain[name] and name not in reading.path for name in healthy):
                down = {
                    name
                    for name in plan.inventory.hosts
                    if not _healthy(reading, name) and reading.wave_of.get(name, number) >= number
                }
                touched = {domain[name] for name in hosts | down} - {None}
                assert len(touched) <= limit.max_domains, (number, touched)


def _healthy(reading: Reading, name: str) -> bool:
    return all(reading.verdict(name, service) is Verdict.PASS for service in reading.carried[name])


@FLEETS
@given(cases())
def test_path_hosts_go_last_and_one_by_one(case: tuple[Inventory, Observation | None, tuple[str, ...] | None]) -> None:
    plan = planned(case)
    if plan is None:
        return
    reading = Reading(plan)
    for move in plan.moves():
        if move.host in reading.path:
            assert len(plan.waves[reading.wave_of[move.host] - 1].moves) == 1
            for other in plan.moves():
                if other.host not in reading.path:
                    assert reading.wave_of[other.host] < reading.wave_of[move.host]
                if other.host != move.host:
                    assert other.finish_s <= move.start_s or other.start_s >= move.finish_s


@FLEETS
@given(cases())
def test_no_limit_is_exceeded_at_any_predicted_instant(
    case: tuple[Inventory, Observation | None, tuple[str, ...] | None],
) -> None:
    plan = planned(case)
    if plan is None:
        return
    reading = Reading(plan)
    inventory = plan.inventory
    caps: dict[tuple[str, str], int] = {}
    spans: dict[tuple[str, str], list[tuple[float, float]]] = {}

    def hold(key: tuple[str, str], cap: int, name: str, length_s: float) -> None:
        caps[key] = cap
        spans.setdefault(key, []).append((reading.start[name], reading.start[name] + length_s))

    written = [limit for limit in inventory.limits.values() if limit.max_in_flight is not None]
    if not any(limit.per is None and limit.hosts is None for limit in written):
        for name in reading.start:
            hold(("default", ""), 10, name, reading.finish[name] - reading.start[name])
    for limit in inventory.limits.values():
        for name in reading.start:
            value = "" if limit.per is None else inventory.hosts[name].labels.get(limit.per)
            if value is None or (limit.hosts is not None and name not in limit.hosts):
                continue
            if limit.max_in_flight is not None:
                hold(
                    (limit.name, value),
                    limit.max_in_flight,
                    name,
                    _held_s(reading, name, limit.held_until, limit.held_s),
                )
            if limit.max_rate is not None and limit.max_rate_per_s is not None:
                hold((f"{limit.name} rate", value), limit.max_rate, name, limit.max_rate_per_s)
    for provider in inventory.services.values():
        if provider.admission is not None:
            for name in reading.start:
                if any(
                    edge.provider == provider.name
                    for each in reading.carried[name]
                    for edge in inventory.services[each].depends_on
                ):
                    hold(
                        (provider.name, "admission"),
                        provider.admission,
                        name,
                        reading.finish[name] - reading.start[name],
                    )
    for key, held in spans.items():
        for at_s, _ in held:
            assert sum(1 for begin, end in held if begin <= at_s < end - 1e-9) <= caps[key], (key, at_s)


def _held_s(reading: Reading, name: str, until: str, held_s: float | None) -> float:
    if held_s is not None:
        return held_s
    whole_s = reading.finish[name] - reading.start[name]
    # A host is ready at the earliest 10 s (its checks' healthy_for) after it has booted and warmed up.
    return 0.1 if until == "booted" else whole_s


@FLEETS
@given(cases())
def test_a_stratum_starts_with_its_canaries_and_nothing_else_until_they_have_held(
    case: tuple[Inventory, Observation | None, tuple[str, ...] | None],
) -> None:
    plan = planned(case)
    if plan is None:
        return
    inventory = plan.inventory
    strata: dict[tuple[str, str], list[str]] = {}
    reading = Reading(plan)
    for move in plan.moves():
        for service in move.services:
            strata.setdefault((service, inventory.hosts[move.host].labels.get("image", "")), []).append(move.host)
    leaders = {move.host for move in plan.moves() if move.canary}
    for (service, _), hosts in strata.items():
        stated = inventory.services[service].canaries
        stated = inventory.policy.canaries if stated is None else stated
        canaries = 1 if stated is None else stated
        if len(hosts) == 1 or not canaries:
            continue
        by_start = sorted(hosts, key=lambda name: reading.start[name])
        first = sorted(reading.finish[name] for name in hosts)[: min(canaries, len(hosts))]
        assert sum(1 for name in hosts if reading.start[name] < first[-1]) <= canaries
        assert sum(1 for name in hosts if name in leaders) >= min(canaries, len(hosts))
        assert by_start[0] in leaders


@FLEETS
@given(cases())
def test_no_plan_is_shorter_than_its_lower_bound(
    case: tuple[Inventory, Observation | None, tuple[str, ...] | None],
) -> None:
    inventory, observation, selection = case
    for barrier in ("fleet", "service"):
        try:
            plan = make_plan(inventory, observation=observation, selection=selection, made_at=AT, barrier=barrier)
        except Refused:
            return
        assert 0 < plan.estimate.lower_bound_s <= plan.estimate.makespan_s + 1e-9
        assert max(move.finish_s for move in plan.moves()) <= plan.estimate.makespan_s


@FLEETS
@given(cases())
def test_waves_follow_each_other_under_the_fleet_barrier(
    case: tuple[Inventory, Observation | None, tuple[str, ...] | None],
) -> None:
    inventory, observation, selection = case
    try:
        plan = make_plan(inventory, observation=observation, selection=selection, made_at=AT, barrier="fleet")
    except Refused:
        return
    assert Reading(plan).starts_in_turn()


@FLEETS
@given(cases())
def test_budgets_and_order_hold_at_every_predicted_instant_under_either_barrier(
    case: tuple[Inventory, Observation | None, tuple[str, ...] | None],
) -> None:
    plan = planned(case)
    if plan is None:
        return
    reading = Reading(plan)
    rings = reading.rings()
    for name, at_s in reading.start.items():
        under_way = {other for other in reading.start if reading.start[other] <= at_s < reading.finish[other]}
        for service in plan.inventory.services.values():
            if name not in service.hosts or reading.verdict(name, service.name) is Verdict.FAIL:
                continue
            down = {
                other
                for other in service.hosts
                if other in under_way
                or (
                    reading.verdict(other, service.name) is not Verdict.PASS
                    and reading.finish.get(other, at_s + 1) > at_s
                )
            }
            assert len(down) <= down_max(service), (name, service.name)
        for each in reading.carried[name]:
            for edge in edges(plan.inventory, each):
                provider = plan.inventory.services[edge.provider]
                members = set(provider.hosts) - {name}
                away = {
                    other
                    for other in members
                    if other in under_way
                    or (
                        reading.verdict(other, provider.name) is not Verdict.PASS
                        and reading.finish.get(other, at_s + 1) > at_s
                    )
                }
                if edge.kind == "requires" and provider.hosts:
                    assert len(provider.hosts) - len(away) >= enough(provider, edge.needs), (name, edge.provider)
                if name in rings:
                    others = [other for other in provider.hosts if other not in rings[name]]
                    done = [other for other in others if other not in rings or reading.finish[other] <= at_s]
                    wanted = len(others) if edge.needs is None else min(edge.needs, len(others))
                    assert len(done) >= wanted, (name, edge.provider)
        for limit in plan.inventory.limits.values():
            if limit.max_domains is not None and limit.per is not None and _healthy(reading, name):
                zones = {plan.inventory.hosts[other].labels.get(limit.per) for other in under_way} - {None}
                if plan.inventory.hosts[name].labels.get(limit.per):
                    assert len(zones) <= limit.max_domains or not all(_healthy(reading, each) for each in under_way)


@FLEETS
@given(cases())
def test_the_document_reads_back_as_the_same_plan(
    case: tuple[Inventory, Observation | None, tuple[str, ...] | None],
) -> None:
    plan = planned(case)
    if plan:
        text = json.dumps(plan_json(plan))
        again = plan_from_json(json.loads(text))
        assert again == plan
        assert json.dumps(plan_json(again)) == text
        assert plan == planned(case)


@FLEETS
@given(cases())
def test_every_host_of_a_later_wave_was_kept_out_of_the_one_before_by_a_rule(
    case: tuple[Inventory, Observation | None, tuple[str, ...] | None],
) -> None:
    plan = planned(case)
    if plan is None:
        return
    for wave in plan.waves[1:]:
        for move in wave.moves[:2]:
            lines = explain(plan, move.host)
            told = lines[lines.index(f"not in wave {wave.number - 1}, because:") + 1 :]
            assert told, (move.host, lines)
            assert move.why


@pytest.mark.parametrize("barrier", ["fleet", "service"])
def test_a_fleet_of_one_host_takes_one_move(barrier: str) -> None:
    from tests.planner.fleets import fleet, host

    plan = make_plan(fleet([host("only")], []), made_at=AT, barrier=barrier)
    assert [[move.host for move in wave.moves] for wave in plan.waves] == [["only"]]
    assert plan.estimate.makespan_s == 190.0 == plan.estimate.lower_bound_s
