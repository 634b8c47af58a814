from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from restart.model.inventory import Break, Dependency, Service
from restart.planner.graph import Order, groups
from tests.planner.fleets import fleet, host


@st.composite
def graphs(draw: st.DrawFn) -> list[list[int]]:
    total = draw(st.integers(1, 9))
    return [draw(st.lists(st.integers(0, total - 1), max_size=4)) for _ in range(total)]


def reach(graph: list[list[int]], start: int) -> set[int]:
    seen, line = {start}, [start]
    while line:
        for follower in graph[line.pop()]:
            if follower not in seen:
                seen.add(follower)
                line.append(follower)
    return seen


@given(graphs())
def test_a_group_holds_those_that_lead_to_each_other_and_nobody_else(graph: list[list[int]]) -> None:
    found = groups(graph)
    assert sorted(vertex for group in found for vertex in group) == list(range(len(graph)))
    for group in found:
        for vertex in group:
            mutual = [
                other for other in range(len(graph)) if other in reach(graph, vertex) and vertex in reach(graph, other)
            ]
            assert mutual == group


@given(graphs())
def test_a_group_comes_after_all_that_it_leads_to(graph: list[list[int]]) -> None:
    place = {vertex: number for number, group in enumerate(groups(graph)) for vertex in group}
    assert all(place[follower] <= place[vertex] for vertex, followers in enumerate(graph) for follower in followers)


def test_a_chain_longer_than_pythons_stack_is_no_trouble() -> None:
    assert len(groups([[number + 1] for number in range(50_000)] + [[]])) == 50_001


def order(**edges: tuple[Dependency, ...]) -> Order:
    return Order(
        fleet([host("h")], [Service(name=name, hosts=("h",), depends_on=deps) for name, deps in edges.items()])
    )


def test_each_cyclic_group_is_told_once_with_a_shortest_path() -> None:
    found = order(
        a=(Dependency(provider="b"),),
        b=(Dependency(provider="c"),),
        c=(Dependency(provider="a"), Dependency(provider="b")),
        x=(Dependency(provider="y"),),
        y=(Dependency(provider="x"),),
        z=(Dependency(provider="a"),),
    )
    assert [set(cycle) for cycle in found.cycles] == [{"b", "c"}, {"x", "y"}]


def test_an_after_edge_that_closes_a_circle_yields_to_requires() -> None:
    found = order(a=(Dependency(provider="b"),), b=(Dependency(provider="a", kind="after"),))
    assert not found.cycles
    assert found.dropped == [("b", "a")]
    assert found.upward == ("b", "a")


def test_boot_edges_and_broken_edges_are_not_looked_at() -> None:
    broken = Dependency(provider="b", stand_in=Break(with_run="true", undo="true"))
    found = order(a=(broken, Dependency(provider="c", at="boot")), b=(Dependency(provider="a"),), c=())
    assert not found.cycles
    assert found.edges["a"] == ()
