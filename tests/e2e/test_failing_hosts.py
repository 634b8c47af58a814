"""Hosts that do not come back, come back wrong, or die: quarantined by name, and counted as down from then on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from restart.errors import Exit
from tests.e2e.fleet import Fleet
from tests.e2e.inventories import http_gate, http_ready, quick, write_reboot
from tests.e2e.tool import Run, Tool

WEB = [f"web-{number}" for number in range(1, 9)]


def web(**more: Any) -> dict[str, Any]:
    """The service that all tests here restart."""
    return {"hosts": "web-*", "max_unavailable": 2, "ready": http_ready(), **more}


def whys(run: Run, host: str) -> str:
    """Everything that the run told about `host` and why, in one text."""
    return " | ".join(f"{row['event']}: {row['why']}" for row in run.rows if row.get("host") == host and row.get("why"))


def test_a_host_that_never_comes_back_is_quarantined_and_counts_against_the_budget(tmp_path: Path) -> None:
    write_reboot(tmp_path, down_within="6s", back_within="8s")
    with Fleet(WEB[:6], service_s=0.2, faults={"web-2": {"never_returns": True}}) as fleet:
        inventory = fleet.inventory(tmp_path / "inventory.yml", {"web": web()}, policy=quick(max_failures=1))
        with Tool(tmp_path / "laptop").run(inventory, hosts=6) as run:
            assert run.end() == Exit.HALTED, run.account()
        assert [row["host"] for row in run.of("quarantined")] == ["web-2"]
        assert fleet.restarts() == {**dict.fromkeys(WEB[:6], 1), "web-2": 0}
        assert len(fleet.log("web-2", "asked")) == 1
        assert fleet.most_down(WEB[:6]) == 2


def test_without_failures_borne_the_first_lost_host_halts_the_run(tmp_path: Path) -> None:
    write_reboot(tmp_path, down_within="6s", back_within="8s")
    with Fleet(WEB[:6], service_s=0.2, faults={name: {"never_returns": True} for name in WEB[:2]}) as fleet:
        inventory = fleet.inventory(tmp_path / "inventory.yml", {"web": web(max_unavailable=1)}, policy=quick())
        with Tool(tmp_path / "laptop").run(inventory, hosts=6) as run:
            assert run.end() == Exit.HALTED, run.account()
        assert run.of("halted")
        assert len(run.of("quarantined")) == 1
        assert len(fleet.log(what="asked")) <= 2
        assert fleet.most_down(WEB[:6]) == 1


@pytest.mark.parametrize("fault", ["same_boot_id", "ignores_reboot"])
def test_a_host_that_did_not_really_reboot_is_never_called_done(tmp_path: Path, fault: str) -> None:
    write_reboot(tmp_path, down_within="4s", back_within="10s")
    with Fleet(WEB[:3], service_s=0.2, faults={"web-2": {fault: True}}) as fleet:
        inventory = fleet.inventory(
            tmp_path / "inventory.yml", {"web": web(max_unavailable=1)}, policy=quick(max_failures=1)
        )
        with Tool(tmp_path / "laptop").run(inventory, hosts=3) as run:
            assert run.end() == Exit.NOT_REBOOTED, run.account()
        assert [row["host"] for row in run.of("not_rebooted")] == ["web-2"]
        assert sorted(row["host"] for row in run.of("move_done")) == ["web-1", "web-3"]
        assert len(fleet.log("web-2", "asked")) == 1
        assert fleet.most_down(WEB[:3]) == 1


def test_a_slow_shutdown_is_waited_for_and_not_taken_for_the_new_boot(tmp_path: Path) -> None:
    with Fleet(WEB[:2], service_s=0.2, faults={"web-1": {"slow_shutdown_s": 6}}) as fleet:
        inventory = fleet.inventory(tmp_path / "inventory.yml", {"web": web(max_unavailable=1)}, policy=quick())
        with Tool(tmp_path / "laptop").run(inventory, hosts=2) as run:
            assert run.end() == 0, run.account()
        assert fleet.restarts() == {"web-1": 1, "web-2": 1}
        assert run.of("booted", "web-1")[0]["data"]["boot_id"] == fleet.boots("web-1")[1]
        assert fleet.most_down(WEB[:2]) == 1


PHASES = {
    "accept": ("banner",),
    "banner": ("banner", "connect", "key exchange", "kex"),
    "auth": ("auth",),
    "channel": ("channel",),
    "command": ("command",),
}
"""The words by which a person finds out in which phase the host hangs."""


@pytest.mark.parametrize("phase", PHASES)
def test_a_host_that_hangs_in_an_ssh_phase_after_its_boot_is_given_up_with_the_phase_named(
    tmp_path: Path, phase: str
) -> None:
    write_reboot(tmp_path, down_within="6s", back_within="14s")
    with Fleet(["web-1", "web-2"], service_s=0.2, faults={}) as fleet:
        fleet.fault("web-1", hang=phase)
        inventory = fleet.inventory(
            tmp_path / "inventory.yml", {"web": web(max_unavailable=1)}, policy=quick(max_failures=1)
        )
        with Tool(tmp_path / "laptop").run(inventory, hosts=2) as run:
            assert run.end() == Exit.HALTED, run.account()
        assert [row["host"] for row in run.of("quarantined")] == ["web-1"]
        assert any(word in whys(run, "web-1") for word in PHASES[phase]), whys(run, "web-1")
        assert len(fleet.log("web-1", "asked")) == 1
        assert [row["host"] for row in run.of("move_done")] in ([], ["web-2"])


def test_a_changed_host_key_is_a_failure_with_its_own_name(tmp_path: Path) -> None:
    write_reboot(tmp_path, down_within="6s", back_within="10s")
    with Fleet(WEB[:2], service_s=0.2, faults={}) as fleet:
        fleet.fault("web-1", changed_host_key=True)
        inventory = fleet.inventory(
            tmp_path / "inventory.yml", {"web": web(max_unavailable=1)}, policy=quick(max_failures=1)
        )
        with Tool(tmp_path / "laptop").run(inventory, hosts=2) as run:
            assert run.end() == Exit.HALTED, run.account()
        assert [row["host"] for row in run.of("quarantined")] == ["web-1"]
        assert "host key" in whys(run, "web-1").replace("host-key", "host key"), whys(run, "web-1")
        assert len(fleet.log("web-1", "asked")) == 1


def test_a_gate_that_turns_bad_in_wave_three_halts_the_run_with_the_budget_intact(tmp_path: Path) -> None:
    with Fleet(["status", *WEB], service_s=0.2) as fleet:
        inventory = fleet.inventory(
            tmp_path / "inventory.yml",
            {"web": web(gate=http_gate(fleet.url("status")))},
            leave_out=["status"],
            policy=quick(),
        )
        with Tool(tmp_path / "laptop").run(inventory, hosts=8) as run:
            run.until("wave_started", wave=3)
            run.until("rebooting", wave=None)
            fleet.fault("status", http="fail")
            assert run.end() == Exit.HALTED, run.account()
        assert run.of("halted")
        assert 4 < sum(fleet.restarts().values()) <= 6
        assert not [row for row in run.of("wave_started") if row["wave"] > 3]
        assert fleet.most_down(WEB) == 2
        fleet.wait_for(lambda: fleet.up(WEB), "what was in flight has come back")


def test_a_gate_must_hold_its_healthy_for_anew_after_each_move(tmp_path: Path) -> None:
    hosts = ["web-1", "web-2", "web-3"]
    with Fleet(["status", *hosts], down_s=0.3, service_s=0.1) as fleet:
        gate = [{"http": {"url": fleet.url("status"), "every": "300ms", "healthy_for": "3s", "within": "60s"}}]
        inventory = fleet.inventory(
            tmp_path / "inventory.yml",
            {"web": web(max_unavailable=1, gate=gate)},
            leave_out=["status"],
            policy=quick(),
        )
        with Tool(tmp_path / "laptop").run(inventory, hosts=3) as run:
            assert run.end() == 0, run.account()
        ended = [row["at_s"] for row in run.of("move_done")]
        began = [row["at_s"] for row in run.of("move_started")]
        gaps = [later - earlier for earlier, later in zip(ended, began[1:], strict=False)]
        assert len(gaps) == 2
        assert min(gaps) >= 3.0, gaps


def test_a_member_that_dies_by_itself_is_counted_and_its_run_ends_as_drift_that_names_it(tmp_path: Path) -> None:
    with Fleet(WEB, service_s=0.2) as fleet:
        inventory = fleet.inventory(tmp_path / "inventory.yml", {"web": web()}, policy=quick(ready_fresh="1s"))
        tool = Tool(tmp_path / "laptop")
        with tool.run(inventory, hosts=8) as run:
            run.until("wave_done", wave=1)
            fleet.off("web-8")
            code = run.end()
        died = fleet.log("web-8", "down")[0].at
        # What was judged before it died, or a moment after, may have gone out: a judgement holds for `ready_fresh`.
        for asked in fleet.log(what="asked"):
            if asked.at > died + 5:
                assert _serving(fleet, asked.at) - 1 >= 6, (asked, run.account())
        # The run had done nothing to it: the world has moved away from the plan.
        assert code == Exit.DRIFT, run.account()
        (row,) = run.of("drift")
        assert (row["host"], row["data"]["planned"].startswith("up (")) == ("web-8", True), row
        report = json.loads(tool.call("report", "--format", "json").stdout)
        assert (report["state"], report["exit_code"]) == ("drift", 8)
        assert [one["host"] for one in report["drift"]] == ["web-8"]
        rest = tool.call("plan", "--from", report["run"])
        assert "left nothing to do: 7 hosts are done, 1 want a person" in rest.stderr, rest
        assert fleet.restarts()["web-8"] == 0
        assert max(fleet.restarts().values()) == 1


def _serving(fleet: Fleet, at: float) -> int:
    """How many members served at Unix time `at`."""
    last: dict[str, str] = {}
    for one in fleet.log():
        if one.at < at and one.what in ("serving", "not_serving", "down"):
            last[one.host] = one.what
    return list(last.values()).count("serving")
