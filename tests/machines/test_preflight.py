"""Preflight of a host that is busybox and nothing else, with no systemd: it is looked at, and nothing false is told of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.e2e.tool import Tool
from tests.machines.inventories import write_inventory
from tests.machines.lab import Lab


def test_a_host_of_busybox_alone_is_only_noted_and_one_that_is_off_blocks(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    with Lab(("m1", "m2"), on=("m1",)) as lab:
        lab.await_well()
        inventory = write_inventory(lab, tmp_path, service={"max_unavailable": 2})
        tool = Tool(tmp_path / "laptop", inside=lab.inside)
        looked = tool.call("preflight", str(inventory), "--format", "json")
        assert looked.returncode == 4, looked.stderr
        hosts = json.loads(looked.stdout)["hosts"]
        tell(json.dumps(hosts, indent=1))
        (told,) = hosts["m1"]["found"]
        assert (told["rule"], told["grade"]) == ("no-systemd", "notes")
        # What listens there is read from /proc, for there is no ss.
        assert ":22 dropbear" in told["evidence"]
        assert ":80 httpd" in told["evidence"]
        assert [(found["rule"], found["grade"]) for found in hosts["m2"]["found"]] == [("ssh", "blocks")]
        # It is no error: the host is restarted as any other, once the one that is off is left out.
        with tool.run(inventory, "--limit", "m1", hosts=1, survey=True) as run:
            assert run.end() == 0, run.account()
        assert [len(lab.boots(name)) for name in lab.specs] == [2, 0]
