"""Whole runs that switch power: real OpenSSH hosts behind an emulated BMC whose switches are the fleet's power, and no secret anywhere."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.fleet import Fleet
from tests.e2e.inventories import http_ready, quick
from tests.e2e.redfish import Redfish
from tests.e2e.tool import Tool

MARKER = "m4rker-Of-The-BMC-pa55word"
SERVICES = {"web": {"hosts": "host-*", "ready": http_ready(), "max_unavailable": 1}}


def fleet_and_bmc(fleet: Fleet, folder: Path) -> Redfish:
    folder.mkdir()
    systems = {f"11111111-2222-3333-4444-00000000000{number}": name for number, name in enumerate(fleet.specs, 1)}
    return Redfish(folder, systems, password=MARKER, fleet=str(fleet.folder), slow_s=0.1)


def written(fleet: Fleet, bmc: Redfish, folder: Path, playbook: dict[str, Any], **more: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "playbooks").mkdir(exist_ok=True)
    text = yaml.safe_dump({"version": 1, "name": "reboot", **playbook})
    (folder / "playbooks" / "reboot.yml").write_text(text, encoding="utf-8")
    hosts = {
        name: {
            "power": {"redfish": bmc.control(system=uuid, **(more.get("secret") or {"password_env": "BMC_PASSWORD"}))}
        }
        for uuid, name in zip(
            (f"11111111-2222-3333-4444-00000000000{number}" for number in range(1, 9)), fleet.specs, strict=False
        )
    }
    return fleet.inventory(folder / "inventory.yml", SERVICES, hosts=hosts, policy=quick())


class Watching:
    """Looks at every process that there is, many times a second: whose arguments or environment hold the marker?"""

    def __init__(self, tool: int) -> None:
        self._tool = tool
        self._over = threading.Event()
        self.seen: set[str] = set()
        self.looks = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watching:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)

    def _watch(self) -> None:
        # Who was started with the variable has it in its first environment: the tool itself.
        own = {Path("/proc", str(pid), "cmdline").read_bytes() for pid in (os.getpid(), self._tool)}
        while not self._over.wait(0.002):
            self.looks += 1
            for entry in os.scandir("/proc"):
                if not entry.name.isdigit():
                    continue
                for name in ("cmdline", "environ"):
                    try:
                        # Between fork and exec a child is a copy of the tool, and shows what the tool was started with.
                        if name == "environ" and Path(entry.path, "cmdline").read_bytes() in own:
                            continue
                        held = Path(entry.path, name).read_bytes()
                    except OSError:
                        continue
                    if MARKER.encode() in held:
                        self.seen.add(f"{name} of {Path(entry.path, 'comm').read_text(errors='replace').strip()}")


def test_a_host_that_hangs_comes_back_by_the_last_rung_of_its_ladder(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("BMC_PASSWORD", MARKER)
    ladder = [
        {"reboot": {"down_within": "3s", "back_within": "5s"}},
        {"power": {"reset": "cycle", "back_within": "60s"}},
    ]
    with Fleet(["host-1", "host-2"]) as fleet, fleet_and_bmc(fleet, tmp_path / "bmc") as bmc:
        fleet.fault("host-2", ignores_reboot=True)
        inventory = written(fleet, bmc, tmp_path / "inv", {"restart": ladder})
        with Tool(tmp_path / "laptop").run(inventory, "--yes-force-off", "2", hosts=2) as run:
            assert run.end() == 0, run.account()
        assert bmc.log("reset") == ["ForceOff", "On"]
        assert fleet.restarts() == {"host-1": 1, "host-2": 1}
        assert [one.more["why"] for one in fleet.log("host-2", "down")] == ["off"]


def test_power_is_not_cut_without_a_word_for_it(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("BMC_PASSWORD", MARKER)
    with Fleet(["host-1"]) as fleet, fleet_and_bmc(fleet, tmp_path / "bmc") as bmc:
        inventory = written(fleet, bmc, tmp_path / "inv", {"restart": [{"power": {"reset": "cycle"}}]})
        with Tool(tmp_path / "laptop").run(inventory, hosts=1) as run:
            assert run.end() == 4
        assert "--yes-force-off 1" in run.errors()
        assert (bmc.log("reset"), fleet.restarts()) == ([], {"host-1": 0})


def test_a_shutdown_switches_off_over_ssh_and_cuts_what_hangs(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("BMC_PASSWORD", MARKER)
    ladder = [{"poweroff": {"down_within": "4s"}}, {"power": {"reset": "off"}}]
    with Fleet(["host-1", "host-2", "host-3"]) as fleet, fleet_and_bmc(fleet, tmp_path / "bmc") as bmc:
        fleet.fault("host-2", ignores_reboot=True)
        inventory = written(fleet, bmc, tmp_path / "inv", {"restart": [{"reboot": {}}], "stop": ladder})
        more = ("--mode", "shutdown", "--yes-force-off", "3", "--within", "12m")
        with Tool(tmp_path / "laptop").run(inventory, *more, hosts=3) as run:
            assert run.end() == 0, run.account()
        assert bmc.log("reset") == ["ForceOff"]
        ends = {name: fleet.log(name, "down")[-1].more["why"] for name in fleet.specs}
        assert ends == {"host-1": "poweroff", "host-2": "off", "host-3": "poweroff"}
        assert fleet.restarts() == dict.fromkeys(fleet.specs, 0)


def test_a_site_is_stopped_waits_for_a_person_and_is_started_again(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("BMC_PASSWORD", MARKER)
    book = {
        "restart": [{"reboot": {}}],
        "stop": [{"poweroff": {"down_within": "10s"}}],
        "start": [{"power": {"reset": "on", "back_within": "60s"}}],
    }
    with Fleet(["host-1", "host-2"]) as fleet, fleet_and_bmc(fleet, tmp_path / "bmc") as bmc:
        inventory = written(fleet, bmc, tmp_path / "inv", book)
        tool = Tool(tmp_path / "laptop")
        with tool.run(inventory, "--mode", "stop-start", hosts=2) as run:
            run.until("approval_wanted")
            assert {row["host"] for row in run.of("off")} == set(fleet.specs)
            assert bmc.log("reset") == []
            said = tool.call("approve", run.name(), "stage-2")
            assert said.returncode == 0, said.stderr
            assert run.end() == 0, run.account()
        assert bmc.log("reset") == ["On", "On"]
        assert {row["host"] for row in run.of("booted")} == set(fleet.specs)
        assert [one.more["why"] for name in fleet.specs for one in fleet.log(name, "down")] == ["poweroff", "poweroff"]


def test_a_site_that_was_shut_down_is_started_from_cold_by_another_run(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("BMC_PASSWORD", MARKER)
    book = {
        "restart": [{"reboot": {}}],
        "stop": [{"poweroff": {"down_within": "10s"}}],
        "start": [{"power": {"reset": "on", "back_within": "60s"}}],
    }
    with Fleet(["host-1", "host-2"]) as fleet, fleet_and_bmc(fleet, tmp_path / "bmc") as bmc:
        inventory = written(fleet, bmc, tmp_path / "inv", book)
        tool = Tool(tmp_path / "laptop")
        with tool.run(inventory, "--mode", "shutdown", hosts=2) as down:
            assert down.end() == 0, down.account()
        with tool.run(inventory, "--mode", "cold-start", hosts=2) as up:
            assert up.end() == 0, up.account()
        assert bmc.log("reset") == ["On", "On"]
        assert {row["host"] for row in up.of("move_done")} == set(fleet.specs)
        survey = tool.call("survey", str(inventory), "--format", "json")
        assert survey.returncode == 0, survey.stderr


def test_the_password_of_a_bmc_is_nowhere_but_at_the_bmc(tmp_path: Path, monkeypatch: Any) -> None:
    """Neither in the journal, a report, what is printed, a log, a debug trace, nor in any process's arguments or environment."""
    file = tmp_path / "password"
    file.write_text(MARKER + "\n", encoding="utf-8")
    file.chmod(0o600)
    gate = [{"command": {"run": "env; sleep 0.3", "on": "controller"}}]
    for number, secret in enumerate(
        ({"password_env": "BMC_PASSWORD"}, {"password_file": str(file)}, {"password_command": f"cat {file}"})
    ):
        folder = tmp_path / f"way-{number}"
        folder.mkdir()
        with Fleet(["host-1"]) as fleet, fleet_and_bmc(fleet, folder / "bmc") as bmc:
            inventory = written(
                fleet,
                bmc,
                folder / "inv",
                {"restart": [{"power": {"reset": "cycle", "back_within": "60s"}}]},
                secret=secret,
            )
            content = yaml.safe_load(inventory.read_text(encoding="utf-8"))
            content["services"]["web"]["ready"] += gate
            inventory.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
            with monkeypatch.context() as only_the_tool:
                # The fleet and its BMC were started without it.
                if "password_env" in secret:
                    only_the_tool.setenv("BMC_PASSWORD", MARKER)
                tool = Tool(folder / "laptop")
            with tool.run(inventory, "--yes-force-off", "1", hosts=1) as run, Watching(run.process.pid) as watching:
                assert run.end() == 0, run.account()
            assert bmc.log("reset") == ["ForceOff", "On"]  # it was really used
            said = [run.errors(), *(str(row) for row in run.rows)]
            for words in (("report",), ("report", "--format", "json"), ("report", "--format", "markdown"), ("status",)):
                told = tool.call(*words)
                said += [told.stdout, told.stderr]
            # A BMC that lets nobody in, told with every detail.
            wrong = yaml.safe_load(inventory.read_text(encoding="utf-8"))
            for host in wrong["hosts"].values():
                host["power"]["redfish"]["user"] = "nobody"
            inventory.write_text(yaml.safe_dump(wrong, sort_keys=False), encoding="utf-8")
            with (
                tool.run(inventory, "--yes-force-off", "1", hosts=1) as refused,
                Watching(refused.process.pid) as again,
            ):
                assert refused.end() == 5, refused.account()
            said += [refused.errors(), *(str(row) for row in refused.rows)]
            assert not any(MARKER in text for text in said)
            assert (watching.seen, again.seen) == (set(), set())
            assert watching.looks > 50
            kept = [
                path
                for path in (folder / "laptop").rglob("*")
                if path.is_file() and MARKER.encode() in path.read_bytes()
            ]
            assert kept == []
