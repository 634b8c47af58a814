"""A whole Debian with systemd: what a busybox machine cannot tell. A session of its own (`nox -s debian`): its boots take a minute each."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e.tool import Tool
from tests.machines.inventories import write_inventory
from tests.machines.lab import Lab

pytestmark = pytest.mark.debian

OFTEN = {"every": "3s", "healthy_for": "6s", "within": "4m", "timeout": "15s"}


def test_a_debian_is_restarted_by_its_own_systemctl_and_its_units_are_asked(tmp_path: Path) -> None:
    with Lab(["d1"], debian=True) as lab:
        lab.await_well(within_s=300)
        ladder = ({"reboot": {"down_within": "2m", "back_within": "5m"}},)
        service = {"max_unavailable": None, "ready": [{"systemd": {"units": ["web.service"], **OFTEN}}]}
        inventory = write_inventory(lab, tmp_path, ladder=ladder, service=service)
        tool = Tool(tmp_path / "laptop", inside=lab.inside)
        surveyed = tool.call("survey", str(inventory))
        assert surveyed.returncode == 0, surveyed.stderr
        with tool.run(inventory, hosts=1) as run:
            assert run.end() == 0, run.account()
        assert len(lab.boots("d1")) == 2
        ssh = lab.inside("ssh", "-F", lab.folder / "ssh_config", "d1")
        state = subprocess.run(
            [*ssh, "systemctl is-system-running"], capture_output=True, text=True, check=False
        ).stdout
        assert state.strip() in ("running", "starting")
        print(f"\n{surveyed.stdout}\n{lab.table()}")
