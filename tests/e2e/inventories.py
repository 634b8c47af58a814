"""Pieces of inventories for the fleet: checks that are asked often, since its hosts boot in seconds, and a pace without canaries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.fleet import HTTP_PORT


def http_ready() -> list[dict[str, Any]]:
    """The host's own HTTP service answers 200 and goes on to."""
    return [{"http": {"url": f"http://{{address}}:{HTTP_PORT}/", **_often()}}]


def http_gate(url: str) -> list[dict[str, Any]]:
    """`url` answers 200; given up after a few seconds."""
    return [{"http": {"url": url, **_often(), "within": "4s"}}]


def _often() -> dict[str, str]:
    return {"every": "300ms", "healthy_for": "600ms", "within": "90s", "timeout": "5s"}


def quick(**more: Any) -> dict[str, Any]:
    """A policy without canaries and slow start, so that few hosts make few waves."""
    return {"pace": "fixed", "canaries": 0, **more}


def write_reboot(folder: Path, *, down_within: str = "60s", back_within: str = "90s") -> None:
    """A playbook `reboot` beside the inventory, with these deadlines."""
    (folder / "playbooks").mkdir(exist_ok=True)
    rung = f"  - reboot: {{down_within: {down_within}, back_within: {back_within}}}\n"
    (folder / "playbooks" / "reboot.yml").write_text(f"version: 1\nname: reboot\nrestart:\n{rung}", encoding="utf-8")
