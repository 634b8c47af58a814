"""Inventories of the lab's machines, with deadlines for machines that are emulated, and the power control of the lab itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.machines.lab import ROOT, Lab

REBOOT: tuple[dict[str, Any], ...] = ({"reboot": {"down_within": "40s", "back_within": "90s"}},)
CYCLE: dict[str, Any] = {"power": {"reset": "cycle", "back_within": "90s"}}


def write_inventory(
    lab: Lab,
    folder: Path,
    *,
    ladder: Sequence[Mapping[str, Any]] = REBOOT,
    power: Mapping[str, Mapping[str, Any]] | None = None,
    policy: Mapping[str, Any] | None = None,
    service: Mapping[str, Any] | None = None,
) -> Path:
    """`folder/lab.yml` with a playbook beside it. `power`: each machine's control (None: the lab's own, as commands)."""
    (folder / "playbooks").mkdir(parents=True, exist_ok=True)
    start = [{"power": {"reset": "on", "back_within": "90s"}}]
    book = {"version": 1, "name": "reboot", "restart": list(ladder), "start": start}
    (folder / "playbooks" / "reboot.yml").write_text(json.dumps(book), encoding="utf-8")
    controls = {name: switch(lab, name) for name in lab.specs} if power is None else power
    hosts = {
        name: {"address": spec.address, **({"power": controls[name]} if name in controls else {})}
        for name, spec in lab.specs.items()
    }
    stated = {"hosts": list(lab.specs), "max_unavailable": 1, "ready": [WELL], **(service or {})}
    inventory = {
        "version": 1,
        "fleet": "lab",
        "defaults": {
            "ssh": {
                "user": "root",
                "identity_file": str(lab.folder / "id"),
                "known_hosts": str(lab.folder / "known_hosts"),
            },
            "expect": {"boot": "15s"},
        },
        "hosts": hosts,
        "services": {"web": {key: held for key, held in stated.items() if held is not None}},
        "policy": {"pace": "fixed", "canaries": 0, **(policy or {})},
    }
    path = folder / "lab.yml"
    # JSON is YAML.
    path.write_text(json.dumps(inventory, indent=1), encoding="utf-8")
    return path


WELL = {
    "http": {"url": "http://{address}/health", "every": "1s", "healthy_for": "3s", "within": "90s", "timeout": "10s"}
}
"""The machine's own HTTP says that it is well. The port alone says nothing: QEMU accepts there for a guest that is dead."""


def switch(lab: Lab, name: str) -> dict[str, Any]:
    """The lab's own power control of one machine."""
    say = f"cd {ROOT} && {sys.executable} -m tests.machines.lab say {lab.folder}"
    return {"command": {word: f"{say} {word} {name}" for word in ("on", "off", "state")}}
