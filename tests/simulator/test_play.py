"""A plan played by the production engine: seeded, the same each time, through crashes too."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from restart.inventory import read
from restart.model.inventory import Inventory
from restart.model.plan import Plan
from restart.planner import make_plan
from restart.simulator.faults import Fault
from restart.simulator.physics.figures import HostFigures, Physics
from restart.simulator.play import play
from tests.inventory.reading import GATES, ROOT

EXAMPLE = ROOT / "inventories" / "zones.yml"

PRINT_ROWS = """
import json, sys
from restart.simulator.play import play
from restart.simulator.drawn import drawn_faults
from tests.simulator.test_play import GATES, inventory, physics, plan
result = play(plan(), physics(), 7, gates=GATES, faults=drawn_faults(inventory(), 7, passing=True))
sys.stdout.write("\\n".join(json.dumps(row) for row in result.rows))
"""


def inventory() -> Inventory:
    return read([EXAMPLE], GATES)


def plan() -> Plan:
    return make_plan(inventory(), made_at="")


def physics() -> Physics:
    hosts = {name: HostFigures(boot_s=60.0, spread=0.3) for name in inventory().hosts}
    return Physics(hosts=hosts, latency_s=0.05, strikes_after_s=1.0)


def test_a_run_without_faults_restarts_every_host_once() -> None:
    result = play(plan(), physics(), 1, gates=GATES)
    assert result.outcome is not None
    assert result.outcome.exit_code == 0
    assert set(result.restarts.values()) == {1}
    assert set(result.restarts) == {move.host for move in plan().moves()}
    assert result.score.reached
    assert result.score.under_floor_s == 0.0


def test_another_seed_is_another_run() -> None:
    first, second = (play(plan(), physics(), seed, gates=GATES) for seed in (1, 2))
    assert first.duration_s != second.duration_s


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_same_seed_gives_the_same_journal_byte_for_byte_under_any_hash_seed(hash_seed: str) -> None:
    def rows(seed: str) -> bytes:
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        run = subprocess.run(
            [sys.executable, "-c", PRINT_ROWS], env=environment, cwd=ROOT, capture_output=True, check=True
        )
        return run.stdout

    assert rows(hash_seed) == rows("0")


@pytest.mark.parametrize("moment", ["appending", "appended", "begun"])
@pytest.mark.parametrize("event", [1, 2, 40, 300])
def test_a_controller_that_dies_is_resumed_and_restarts_nothing_twice(event: int, moment: str) -> None:
    result = play(plan(), physics(), 3, gates=GATES, faults=[Fault(kind="controller_dies", event=event, moment=moment)])
    assert result.resumes == 1
    assert result.outcome is not None
    assert result.outcome.exit_code == 0, result.outcome
    assert set(result.restarts.values()) == {1}


def test_a_full_disk_stops_the_run_before_its_consequences_and_it_is_resumed() -> None:
    result = play(plan(), physics(), 3, gates=GATES, faults=[Fault(kind="disk_full", event=100)])
    assert result.resumes == 1
    assert result.outcome is not None
    assert result.outcome.exit_code == 0
