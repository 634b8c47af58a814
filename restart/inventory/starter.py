"""The texts that `restart init` writes: an inventory and a playbook that are valid as they are."""

from __future__ import annotations

from pathlib import Path


def starter_inventory() -> str:
    """A small commented inventory."""
    return _text("starter-inventory.yml")


def starter_playbook() -> str:
    """A commented playbook named `reboot`."""
    return _text("starter-playbook.yml")


def _text(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
