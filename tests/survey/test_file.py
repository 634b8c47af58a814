"""Observations as files: what is planned on is what was seen, of this fleet, and fresh."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from restart.errors import Drift, Refused, UsageMistake
from restart.model.check import Verdict
from restart.model.observation import HostSeen, Observation
from restart.survey import file
from restart.survey.sort import moment
from tests.survey.fakes import fleet

SEEN = Observation(
    at="2026-11-22T00:10:00Z",
    fleet="lab",
    since="2026-11-21T23:41:00Z",
    hosts={"web-0": HostSeen(ready={"web": Verdict.FAIL}, state="unhealthy", why="é", failed_units=("a.service",))},
)


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    place = tmp_path / "new" / "seen.json"
    file.save(place, SEEN)
    assert file.load(place) == SEEN
    assert place.stat().st_mode & 0o777 == 0o600
    assert list(place.parent.iterdir()) == [place]


def test_an_observation_that_was_edited_is_drift(tmp_path: Path) -> None:
    place = tmp_path / "seen.json"
    document = file.observation_json(SEEN)
    document["hosts"]["web-0"]["state"] = "returned"
    place.write_text(json.dumps(document))
    with pytest.raises(Drift, match="was changed after"):
        file.load(place)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 1}',
        '{"kind": "observation", "version": 2}',
        '{"kind": "observation", "version": 1}',
        "[" * 99_999,
    ],
)
def test_what_is_no_observation_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    place = tmp_path / "seen.json"
    place.write_text(text)
    with pytest.raises(UsageMistake):
        file.load(place)


def test_the_json_of_the_command_can_be_planned_on(tmp_path: Path) -> None:
    place = tmp_path / "seen.json"
    place.write_text(json.dumps({**file.observation_json(SEEN), "summary": {"took_s": 1.0}}))
    assert file.load(place) == SEEN


def test_one_older_than_five_minutes_is_not_planned_on() -> None:
    at = moment(SEEN.at)
    file.must_fit(SEEN, fleet(1), at + 300)
    with pytest.raises(Drift, match=r"at most 5m may be planned on.*look again"):
        file.must_fit(SEEN, fleet(1), at + 301)
    with pytest.raises(Drift, match="ahead of this clock"):
        file.must_fit(SEEN, fleet(1), at - 61)


def test_one_of_another_fleet_is_refused() -> None:
    other = Observation(at=SEEN.at, hosts={}, fleet="shop")
    with pytest.raises(Refused, match="of fleet shop, the inventory of lab"):
        file.must_fit(other, fleet(1), moment(SEEN.at))


def test_one_with_hosts_that_the_inventory_lacks_is_refused() -> None:
    other = Observation(at=SEEN.at, hosts={"web-9": HostSeen()}, fleet="lab")
    with pytest.raises(Refused, match="web-9, which the inventory does not have"):
        file.must_fit(other, fleet(1), moment(SEEN.at))


def test_the_newest_of_a_fleet_stays_in_its_folder() -> None:
    assert file.newest(Path("/s"), "../../etc/x") == Path("/s/observations/.._.._etc_x.json")
