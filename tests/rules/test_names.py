"""Ranges and selections (design: rule 14)."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restart.model.inventory import Host
from restart.rules.names import EXPANSION_MAX, Names, expand, select, terms


def fleet(*names: str, **labels: str) -> Mapping[str, Host]:
    return {name: Host(name=name, address=name, labels=labels) for name in names}


HOSTS = {
    **fleet("db-1", "db-2", "db-3", rack="r1"),
    **fleet("app-01", "app-02", "app-10", rack="r2"),
    **fleet("lb"),
}
SERVICES = {"postgres": ("db-1", "db-2", "db-3"), "chat": ("app-01", "app-02", "app-10")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("db", ("db",)),
        ("db-[1-3]", ("db-1", "db-2", "db-3")),
        ("app-[08-10]", ("app-08", "app-09", "app-10")),
        ("app-[8-10]", ("app-8", "app-9", "app-10")),
        ("r[1-2]u[11-12]", ("r1u11", "r2u12")),
        ("[7-7]", ("7",)),
        ("a[1-2]b[3-4]c", ("a1b3c", "a2b4c")),
        ("[::1]", ("[::1]",)),
        ("x[a-b]", ("x[a-b]",)),
    ],
)
def test_a_range_stands_for_its_numbers_with_their_padding(text: str, expected: tuple[str, ...]) -> None:
    assert expand(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a[3-1]", "backwards"),
        ("a[1-2]b[1-3]", "2 and 3 values; they run in step"),
        (f"a[1-{EXPANSION_MAX + 1}]", "longer than"),
        ("a[1-999999999999999999999999]", "longer than"),
        ("[1-100000]" * 3, "longer than"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused_before_it_costs_memory(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        expand(text)


@given(st.integers(0, 500), st.integers(0, 300), st.integers(1, 6))
def test_every_expanded_name_has_its_number_and_at_least_the_padding(first: int, more: int, width: int) -> None:
    low = str(first).zfill(width)
    found = expand(f"h[{low}-{first + more}]")
    assert [int(name[1:]) for name in found] == list(range(first, first + more + 1))
    if low.startswith("0"):
        assert all(len(name) > width for name in found)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("db-1", ("db-1",)),
        ("db-*", ("db-1", "db-2", "db-3")),
        ("app-0?", ("app-01", "app-02")),
        ("*-1*", ("db-1", "app-10")),
        ("app-[01-02]", ("app-01", "app-02")),
        ("lb, db-1", ("db-1", "lb")),
        (["lb", "db-1"], ("db-1", "lb")),
        ("!db-*", ("app-01", "app-02", "app-10", "lb")),
        ("db-*,!db-2", ("db-1", "db-3")),
        ("service:postgres", ("db-1", "db-2", "db-3")),
        ("service:*,!service:chat", ("db-1", "db-2", "db-3")),
        ("label:rack=r2", ("app-01", "app-02", "app-10")),
        ("label:rack=r*,!app-[01-02]", ("db-1", "db-2", "db-3", "app-10")),
    ],
)
def test_a_selection_names_hosts_in_inventory_order(expression: str | list[str], expected: tuple[str, ...]) -> None:
    assert select(expression, HOSTS, SERVICES) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "",
        " , ",
        "nope",
        "nope-*",
        "db-[1-4]",
        "service:x",
        "label:rack=r9",
        "label:zone=*",
        "db-1,!db-*",
        "!*",
        "db-[a]",
    ],
)
def test_a_selection_that_matches_nothing_is_an_error(expression: str) -> None:
    with pytest.raises(ValueError):
        select(expression, HOSTS, SERVICES)


def test_only_star_and_question_mark_are_globs() -> None:
    hosts = fleet("a.b", "axb", "a[x]")
    assert select("a.b", hosts, {}) == ("a.b",)
    assert select("a.*", hosts, {}) == ("a.b",)
    with pytest.raises(ValueError):
        select("a[.x]b", hosts, {})


def test_a_glob_of_many_stars_takes_no_time_on_a_name_that_almost_matches() -> None:
    hosts = fleet("a" * 200)
    before = time.process_time()
    with pytest.raises(ValueError):
        select("*a" * 60 + "*b", hosts, {})
    assert time.process_time() - before < 5


def test_one_index_serves_many_selections() -> None:
    names = Names(HOSTS)
    assert select("db-*", names, {}) == select("db-*", HOSTS, {})
    assert names.in_order(["lb", "db-1", "lb"]) == ("db-1", "lb")


def test_terms_are_trimmed_and_empty_ones_left_out() -> None:
    assert terms(["a, b", ",c "]) == ["a", "b", "c"]
