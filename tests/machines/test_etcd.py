"""A real quorum cluster on real machines, while a client writes all the time: the playbook loses nothing, and without its gate it does."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.tool import Run, Tool
from tests.machines.inventories import write_inventory
from tests.machines.lab import ROOT, Lab

MEMBERS = ("m1", "m2", "m3")
WRITES_S = 300.0
"""How long a cluster may take until it takes writes: its members boot, beside whatever else goes on."""

OFTEN = {"every": "1s", "healthy_for": "4s", "timeout": "8s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Writes:
    """What the client saw: Unix times of the writes that were acknowledged, and how many of them are not there any more."""

    at: Sequence[float]
    lost: int

    def gap_s(self) -> float:
        """The longest time between two writes that were acknowledged."""
        return max(after - before for before, after in pairwise(self.at))


@contextmanager
def writing(lab: Lab, file: Path) -> Iterator[None]:
    """A client that writes, all the while."""
    urls = [f"http://{spec.address}:2379" for spec in lab.specs.values()]
    client = subprocess.Popen(
        lab.inside(sys.executable, "-m", "tests.machines.writer", file, *urls), cwd=ROOT, stdin=subprocess.PIPE
    )
    try:
        _await_writes(file, 5)
        yield
        _await_writes(file, 5)
    finally:
        client.communicate(timeout=60)


def _await_writes(file: Path, more: int) -> None:
    """Until so many more writes were acknowledged: the cluster takes them."""
    before, until_s = _count(file), time.monotonic() + WRITES_S
    while _count(file) < before + more:
        assert time.monotonic() < until_s, "no write was acknowledged for so long"
        time.sleep(0.2)


def _count(file: Path) -> int:
    return len(file.read_text().splitlines()) if file.exists() else 0


def read_back(lab: Lab, file: Path) -> Writes:
    """Every write that was acknowledged, held against what a quorum says is there."""
    rows = [line.split() for line in file.read_text().splitlines()]
    url = f"http://{lab.specs['m1'].address}:2379"
    told = subprocess.run(
        lab.inside(sys.executable, "-m", "tests.machines.writer", "--keys", url),
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    there = set(json.loads(told))
    lost = sum(f"write-{int(number):06}" not in there for _, number in rows)
    return Writes(at=[float(at) for at, _ in rows], lost=lost)


def together(lab: Lab, run: Run) -> int:
    """How many machines were down at the same time at most: from the order to reboot until it was well again, by the lab's own book."""
    began = min(boot["at_s"] for told in lab.status().values() for boot in told["boots"])
    assert began >= 0
    changes: list[tuple[float, int]] = []
    for row in run.of("rebooting"):
        changes.append((row["at_s"], 1))
    for row in run.of("move_done"):
        changes.append((row["at_s"], -1))
    down = most = 0
    for _, change in sorted(changes):
        down += change
        most = max(most, down)
    return most


def test_a_rolling_restart_loses_no_write_and_without_budget_and_gate_the_quorum_is_lost(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    with Lab(MEMBERS, etcd=True) as lab:
        lab.await_well()
        kept = _run(lab, tmp_path / "kept", hosts=3, service=_as_shipped(lab))
        writes = kept[1]
        assert kept[0].end_code == 0
        assert writes.lost == 0
        assert kept[0].together == 1
        broken = _run(lab, tmp_path / "broken", hosts=3, service={"max_unavailable": "100%", "ready": [{"ssh": {}}]})
        rows = [lab.table(), "", "etcd             acknowledged  lost  longest gap  down together"]
        for name, (told, seen) in (("with its gate", kept), ("all at once", broken)):
            rows.append(f"{name:16} {len(seen.at):12} {seen.lost:5} {seen.gap_s():10.1f} s {told.together:14}")
        tell("\n".join(rows))
        # The counter-test: the same machines without what guards them. It must be seen to break, or the first half proves nothing.
        assert broken[0].together >= 2
        assert broken[1].gap_s() > max(5.0, 2 * writes.gap_s())


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came of a run."""

    end_code: int
    together: int


def _run(lab: Lab, folder: Path, *, hosts: int, service: dict[str, Any]) -> tuple[Told, Writes]:
    inventory = write_inventory(lab, folder, service=service)
    file = folder / "acknowledged"
    with writing(lab, file), Tool(folder / "laptop", inside=lab.inside).run(inventory, hosts=hosts) as run:
        code = run.end()
        assert code == 0, run.account()
        told = Told(end_code=code, together=together(lab, run))
    return told, read_back(lab, file)


def _as_shipped(lab: Lab) -> dict[str, Any]:
    """The service as inventories/etcd.yml has it, with the lab's addresses, and asked as often as machines that boot in seconds need."""
    shipped = yaml.safe_load((ROOT / "inventories" / "etcd.yml").read_text(encoding="utf-8"))["services"]["etcd"]
    often = {**OFTEN, "within": f"{lab.patience_s(120.0):.0f}s"}
    gate = [{"http": {"url": f"http://{spec.address}:2379/health", **often}} for spec in lab.specs.values()]
    ready = [{"http": {"url": "http://{address}:2379/health", **often}}]
    assert len(gate) == len(shipped["gate"])
    return {**shipped, "hosts": list(lab.specs), "ready": ready, "gate": gate, "max_unavailable": None}
