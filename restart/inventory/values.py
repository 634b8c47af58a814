"""Single values of the format, as written, to the model's: durations, amounts, shares, ssh, expectations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from restart.inventory.tree import Block
from restart.model.inventory import Amount, Expect, Ssh
from restart.rules.durations import seconds


def seconds_of(held: Mapping[str, Any], key: str) -> float | None:
    """The duration under `key` in seconds; None where it is not stated."""
    text = held.get(key)
    return None if text is None else seconds(text)


def seconds_or(held: Mapping[str, Any], key: str, default_s: float) -> float:
    """The duration under `key` in seconds, or the default."""
    text = held.get(key)
    return default_s if text is None else seconds(text)


def amount_of(value: int | str | None) -> Amount | None:
    """`3`, `25%`, `quorum` or `all`; None for None."""
    if value is None:
        return None
    if isinstance(value, int):
        return Amount(number=value)
    if value == "quorum":
        return Amount(quorum=True)
    if value == "all":
        return Amount(all=True)
    return Amount(percent=float(value.removesuffix("%")))


def share_of(text: str) -> float:
    """`10%` as 0.1."""
    return float(text.removesuffix("%")) / 100


def expect_of(held: Mapping[str, Any] | None) -> Expect | None:
    """`{boot: 3m, warm: 10s, down: 40s}`; None where nothing is stated."""
    if not held:
        return None
    return Expect(boot_s=seconds_of(held, "boot"), warm_s=seconds_of(held, "warm"), down_s=seconds_of(held, "down"))


def ssh_of(own: Mapping[str, Any], defaults: Ssh) -> Ssh:
    """A host's own keys over the inventory's defaults. A gateway of null is none."""
    return Ssh(
        user=own.get("user", defaults.user),
        port=own.get("port", defaults.port),
        identity_file=own.get("identity_file", defaults.identity_file),
        known_hosts=own.get("known_hosts", defaults.known_hosts),
        config=own.get("config", defaults.config),
        gateway=own.get("gateway", defaults.gateway),
        sudo=own.get("sudo", defaults.sudo),
    )


def plain(value: Any) -> Any:
    """A value of the tree without its places: dictionaries, lists and scalars."""
    if isinstance(value, dict):
        return {key: plain(held) for key, held in value.items()}
    if isinstance(value, list):
        return [plain(held) for held in value]
    return value


def written(block: Block, key: str) -> str:
    """The text under `key` as it stands in the file, also where it reads as a number."""
    value = block[key]
    if isinstance(value, str):
        return value
    return (block.written or {}).get(key, str(value))


def texts(value: str | list[str] | None) -> list[str]:
    """One text or a list of them, as a list."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else [text or "" for text in value]  # None: taken out, being wrong
