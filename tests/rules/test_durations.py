"""Durations as the inventory writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restart.rules.durations import seconds, spoken


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [
        ("500ms", 0.5),
        ("1.5s", 1.5),
        ("30s", 30.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("2d", 172800.0),
        ("0s", 0.0),
        ("1m500ms", 60.5),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, expected_s: float) -> None:
    assert seconds(text) == expected_s


@pytest.mark.parametrize(
    "text", ["", "30", "1.5", "-5s", "5 m", "5M", "s", "1h 30m", "1.s", "fast", "5ms5", "٣s", "30s\n"]
)
def test_anything_else_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(ValueError, match="write 500ms, 30s, 5m or 1h30m"):
        seconds(text)


@pytest.mark.parametrize(
    ("duration_s", "expected"),
    [
        (0.0, "0s"),
        (0.85, "850ms"),
        (1.5, "1.5s"),
        (40.0, "40s"),
        (60.0, "1m"),
        (150.0, "2m30s"),
        (3900.0, "1h05m"),
        (86400.0, "24h00m"),
        (-5.0, "-5s"),
    ],
)
def test_people_hear_a_duration_in_two_units_at_most(duration_s: float, expected: str) -> None:
    assert spoken(duration_s) == expected


@given(st.integers(1, 3599))
def test_what_is_spoken_below_an_hour_can_be_read_back(duration_s: int) -> None:
    assert seconds(spoken(duration_s)) == duration_s
