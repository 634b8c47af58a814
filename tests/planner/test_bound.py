"""The lower bound against the true optimum, found by trying everything on fleets small enough for it."""

from __future__ import annotations

from itertools import permutations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from restart.errors import Refused
from restart.model.check import Check
from restart.model.inventory import Amount, Dependency, Expect, Inventory, Limit, Service
from restart.planner import make_plan
from tests.planner.fleets import AT, Reading, amounts, down_max, edges, fleet, host, services


@st.composite
def tiny(draw: st.DrawFn) -> Inventory:
    names = [f"h{number}" for number in range(1, draw(st.integers(2, 5)) + 1)]
    hosts = [
        host(
            name,
            labels={"rack": draw(st.sampled_from(["a", "b"]))},
            expect=Expect(boot_s=draw(st.sampled_from([20.0, 50.0, 90.0]))),
        )
        for name in names
    ]
    limits = draw(st.sampled_from([{}, {"fleet": 1}, {"fleet": 2}, {"fleet": 3, "rack": 1}, {"rack": 1}]))
    written = {
        name: Limit(name=name, per="rack" if name == "rack" else None, max_in_flight=cap)
        for name, cap in limits.items()
    }
    drawn = draw(services([f"s{number}" for number in range(draw(st.integers(1, 3)))], names, False))
    return fleet(hosts, drawn, limits=written)


def optimum_s(reading: Reading) -> float:
    """The shortest makespan of all schedules that keep order, budgets and limits in flight.

    For each order of hosts each one starts as early as those before it allow; one of these schedules is always among the best.
    """
    inventory, rings = reading.inventory, reading.rings()
    length = {name: reading.finish[name] - reading.start[name] for name in rings}
    needs: dict[str, list[tuple[int, list[str]]]] = {name: [] for name in rings}
    for name in rings:
        for service in reading.carried[name]:
            for edge in edges(inventory, service):
                others = [other for other in inventory.services[edge.provider].hosts if other not in rings[name]]
                movers = [other for other in others if other in rings]
                wanted = len(others) if edge.needs is None else min(edge.needs, len(others))
                needs[name].append((wanted - (len(others) - len(movers)), movers))
    caps = [(set(each.hosts), down_max(each)) for each in inventory.services.values()]
    for limit in inventory.limits.values():
        assert limit.max_in_flight is not None
        for value in {""} if limit.per is None else {each.labels[limit.per] for each in inventory.hosts.values()}:
            members = {
                name for name, each in inventory.hosts.items() if limit.per is None or each.labels[limit.per] == value
            }
            caps.append((members, limit.max_in_flight))
    for provider in inventory.services.values():
        if provider.admission is not None:
            consumers = {
                name
                for each in inventory.services.values()
                for name in each.hosts
                if any(edge.provider == provider.name for edge in each.depends_on)
            }
            caps.append((consumers, provider.admission))
    best = float("inf")
    for order in permutations(rings):
        end: dict[str, float] = {}
        for name in order:
            earliest = 0.0
            for wanted, movers in needs[name]:
                if wanted > 0:
                    ends = sorted(end[other] for other in movers if other in end)
                    if len(ends) < wanted:
                        break
                    earliest = max(earliest, ends[wanted - 1])
            else:
                end[name] = _fitted(name, earliest, end, length, caps)
                continue
            break
        if len(end) == len(rings):
            best = min(best, max(end.values()))
    return best


def _fitted(
    name: str, earliest: float, end: dict[str, float], length: dict[str, float], caps: list[tuple[set[str], int]]
) -> float:
    """The end of `name`'s move, started as early as the caps allow among those that have their times."""
    for start in sorted({earliest, *(at for at in end.values() if at > earliest)}):
        instants = [
            start,
            *(end[other] - length[other] for other in end if start < end[other] - length[other] < start + length[name]),
        ]
        if all(
            sum(1 for other in end if other in members and end[other] - length[other] <= at < end[other]) < cap
            for members, cap in caps
            if name in members
            for at in instants
        ):
            return start + length[name]
    raise AssertionError("after the last end there is always room")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tiny())
def test_no_schedule_at_all_is_shorter_than_the_lower_bound(inventory: Inventory) -> None:
    try:
        plan = make_plan(inventory, made_at=AT)
    except Refused:
        return
    reading = Reading(plan)
    if not reading.path:
        best = optimum_s(reading)
        assert plan.estimate.lower_bound_s <= best + 1e-6
        assert best <= plan.estimate.makespan_s + 1e-6


def test_the_bound_counts_a_chain_with_the_budgets_inside_it() -> None:
    names = ["db-1", "db-2", "db-3", "app-1", "app-2", "app-3", "app-4"]
    drawn = [
        Service(name="db", hosts=tuple(names[:3]), min_available=Amount(quorum=True)),
        Service(
            name="app",
            hosts=tuple(names[3:]),
            max_unavailable=Amount(number=2),
            depends_on=(Dependency(provider="db"),),
            gate=(Check(kind="tcp"),),
        ),
    ]
    plan = make_plan(fleet([host(name) for name in names], drawn), made_at=AT)
    assert plan.estimate.lower_bound_s == (3 + 2) * 190.0
    assert plan.notes[-1] == "no schedule takes less than 15m50s: set by the chain db -> app"
    assert plan.estimate.critical_path[:3] == ("db-1", "db-2", "db-3")


@given(amounts(), st.integers(1, 9))
def test_the_bound_is_met_where_one_budget_is_all_there_is(amount: Amount, members: int) -> None:
    names = [f"w-{number}" for number in range(members)]
    web = Service(name="web", hosts=tuple(names), max_unavailable=amount, pace="fixed", canaries=0)
    inventory = fleet([host(name) for name in names], [web])
    try:
        plan = make_plan(inventory, made_at=AT)
    except Refused:
        assert down_max(web) <= 0
        return
    rounds = -(-members // down_max(web))
    assert plan.estimate.makespan_s == rounds * 190.0
    assert plan.estimate.makespan_s - 190.0 < plan.estimate.lower_bound_s <= plan.estimate.makespan_s
