"""Whole runs that switch power: real OpenSSH hosts behind an emulated BMC whose switches are the fleet's power, and no secret anywhere."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from tests.e2e.fleet import Fleet
from tests.e2e.inventories import http_ready, quick
from tests.e2e.ipmi import Ipmi
from tests.e2e.redfish import Redfish
from tests.e2e.tool import Tool

MARKER = f"m4rker-{uuid4().hex[:9]}"
"""16 characters: IPMI 1.5 and its simulator take no more. Another one for each process of tests: it is looked for in all that the machine runs."""
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


CHASSIS = """\
#!/bin/sh
# The power of host-2, as ipmi_sim asks it; the switches are the fleet's.
echo "$@" >> {{folder}}/log
op=$1; shift
while [ $# -gt 0 ]; do
    case "$op $1" in
        "get power") echo "power:$(cat {{folder}}/power)"; shift;;
        "get "*) echo "$1:0"; shift;;
        "set power")
            if [ "$2" = 0 ]; then echo "host-2 off" > {words}; else echo "host-2 on" > {words}; fi
            echo "$2" > {{folder}}/power; shift 2;;
        *) shift; [ $# -eq 0 ] || shift;;
    esac
done
"""


def outlet(fleet: Fleet, folder: Path) -> dict[str, str]:
    """The `command:` of host-3's `power:`: a switch and a file, and whatever it is called with it notes its environment."""
    state, words, note = folder / "outlet", fleet.folder / "words", f"env >> {folder}/environments"
    state.write_text("on\n", encoding="ascii")
    return {
        **{verb: f"{note}; echo {{host}} {verb} > {words}; echo {verb} > {state}" for verb in ("on", "off")},
        "state": f"{note}; cat {state}",
    }


@pytest.mark.parametrize(
    ("secret", "auth"),
    [
        ({"password_env": "BMC_PASSWORD"}, "session"),
        ({"password_file": "{file}"}, "basic"),
        ({"password_command": "cat {file}"}, "session"),
    ],
    ids=["env", "file", "command"],
)
def test_the_password_of_a_bmc_is_nowhere_but_at_the_bmc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: Mapping[str, str], auth: str
) -> None:
    """Neither in the journal, a report, what is printed, a log, a debug trace, nor in any process's arguments or environment.

    Of Redfish, IPMI and commands beside them, when all goes well and when the BMC lets nobody in.
    """
    file = tmp_path / "password"
    file.write_text(MARKER + "\n", encoding="utf-8")
    file.chmod(0o600)
    (tmp_path / "ipmi").mkdir()
    source = {key: text.format(file=file) for key, text in secret.items()}
    cycle = {"restart": [{"power": {"reset": "cycle", "back_within": "60s"}}]}
    with (
        Fleet(["host-1", "host-2", "host-3"]) as fleet,
        fleet_and_bmc(fleet, tmp_path / "bmc") as bmc,
        Ipmi(
            tmp_path / "ipmi", password=MARKER, chassis=CHASSIS.format(words=fleet.folder / "words")
        ) as ipmi,
    ):  # fmt: skip
        inventory = written(fleet, bmc, tmp_path / "inv", cycle, secret={**source, "auth": auth})
        content = yaml.safe_load(inventory.read_text(encoding="utf-8"))
        content["hosts"]["host-2"]["power"] = {"ipmi": ipmi.control(**source)}
        content["hosts"]["host-3"]["power"] = {"command": outlet(fleet, tmp_path)}
        content["services"]["web"]["max_unavailable"] = 3
        note = {"command": {"run": f"env >> {tmp_path}/environments; sleep 0.3", "on": "controller"}}
        content["services"]["web"]["ready"] += [note]
        inventory.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        with monkeypatch.context() as only_the_tool:
            # The fleet and its power controls were started without it.
            if "password_env" in secret:
                only_the_tool.setenv("BMC_PASSWORD", MARKER)
            tool = Tool(tmp_path / "laptop")
        said = []
        for words in (
            ("survey", str(inventory), "--since", "1h", "--save", f"{tmp_path}/laptop/seen.json"),
            ("plan", str(inventory), "--mode", "rolling", "-o", f"{tmp_path}/laptop/plan.json"),
            ("plan", str(inventory), "--mode", "rolling", "--format", "markdown"),
            ("run", f"{tmp_path}/laptop/plan.json", "--dry-run"),
        ):
            told = tool.call(*words)
            assert told.returncode == 0, told.stderr
            said += [told.stdout, told.stderr]
        with (
            tool.run(tmp_path / "laptop" / "plan.json", "--yes-force-off", "3", hosts=3) as run,
            Watching(run.process.pid) as watching,
        ):
            assert run.end() == 0, run.account()
        # They were really used.
        assert bmc.log("reset") == ["ForceOff", "On"]
        assert set(bmc.log("by")) == {auth}
        assert ipmi.sets() == ["power 0", "power 1"]
        assert fleet.restarts() == dict.fromkeys(fleet.specs, 1)
        said += [run.errors(), *(str(row) for row in run.rows)]
        # BMCs that let nobody in, told with every detail.
        for host, kind in (("host-1", "redfish"), ("host-2", "ipmi")):
            content["hosts"][host]["power"][kind]["user"] = "nobody"
        content["policy"]["max_failures"] = 3
        inventory.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        more = ("--yes-force-off", "2", "--limit", "host-1,host-2")
        with tool.run(inventory, *more, hosts=2) as refused, Watching(refused.process.pid) as again:
            assert refused.end() == 5, refused.account()
        assert len(refused.of("untouched")) == 2, refused.account()
        said += [refused.errors(), *(str(row) for row in refused.rows)]
        for words in (
            ("survey", str(inventory), "--since", "1h", "--format", "json"),
            *(("report", "--format", form) for form in ("text", "json", "markdown")),
            *(("status", "--format", form) for form in ("text", "json")),
            ("history",),
        ):
            told = tool.call(*words)
            said += [told.stdout, told.stderr]
        assert not any(MARKER in text for text in said)
        assert (watching.seen, again.seen) == (set(), set())
        assert watching.looks > 50
        environments = (tmp_path / "environments").read_text(encoding="utf-8")
        assert environments.count("\nPATH=") > 5
        assert MARKER not in environments
        kept = [path for path in (tmp_path / "laptop").rglob("*") if path.is_file()]
        assert [path for path in kept if MARKER.encode() in path.read_bytes()] == []
        assert any(path.name == "store.sqlite" for path in kept)
