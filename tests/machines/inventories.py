"""Inventories of the lab's machines, with deadlines for machines that are emulated, and the power control of the lab itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.machines.lab import ROOT, Lab

SHORT_S, LONG_S = 40.0, 90.0
"""The least that a boot may take: of a machine that is to be given up soon, of one that is to come back."""


def reboot(lab: Lab, least_s: float = LONG_S) -> dict[str, Any]:
    """A rung that reboots, with the deadlines that this lab needs here and now."""
    return {"reboot": {"down_within": _s(lab.patience_s(SHORT_S)), "back_within": _s(lab.patience_s(least_s))}}


def power(lab: Lab, reset: str = "cycle") -> dict[str, Any]:
    """A rung that switches power, likewise."""
    return {"power": {"reset": reset, "back_within": _s(lab.patience_s(LONG_S))}}


def well(lab: Lab, healthy_for: str = "3s") -> dict[str, Any]:
    """The machine's own HTTP says that it is well. The port alone says nothing: QEMU accepts there for a guest that is dead."""
    within = _s(lab.patience_s(LONG_S))
    url = "http://{address}/health"
    return {"http": {"url": url, "every": "1s", "healthy_for": healthy_for, "within": within, "timeout": "10s"}}


def _s(seconds: float) -> str:
    return f"{seconds:.0f}s"


def write_inventory(
    lab: Lab,
    folder: Path,
    *,
    ladder: Sequence[Mapping[str, Any]] | None = None,
    controls: Mapping[str, Mapping[str, Any]] | None = None,
    policy: Mapping[str, Any] | None = None,
    service: Mapping[str, Any] | None = None,
) -> Path:
    """`folder/lab.yml` with a playbook beside it. `ladder`: None: a reboot. `controls`: each machine's power control (None: the lab's own, as commands)."""
    (folder / "playbooks").mkdir(parents=True, exist_ok=True)
    rungs = [reboot(lab)] if ladder is None else list(ladder)
    book = {"version": 1, "name": "reboot", "restart": rungs, "start": [power(lab, "on")]}
    (folder / "playbooks" / "reboot.yml").write_text(json.dumps(book), encoding="utf-8")
    controls = {name: switch(lab, name) for name in lab.specs} if controls is None else controls
    hosts = {
        name: {"address": spec.address, **({"power": controls[name]} if name in controls else {})}
        for name, spec in lab.specs.items()
    }
    stated = {"hosts": list(lab.specs), "max_unavailable": 1, "ready": [well(lab)], **(service or {})}
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


def switch(lab: Lab, name: str) -> dict[str, Any]:
    """The lab's own power control of one machine."""
    say = f"cd {ROOT} && {sys.executable} -m tests.machines.lab say {lab.folder}"
    return {"command": {word: f"{say} {word} {name}" for word in ("on", "off", "state")}}
