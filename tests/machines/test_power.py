"""Machines that are frozen, brought back through real power control: a Redfish emulator and `ipmi_sim`, whose switches act on QEMU."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.ipmi import Ipmi
from tests.e2e.redfish import Redfish
from tests.e2e.tool import Tool
from tests.machines.inventories import power, write_inventory
from tests.machines.lab import ROOT, Lab

SYSTEM = "11111111-2222-3333-4444-000000000001"

CHASSIS = """\
#!/bin/sh
# get WHAT.. | set WHAT VALUE.. , as ipmi_sim asks it; the switches are the lab's.
cd {root} || exit 1
say() {{{{ {python} -m tests.machines.lab say {lab} "$@"; }}}}
echo "$@" >> {{folder}}/log
op=$1; shift
while [ $# -gt 0 ]; do
    case "$op $1" in
        "get power") if [ "$(say state m2)" = on ]; then echo power:1; else echo power:0; fi; shift;;
        "get "*) echo "$1:0"; shift;;
        "set power") if [ "$2" = 0 ]; then say off m2; else say on m2; fi; shift 2;;
        "set reset") say reset m2; shift 2;;
        *) shift; [ $# -eq 0 ] || shift;;
    esac
done
"""


def test_frozen_machines_are_brought_back_through_redfish_and_through_ipmi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tell: Callable[[str], None]
) -> None:
    for folder in ("redfish", "ipmi"):
        (tmp_path / folder).mkdir()
    with Lab(("m1", "m2", "m3")) as lab:
        lab.await_well()
        chassis = CHASSIS.format(root=ROOT, python=sys.executable, lab=lab.folder)
        with (
            Redfish(tmp_path / "redfish", {SYSTEM: "m1"}, lab=str(lab.folder), inside=lab.inside) as redfish,
            Ipmi(tmp_path / "ipmi", chassis=chassis, inside=lab.inside) as ipmi,
        ):
            monkeypatch.setenv("REDFISH_PASSWORD", redfish.password)
            monkeypatch.setenv("IPMI_PASSWORD", ipmi.password)
            controls = {
                "m1": {"redfish": redfish.control(system=SYSTEM, password_env="REDFISH_PASSWORD")},
                "m2": {"ipmi": ipmi.control(password_env="IPMI_PASSWORD")},
                "m3": {"redfish": redfish.control(system=SYSTEM, password_env="REDFISH_PASSWORD")},
            }
            ladder = (power(lab),)
            inventory = write_inventory(lab, tmp_path, ladder=ladder, controls=controls, service={"max_unavailable": 2})
            for name in ("m1", "m2"):
                lab.say("freeze", name)
            tool = Tool(tmp_path / "laptop", inside=lab.inside)
            surveyed = tool.call("survey", str(inventory), "--since", "10m", "--format", "json")
            states = {name: seen["state"] for name, seen in json.loads(surveyed.stdout)["hosts"].items()}
            tell(f"survey: {states}")
            assert {name for name, state in states.items() if state == "stuck"} == {"m1", "m2"}
            options = ("--mode", "recover", "--since", "10m", "--yes-force-off", "2")
            with tool.run(inventory, *options, hosts=2, survey=True) as run:
                assert run.end() == 0, run.account()
            lab.await_well(within_s=1)
            assert [len(lab.boots(name)) for name in lab.specs] == [2, 2, 1], run.account()
            # Each through its own BMC, and nothing else was switched.
            assert redfish.log("reset")
            assert any(told.startswith("power 0") for told in ipmi.sets())
            tell(lab.table())
