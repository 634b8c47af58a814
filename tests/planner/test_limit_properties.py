"""Shared servers, rates, capacities and `uses` on random fleets: at no predicted instant is more held than the rule restated here allows."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from restart.errors import Refused
from restart.model.check import Check
from restart.model.inventory import Amount, Expect, Inventory, Limit, Policy, Service, Shared
from restart.model.plan import Plan
from restart.planner import make_plan
from tests.planner.fleets import AT, fleet, host

SHARED = Shared(work_s=40.0, at_once=2, timeout_s=400.0)


@st.composite
def written(draw: st.DrawFn, name: str) -> Limit:
    per = draw(st.sampled_from([None, "rack"]))
    hosts = draw(st.sampled_from([None, None, ("h1", "h2", "h3", "h4")]))
    common = {"name": name, "per": per, "hosts": hosts}
    held = draw(st.sampled_from([{}, {"held_until": "booted"}, {"held_s": 30.0}, {"held_from": "booted"}]))
    match draw(st.sampled_from(["in_flight", "shared", "rate", "capacity"])):
        case "in_flight":
            return Limit(max_in_flight=draw(st.integers(2, 4)), **common, **held)
        case "shared":
            return Limit(shared=SHARED, max_in_flight=draw(st.sampled_from([None, 1, 4])), **common, **held)
        case "rate":
            return Limit(max_rate=draw(st.integers(1, 3)), max_rate_per_s=60.0, **common)
    starting_for_s = draw(st.sampled_from([None, 25.0]))
    return Limit(
        capacity=draw(st.integers(30, 60)) / 1.0, starting=6.0, starting_for_s=starting_for_s, running=2.5, **common
    )


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    limits = {name: draw(written(name)) for name in ("one", "two")}
    hosts = []
    for number in range(1, draw(st.integers(2, 9)) + 1):
        uses = draw(st.sampled_from([{}, {}, {"one": 1.5}, {"two": 2.0}, {"one": 0.0}]))
        expect = Expect(boot_s=draw(st.sampled_from([20.0, 50.0])), warm_s=draw(st.sampled_from([0.0, 45.0])))
        rack = draw(st.sampled_from([{}, {"rack": "a"}, {"rack": "b"}]))
        hosts.append(host(f"h{number}", labels=rack, uses=uses, expect=expect))
    names = tuple(each.name for each in hosts)
    web = Service(
        name="web",
        hosts=names,
        max_unavailable=Amount(number=len(names)),
        ready=(Check(kind="tcp", healthy_for_s=5.0),),
    )
    policy = Policy(pace=draw(st.sampled_from(["fixed", "slow"])), canaries=draw(st.integers(0, 1)))
    return fleet(hosts, [web], limits=limits, policy=policy)


def spans(
    plan: Plan, limit: Limit, host_name: str, start: float, finish: float
) -> Iterator[tuple[str, float, float, float, float]]:
    """What a move takes of the limit: which cap, how much, from, until, and the cap; restated from the design's text."""
    each = plan.inventory.hosts[host_name]
    booted = start + each.expect.boot_s  # type: ignore[union-attr, operator]
    uses = each.uses.get(limit.name)
    since = booted if limit.held_from == "booted" else start
    until = booted if limit.held_until == "booted" and limit.held_from == "start" else finish
    if limit.held_s is not None:
        until = since + limit.held_s
    if limit.shared is not None:
        most = min(limit.shared.at_once, limit.max_in_flight or limit.shared.at_once)
        ends = since + (limit.held_s if limit.held_s is not None else limit.shared.work_s)
        yield "shared", 1 if uses is None else uses, since, ends, most
    elif limit.max_in_flight is not None:
        yield "in flight", 1 if uses is None else uses, since, until, limit.max_in_flight
    if limit.max_rate is not None and limit.max_rate_per_s is not None:
        yield "rate", 1, start, start + limit.max_rate_per_s, limit.max_rate
    if limit.capacity is not None and limit.running is not None and limit.starting is not None:
        more = (limit.starting if uses is None else uses) - limit.running
        ends = finish if limit.starting_for_s is None else booted + limit.starting_for_s
        yield "capacity", max(0.0, more), start, ends, limit.capacity * 0.95


def baseline(inventory: Inventory, limit: Limit, value: str) -> float:
    under = [name for name, each in inventory.hosts.items() if place(limit, each.labels, name) == value]
    return (limit.running or 0.0) * len(under) if limit.capacity is not None else 0.0


def place(limit: Limit, labels: dict[str, str], name: str) -> str | None:  # type: ignore[type-arg]
    if limit.hosts is not None and name not in limit.hosts:
        return None
    return "" if limit.per is None else labels.get(limit.per)


@given(inventories(), st.sampled_from(["fleet", "service"]))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_limit_of_any_kind_is_exceeded_at_any_predicted_instant(inventory: Inventory, barrier: str) -> None:
    try:
        plan = make_plan(inventory, made_at=AT, barrier=barrier)
    except Refused:
        reject()
    assert plan.estimate.lower_bound_s <= plan.estimate.makespan_s
    moves = [(move.host, move.start_s, move.finish_s) for move in plan.moves()]
    for limit in inventory.limits.values():
        taken: dict[tuple[str, str], list[tuple[float, float, float, float]]] = {}
        for name, start, finish in moves:
            value = place(limit, dict(inventory.hosts[name].labels), name)
            for what, amount, since, until, cap in spans(plan, limit, name, start, finish) if value is not None else ():
                taken.setdefault((what, value or ""), []).append((since, until, amount, cap))
        for (what, value), holds in taken.items():
            for since, *_ in holds:
                held = sum(amount for begins, ends, amount, _ in holds if begins <= since < ends)
                anyway = baseline(inventory, limit, value) if what == "capacity" else 0.0
                assert anyway + held <= holds[0][3] + 1e-6, (limit.name, what, value, since)
