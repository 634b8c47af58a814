"""Everything at once, for real, on a small site: it must break as announced."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from restart.demo import demo
from restart.demo.layout import Shape
from tests.demo.conftest import FAST


def test_everything_at_once_breaks_and_the_second_kick_drowns_the_database(tmp_path: Path) -> None:
    said: list[str] = []
    with demo.start(tmp_path, shape=Shape(db=1, queue=1, cache=1, app=3, lb=1), physics=FAST) as fleet:
        result = demo.naive(fleet, said.append, watch_s=0.2)
    first, kicked, last = result.looks
    assert first.failed == ("app-1", "app-2", "app-3")
    assert kicked.collapsed
    assert not last.works
    assert result.broke
    assert (result.collapses, result.sessions, result.sessions_cut >= 750) == (1, 750, True)
    assert result.demand_peak == 3 * 2500 * 2 > result.cap
    assert result.outage_s["app"] > result.outage_s["queue"] > 0
    text = "\n".join(result.lines())
    assert "app-1 to app-3  3  failed to start" in text
    assert "gave up after 0.3 s on db: 0 of 1 serve, 1 needed" in text
    assert text.endswith("It broke, as announced.")
    assert said[0] == "7 hosts, 750 sessions online; rebooting every one of them at once"


def test_a_site_that_bears_it_is_not_said_to_have_broken(tmp_path: Path) -> None:
    patient = replace(FAST, crash_recovery_s=0.1, dep_timeout_s=5.0, cap=10_000.0)
    with demo.start(tmp_path, shape=Shape(db=1, queue=1, cache=1, app=2, lb=1), physics=patient) as fleet:
        result = demo.naive(fleet, watch_s=0.1)
    assert not result.broke
    assert [look.works for look in result.looks] == [True]
    assert result.lines()[-1].startswith("It did not break")
