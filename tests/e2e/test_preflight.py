"""Preflight over real SSH: nothing is changed, real shells and real /proc are read, and a host without systemd is no error."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.fleet import Fleet
from tests.e2e.inventories import http_ready
from tests.e2e.tool import Tool


def test_hosts_without_systemd_are_looked_at_in_one_sweep_and_left_as_they_are(tmp_path: Path) -> None:
    hosts = ["web-1", "web-2"]
    with Fleet(hosts) as fleet:
        inventory = fleet.inventory(tmp_path / "inventory.yml", {"web": {"hosts": "web-*", "ready": http_ready()}})
        tool = Tool(tmp_path / "laptop")
        said = tool.call("preflight", str(inventory), "--format", "json")
        told = json.loads(said.stdout)
        for host in hosts:
            looked = told["hosts"][host]
            assert looked.get("answered", True), said.stdout
            assert "no-systemd" in {found["rule"] for found in looked["found"]}
            # What a boot brings back is not judged here; a package manager of this machine may well be at work.
            assert {found["rule"] for found in looked["found"] if found["grade"] == "blocks"} <= {"packages", "full"}
            assert looked["cpu_s"] < 0.3, said.stdout
        assert fleet.restarts() == dict.fromkeys(hosts, 0)


INHIBIT = "mkdir -p /run/systemd/inhibit && printf 'WHAT=shutdown\\nMODE=block\\nWHO=Backup\\nWHY=half way\\n' >/run/systemd/inhibit/1"


def test_what_blocks_a_host_refuses_the_run_until_it_is_mended_or_overridden(tmp_path: Path) -> None:
    hosts = ["web-1", "web-2"]
    with Fleet(hosts) as fleet:
        inventory = fleet.inventory(tmp_path / "inventory.yml", {"web": {"hosts": "web-*", "ready": http_ready()}})
        tool = Tool(tmp_path / "laptop")
        words = ("run", str(inventory), "--reason", "patch night", "--yes-hosts", "2", "--mode", "rolling")
        assert fleet.ssh("web-2", INHIBIT).returncode == 0
        refused = tool.call(*words)
        assert refused.returncode == 4, refused.stderr
        assert "web-2: a shutdown is inhibited by Backup: half way" in refused.stderr
        assert "--override preflight.inhibitor" in refused.stderr
        let_go = tool.call(*words, "--override", "preflight.inhibitor", "--dry-run")
        assert let_go.returncode == 0, let_go.stderr
        assert fleet.restarts() == dict.fromkeys(hosts, 0)
        assert fleet.ssh("web-2", "rm /run/systemd/inhibit/1").returncode == 0
        done = tool.call(*words)
        assert done.returncode == 0, done.stderr
        assert fleet.restarts() == dict.fromkeys(hosts, 1)
