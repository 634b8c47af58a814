"""What always holds (design: section 7), on random fleets with random faults, cut and resumed anywhere."""

from __future__ import annotations

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from restart.errors import Refused
from restart.model.inventory import Amount, Dependency, Inventory, Limit, Policy, Service
from restart.model.plan import Plan
from restart.planner import make_plan
from tests.engine.toy import Played, Toy, fleet, play

ROOMY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
FAULTS = ("", "", "", "", "", "never_returns", "ignores", "same_boot_id", "no_privilege")


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    """Up to 5 services of up to 5 hosts, some shared; edges only to earlier services, so no cycle."""
    count = draw(st.integers(1, 5))
    pool = [f"h{number}" for number in range(1, 13)]
    services: list[Service] = []
    for index in range(count):
        size = draw(st.integers(1, 5))
        first = draw(st.integers(0, len(pool) - size))
        edges = []
        for other in services:
            if draw(st.integers(0, 3)) == 0:
                kind = draw(st.sampled_from(["requires", "requires", "after"]))
                needs = draw(st.none() | st.integers(1, len(other.hosts))) if kind == "requires" else None
                edges.append(Dependency(provider=other.name, kind=kind, needs=needs))
        budget = draw(st.sampled_from(["none", "quorum", "number"]))
        services.append(
            Service(
                name=f"s{index}",
                hosts=tuple(pool[first : first + size]),
                depends_on=tuple(edges),
                min_available=Amount(quorum=True) if budget == "quorum" and size > 2 else None,
                max_unavailable=Amount(number=draw(st.integers(1, size))) if budget == "number" else None,
                settle_s=draw(st.sampled_from([0.0, 0.0, 30.0])),
                admission=draw(st.sampled_from([None, None, 1, 2])),
            )
        )
    hosts = dict.fromkeys(host for service in services for host in service.hosts)
    labels = {
        host: {"rack": draw(st.sampled_from(["r1", "r2", "r3"])), "image": draw(st.sampled_from(["v6", "v7"]))}
        for host in hosts
    }
    limits = {}
    if draw(st.booleans()):
        limits["rack"] = Limit(name="rack", per="rack", max_in_flight=draw(st.integers(1, 2)))
    policy = Policy(
        barrier=draw(st.sampled_from(["fleet", "service"])),
        pace=draw(st.sampled_from([None, "fixed"])),
        canaries=draw(st.sampled_from([None, 0])),
        max_failures=draw(st.sampled_from([None, 1, 3])),
        on_failure=draw(st.sampled_from(["halt", "contain"])),
    )
    return fleet(*services, hosts=labels, limits=limits, policy=policy)


def planned(inventory: Inventory) -> Plan | None:
    try:
        return make_plan(inventory, made_at="2026-11-22T00:00:00Z")
    except Refused as refused:
        event(f"refused: {refused.refusals[0].rule.split('.')[0]}")
        return None


def assert_safe(played: Played) -> None:
    assert played.toy.trouble == []
    assert all(host.reboots <= 1 for host in played.toy.hosts.values())


@given(inventories())
@ROOMY
def test_without_faults_every_host_is_restarted_exactly_once(inventory: Inventory) -> None:
    plan = planned(inventory)
    if plan is None:
        return
    played = play(plan, Toy(inventory))
    assert_safe(played)
    assert played.exit_code == 0, played.engine.outcome
    assert set(played.reboots().values()) == {1}


@given(inventories(), st.data())
@ROOMY
def test_whatever_goes_wrong_budgets_order_and_limits_hold_and_the_run_ends_with_a_reason(
    inventory: Inventory, data: st.DataObject
) -> None:
    plan = planned(inventory)
    if plan is None:
        return
    toy = Toy(inventory)
    for host in toy.hosts.values():
        host.fault = data.draw(st.sampled_from(FAULTS))
        host.boot_s = data.draw(st.sampled_from([5.0, 20.0, 200.0]))
        host.warm_s = data.draw(st.sampled_from([0.0, 0.0, 40.0]))
    for name in data.draw(st.lists(st.sampled_from(sorted(toy.hosts)), max_size=2, unique=True)):
        toy.script.append((data.draw(st.sampled_from([10.0, 60.0, 150.0])), lambda toy, name=name: toy.go_down(name)))  # type: ignore[misc]
    toy.script.sort(key=lambda entry: entry[0])
    played = play(plan, toy, events_max=5_000)
    assert_safe(played)
    event(f"exit {played.exit_code}")
    assert played.engine.outcome is not None
    assert played.engine.outcome.why


@given(inventories(), st.data())
@ROOMY
def test_cut_anywhere_and_resumed_every_host_is_restarted_exactly_once(
    inventory: Inventory, data: st.DataObject
) -> None:
    plan = planned(inventory)
    if plan is None:
        return
    whole = play(plan, Toy(inventory), events_max=5_000)
    die_after = data.draw(st.integers(1, len(whole.events)))
    played = play(plan, Toy(inventory), die_after=die_after)
    assert_safe(played)
    assert played.exit_code == 0, (die_after, played.engine.outcome)
    assert set(played.reboots().values()) == {1}
