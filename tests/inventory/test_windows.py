"""Maintenance windows: what may be written, and what it means in UTC when clocks go forward and back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restart.inventory.windows import AHEAD_DAYS, spans
from restart.model.inventory import Policy, Window
from restart.rules.instants import instant_s, instant_text
from tests.inventory.reading import SMALL, inventory_of, told


def resolved(now: str, *windows: Window, blackouts: tuple[Window, ...] = ()) -> list[tuple[str, str]]:
    found = spans(Policy(windows=windows, blackouts=blackouts), now)
    return [(span.opens, span.closes) for span in found]


@pytest.mark.parametrize(
    ("zone", "day", "opens", "closes", "in_utc"),
    [
        # Clocks go back at 01:00 UTC: the night is an hour longer. They go forward: an hour shorter.
        ("Europe/Berlin", "2026-10-24", "23:00", "05:00", ("2026-10-24T21:00:00Z", "2026-10-25T04:00:00Z")),
        ("Europe/Berlin", "2027-03-27", "23:00", "05:00", ("2027-03-27T22:00:00Z", "2027-03-28T03:00:00Z")),
        # 02:30 comes twice: a window opens at the second, and closes at the first.
        ("Europe/Berlin", "2026-10-25", "02:30", "05:00", ("2026-10-25T01:30:00Z", "2026-10-25T04:00:00Z")),
        ("Europe/Berlin", "2026-10-25", "01:00", "02:30", ("2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z")),
        ("Europe/Berlin", "2026-10-25", "02:15", "02:45", ("2026-10-25T01:15:00Z", "2026-10-25T01:45:00Z")),
        # 02:30 does not come at all: the instant of the change stands for it.
        ("Europe/Berlin", "2027-03-28", "02:30", "05:00", ("2027-03-28T01:00:00Z", "2027-03-28T03:00:00Z")),
        ("Europe/Berlin", "2027-03-28", "01:00", "02:30", ("2027-03-28T00:00:00Z", "2027-03-28T01:00:00Z")),
        ("America/New_York", "2026-11-01", "00:30", "03:00", ("2026-11-01T04:30:00Z", "2026-11-01T08:00:00Z")),
        ("America/New_York", "2026-11-01", "01:30", "03:00", ("2026-11-01T06:30:00Z", "2026-11-01T08:00:00Z")),
        ("America/New_York", "2027-03-14", "02:30", "04:00", ("2027-03-14T07:00:00Z", "2027-03-14T08:00:00Z")),
        # Lord Howe's clocks change by half an hour.
        ("Australia/Lord_Howe", "2027-04-04", "01:45", "04:00", ("2027-04-03T15:15:00Z", "2027-04-03T17:30:00Z")),
        ("Australia/Lord_Howe", "2026-10-04", "02:15", "04:00", ("2026-10-03T15:30:00Z", "2026-10-03T17:00:00Z")),
        ("Asia/Kolkata", "2026-10-25", "02:30", "05:00", ("2026-10-24T21:00:00Z", "2026-10-24T23:30:00Z")),
        ("UTC", "2026-10-25", "02:30", "05:00", ("2026-10-25T02:30:00Z", "2026-10-25T05:00:00Z")),
    ],
)
def test_a_window_keeps_the_clocks_of_its_zone(
    zone: str, day: str, opens: str, closes: str, in_utc: tuple[str, str]
) -> None:
    weekday = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[datetime.fromisoformat(day).weekday()]
    again = Window(opens=opens, closes=closes, zone=zone, days=(weekday,))
    before = instant_text(instant_s(in_utc[0]) - 3600.0)
    assert resolved(before, again)[0] == in_utc
    if opens < closes:
        once = Window(opens=f"{day}T{opens}", closes=f"{day}T{closes}", zone=zone)
        assert resolved(before, once) == [in_utc]


def test_a_window_inside_the_hour_that_is_left_out_does_not_come_that_night() -> None:
    daily = Window(opens="02:15", closes="02:45", zone="Europe/Berlin")
    assert [opens[:10] for opens, _ in resolved("2027-03-26T12:00:00Z", daily)][:3] == [
        "2027-03-27",
        "2027-03-29",
        "2027-03-30",
    ]


def test_the_days_are_those_on_which_it_opens() -> None:
    weekend = Window(opens="23:00", closes="05:00", zone="Europe/Berlin", days=("sat", "sun"))
    now = "2026-11-22T23:30:00Z"  # a Sunday's window, in the small hours of Monday
    assert resolved(now, weekend)[:2] == [
        ("2026-11-22T22:00:00Z", "2026-11-23T04:00:00Z"),
        ("2026-11-28T22:00:00Z", "2026-11-29T04:00:00Z"),
    ]


def test_what_has_passed_is_left_out_and_what_comes_once_is_kept_however_far_it_is() -> None:
    once = Window(opens="2027-06-01T22:00", closes="2027-06-02T04:00", zone="UTC")
    past = Window(opens="2026-06-01T22:00", closes="2026-06-02T04:00", zone="UTC")
    assert resolved("2026-11-22T12:00:00Z", once, past) == [("2027-06-01T22:00:00Z", "2027-06-02T04:00:00Z")]
    daily = Window(opens="22:00", closes="23:00", zone="UTC")
    assert len(resolved("2026-11-22T12:00:00Z", daily)) == AHEAD_DAYS


def test_a_blackout_is_cut_out_and_windows_that_touch_are_one() -> None:
    nights = (Window(opens="22:00", closes="00:00", zone="UTC"), Window(opens="00:00", closes="04:00", zone="UTC"))
    backup = Window(opens="01:00", closes="02:00", zone="UTC")
    holiday = Window(opens="2026-11-23T12:00", closes="2026-11-25T12:00", zone="UTC")
    assert resolved("2026-11-22T12:00:00Z", *nights, blackouts=(backup, holiday))[:4] == [
        ("2026-11-22T22:00:00Z", "2026-11-23T01:00:00Z"),
        ("2026-11-23T02:00:00Z", "2026-11-23T04:00:00Z"),
        ("2026-11-25T22:00:00Z", "2026-11-26T01:00:00Z"),
        ("2026-11-26T02:00:00Z", "2026-11-26T04:00:00Z"),
    ]


@pytest.mark.parametrize(
    ("opens", "closes", "in_utc"),
    [
        # Clocks go back at 01:00 UTC, and 02:00 to 03:00 comes twice: nobody knows which is meant, so both are shut.
        ("02:30", "05:00", ("2026-10-25T00:30:00Z", "2026-10-25T04:00:00Z")),
        ("01:00", "02:30", ("2026-10-24T23:00:00Z", "2026-10-25T01:30:00Z")),
        ("02:15", "02:45", ("2026-10-25T00:15:00Z", "2026-10-25T01:45:00Z")),
    ],
)
@pytest.mark.parametrize("date", ["", "2026-10-25T"])
def test_a_blackout_that_comes_twice_as_the_clocks_go_back_is_shut_from_the_first_to_the_last(
    opens: str, closes: str, in_utc: tuple[str, str], date: str
) -> None:
    night = Window(opens="2026-10-24T20:00", closes="2026-10-25T08:00", zone="UTC")
    shut = Window(opens=f"{date}{opens}", closes=f"{date}{closes}", zone="Europe/Berlin")
    found = resolved("2026-10-24T12:00:00Z", night, blackouts=(shut,))
    assert found == [("2026-10-24T20:00:00Z", in_utc[0]), (in_utc[1], "2026-10-25T08:00:00Z")]


def test_without_windows_every_time_is_open_but_the_blackouts() -> None:
    holiday = Window(opens="2026-11-24T00:00", closes="2026-11-27T00:00", zone="UTC")
    backup = Window(opens="01:00", closes="02:00", zone="UTC", days=("sun",))
    found = resolved("2026-11-22T12:34:56Z", blackouts=(holiday, backup))
    assert found[:2] == [
        ("2026-11-22T02:00:00Z", "2026-11-24T00:00:00Z"),
        ("2026-11-27T00:00:00Z", "2026-11-29T01:00:00Z"),
    ]
    assert found[-1][1] == "2026-12-07T00:00:00Z"
    assert found == resolved("2026-11-22T20:00:00Z", blackouts=(holiday, backup)), "plans of one day are the same"


def test_a_blackout_that_comes_again_is_cut_out_of_a_window_however_far_it_is() -> None:
    backup = Window(opens="01:00", closes="02:00", zone="UTC")
    once = Window(opens="2027-06-01T22:00", closes="2027-06-02T04:00", zone="UTC")
    assert resolved("2026-11-22T12:00:00Z", once, blackouts=(backup,)) == [
        ("2027-06-01T22:00:00Z", "2027-06-02T01:00:00Z"),
        ("2027-06-02T02:00:00Z", "2027-06-02T04:00:00Z"),
    ]
    last = Window(opens="11:00", closes="06:00", zone="UTC")
    assert resolved("2026-11-22T12:00:00Z", last, blackouts=(backup,))[-1] == (
        "2026-12-07T02:00:00Z",
        "2026-12-07T06:00:00Z",
    ), "the last window reaches into a day more than is looked ahead"
    years = Window(opens="2026-11-22T00:00", closes="9999-12-31T00:00", zone="UTC")
    assert len(resolved("2026-11-22T12:00:00Z", years, blackouts=(backup,))) == AHEAD_DAYS + 2


@pytest.mark.parametrize(
    ("window", "says"),
    [
        ('{from: "23:00", to: "05:00"}', "fleet.yml:10:13: policy.windows[0]: zone missing"),
        ('{from: "25:00", to: "05:00", zone: UTC}', "a time such as 23:00, or with its date 2026-11-22T23:00 expected"),
        (
            '{from: "23:00", to: "05:00", zone: Europe/Berln}',
            "10:48: policy.windows[0].zone: Europe/Berln is not a time",
        ),
        ('{from: "23:00", to: "05:00", zone: Europe/Berln}', "did you mean Europe/Berlin?"),
        ('{from: "23:00", to: "05:00", zone: ../../etc/passwd}', "is not a time zone"),
        ('{from: "23:00", to: "05:00", zone: Europe}', "is not a time zone"),
        ('{from: "23:00", to: 2026-11-22T23:00, zone: UTC}', "of different kinds"),
        ('{from: "23:00", to: "23:00", zone: UTC}', "it closes when it opens"),
        ("{from: 2026-11-22T23:00, to: 2026-11-22T22:00, zone: UTC}", "it closes before it opens"),
        ("{from: 2026-02-30T23:00, to: 2026-03-01T22:00, zone: UTC}", "2026-02-30T23:00 is no day of the calendar"),
        ("{from: 2026-11-22T23:00, to: 2026-11-23T22:00, zone: UTC, days: sat}", "days mean nothing beside a date"),
        (
            '{from: "23:00", to: "05:00", zone: UTC, days: [saturday]}',
            "10:60: policy.windows[0].days[0]: mon, tue, wed, thu, fri, sat or sun expected",
        ),
    ],
)
def test_what_cannot_be_a_window_is_told_with_its_place(tmp_path: Path, window: str, says: str) -> None:
    text = f"{SMALL}policy:\n  windows: [{window}]\n"
    problems = " ".join(str(problem) for problem in told(tmp_path, text))
    assert says in problems


def test_a_time_of_day_is_read_as_text_without_quotes_too(tmp_path: Path) -> None:
    text = f"{SMALL}policy:\n  windows: [{{from: 23:00, to: 5:00, zone: UTC}}]\n"
    assert "policy.windows[0].to" in " ".join(str(problem) for problem in told(tmp_path, text))
    found = inventory_of(tmp_path, text.replace("5:00", "05:00"))
    assert found.policy.windows == (Window(opens="23:00", closes="05:00", zone="UTC"),)


@given(st.integers(min_value=0, max_value=4_102_444_800))
def test_instants_are_written_as_the_standard_library_writes_them(at_s: int) -> None:
    text = datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert instant_text(at_s) == text
    assert instant_s(text) == at_s
