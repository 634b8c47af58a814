"""Whose an address or a name is. Pure: what the inventory says, and what each host said of itself."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address

from restart.model.inventory import Inventory
from restart.probes.sections.connections import plain


@lru_cache(maxsize=100_000)
def is_loopback(address: str) -> bool:
    """Whether every machine has it: loopback, or no address at all."""
    try:
        found = ip_address(address)
    except ValueError:
        return address.lower() in ("localhost", "*", "")
    return found.is_loopback or found.is_unspecified


class Addresses:
    """Which host has which address and name."""

    def __init__(self, inventory: Inventory, live: Mapping[str, frozenset[str]]) -> None:
        """`live` are the addresses that hosts said to have."""
        self._of: dict[str, set[str]] = {}
        self._named: dict[str, str] = {}
        self._short: dict[str, set[str]] = {}
        for name, host in inventory.hosts.items():
            address = plain(host.address)
            for one in {address, *live.get(name, ())}:
                if _is_address(one) and not is_loopback(one):
                    self._of.setdefault(one, set()).add(name)
            self._named.setdefault(name.lower(), name)
            if not _is_address(address):
                self._named.setdefault(address.lower(), name)
            for called in {name.lower(), address.lower()}:
                if not _is_address(called):
                    self._short.setdefault(called.partition(".")[0], set()).add(name)

    def owners(self, address: str) -> frozenset[str]:
        """The hosts that have `address`: one as a rule, none outside of the fleet, several where they share it (a bridge, a moving address)."""
        return frozenset(self._of.get(address, ()))

    def named(self, called: str, known: Mapping[str, str], *, short: bool = True) -> frozenset[str]:
        """The hosts that `called` may be, an address or a name; `known` is what the asking host's own /etc/hosts says.

        `short`: `db-1.internal` is `db-1` where there is one such host, and the other way round.
        """
        name = called.rstrip(".").lower()
        if _is_address(name):
            return self.owners(plain(name))
        if name in known:
            return self.owners(plain(known[name]))
        if name in self._named:
            return frozenset({self._named[name]})
        alike = self._short.get(name.partition(".")[0], set()) if short else set()
        return frozenset(alike) if len(alike) == 1 and "." in name else frozenset()


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
