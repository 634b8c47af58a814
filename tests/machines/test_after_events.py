"""The night after a power cut, on machines whose power was really cut: look, plan only what is needed, start what is off."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

from tests.e2e.tool import Tool
from tests.machines.inventories import power, reboot, write_inventory
from tests.machines.lab import Lab

NAMES = ("m1", "m2", "m3", "m4")


def test_after_a_power_cut_of_a_random_half_only_what_is_off_is_started(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    with Lab(NAMES) as lab:
        lab.await_well()
        inventory = write_inventory(lab, tmp_path, ladder=(reboot(lab), power(lab)), service={"max_unavailable": 2})
        cut = sorted(random.Random(20180511).sample(NAMES, 2))
        for name in cut:
            lab.say("off", name)
        tool = Tool(tmp_path / "laptop", inside=lab.inside)
        surveyed = tool.call("survey", str(inventory), "--format", "json")
        assert surveyed.returncode == 0, surveyed.stderr
        states = {name: seen["state"] for name, seen in json.loads(surveyed.stdout)["hosts"].items()}
        tell(f"cut: {cut}; survey: {states}")
        assert {name for name, state in states.items() if state in ("down", "stuck")} == set(cut)
        with tool.run(inventory, "--mode", "recover", hosts=2, survey=True) as run:
            assert run.end() == 0, run.account()
        lab.await_well(within_s=1)
        assert {name: len(lab.boots(name)) for name in NAMES} == {name: 2 if name in cut else 1 for name in NAMES}
        tell(lab.table())


def test_a_cold_start_brings_all_up_from_power_off_the_provider_before_its_consumers(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    with Lab(("m1", "m2", "m3"), on=()) as lab:
        inventory = write_inventory(lab, tmp_path)
        written = json.loads(inventory.read_text(encoding="utf-8"))
        web = written["services"]["web"]
        ready = web["ready"]
        written["services"] = {
            "store": {"hosts": ["m1"], "ready": ready},
            "web": {**web, "hosts": ["m2", "m3"], "depends_on": {"store": {}}},
        }
        inventory.write_text(json.dumps(written), encoding="utf-8")
        with Tool(tmp_path / "laptop", inside=lab.inside).run(inventory, "--mode", "cold-start", hosts=3) as run:
            assert run.end() == 0, run.account()
        lab.await_well(("m1", "m2", "m3"), within_s=1)
        status = lab.status()
        assert [len(told["boots"]) for told in status.values()] == [1, 1, 1]
        assert all(status[name]["boots"][0]["at_s"] > status["m1"]["boots"][0]["well_s"] for name in ("m2", "m3"))
        tell(lab.table())
