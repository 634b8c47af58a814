"""Rings of services that require each other (design: rule 18)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restart.rules.rings import rings


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ({}, ()),
        ({"a": ["b"], "b": []}, ()),
        ({"a": ["a"]}, (("a",),)),
        ({"a": ["b"], "b": ["a"]}, (("a", "b"),)),
        ({"d": ["h"], "h": ["n"], "n": ["l"], "l": ["d"], "v": ["d"]}, (("d", "h", "n", "l"),)),
        ({"a": ["b"], "b": ["c"], "c": ["a", "b"]}, (("b", "c"),)),
        ({"a": ["b"], "b": ["a"], "x": ["a", "y"], "y": ["x"]}, (("a", "b"), ("x", "y"))),
        ({"a": ["gone"]}, ()),
    ],
)
def test_each_cyclic_group_is_told_once_by_a_shortest_ring(
    edges: dict[str, list[str]], expected: tuple[tuple[str, ...], ...]
) -> None:
    assert rings(edges) == expected


GRAPHS = st.dictionaries(
    st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefgh"), max_size=4), max_size=8
).map(lambda graph: {name: [other for other in others if other in graph] for name, others in graph.items()})


@given(GRAPHS)
def test_a_ring_is_a_ring_and_none_is_missed(edges: dict[str, list[str]]) -> None:
    found = rings(edges)
    for ring in found:
        for name, other in zip(ring, (*ring[1:], ring[0]), strict=True):
            assert other in edges[name]
    covered = {name for ring in found for name in ring}
    left = {
        name: [other for other in others if other not in covered]
        for name, others in edges.items()
        if name not in covered
    }
    if found:
        assert len(rings(left)) <= len(edges)
    else:
        done: set[str] = set()
        while ready := [name for name, others in edges.items() if name not in done and set(others) <= done]:
            done.update(ready)
        assert done == set(edges)


def test_a_ring_of_thousands_of_services_is_found_in_time() -> None:
    size = 5000
    edges = {f"s{index}": [f"s{(index + 1) % size}"] for index in range(size)}
    (ring,) = rings(edges)
    assert len(ring) == size
    assert ring[0] == "s0"
