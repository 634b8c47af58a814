"""The whole demo: the tool itself on the fleet. The planned run is quick to see; the real one takes half a minute."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from restart.demo import demo
from restart.demo.layout import Shape
from restart.planner import make_plan
from tests.demo.conftest import described


def tool(*arguments: str, parent: Path) -> subprocess.Popen[str]:
    """The command line, with its temporary folders under `parent`."""
    return subprocess.Popen(
        [sys.executable, "-m", "restart", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(parent)},
    )


def test_the_plan_of_the_demo_shows_what_the_tool_does(tmp_path: Path) -> None:
    plan = make_plan(described(tmp_path, Shape()), made_at="2026-11-22T00:00:00Z")
    waves = [sorted({move.services[0] for move in wave.moves}) for wave in plan.waves]
    assert waves == [["cache", "db", "queue"]] * 3 + [["app"]] * 3 + [["lb"]] * 2
    assert [move.host for move in plan.moves() if move.canary] == ["db-1", "queue-1", "cache-1", "app-1", "lb-1"]
    assert all(impact.outage_s == 0 for impact in plan.impact)
    assert plan.estimate.makespan_s < 45


@pytest.mark.e2e
def test_a_staged_run_of_the_chat_site_is_felt_by_nobody(tmp_path: Path) -> None:
    with demo.start(tmp_path) as fleet:
        store, inventory = str(fleet.folder / "store.db"), str(fleet.inventory_path)
        with tool("--store", store, "run", inventory, "--reason", "test", "--yes-hosts", "20", parent=tmp_path) as run:
            text = run.communicate()[0]
        assert run.returncode == 0, text
        assert set(demo.boots(fleet).values()) == {1}
        assert demo.toll(fleet).startswith("0 of 2250 sessions cut, 2250 online now; chat was never out of service")


@pytest.mark.e2e
def test_the_demo_by_itself_ends_well_and_leaves_nothing(tmp_path: Path) -> None:
    with tool("demo", parent=tmp_path) as run:
        text = run.communicate()[0]
    assert run.returncode == 0, text
    assert "20 of 20 rebooted exactly once" in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.e2e
def test_the_naive_demo_breaks_as_announced_and_that_is_a_success(tmp_path: Path) -> None:
    with tool("demo", "--naive", parent=tmp_path) as run:
        text = run.communicate()[0]
    assert run.returncode == 0, text
    assert "It broke, as announced." in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.e2e
def test_ctrl_c_in_the_middle_of_the_demo_leaves_nothing(tmp_path: Path) -> None:
    with tool("demo", parent=tmp_path) as run:
        assert run.stdout is not None
        seen = next(line for line in run.stdout if ": rebooting" in line)
        run.send_signal(signal.SIGINT)
        text = seen + run.communicate()[0]
    assert run.returncode == 6, text
    assert list(tmp_path.iterdir()) == []
