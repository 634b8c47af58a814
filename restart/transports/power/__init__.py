"""The shelf of power methods: each switches a host's power and reads it, over a BMC, a hypervisor or any command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from restart.errors import must
from restart.model.inventory import Host


def declared(host: Host) -> Mapping[str, Any]:
    """The params of the host's power control. A method is asked only about hosts that declare it."""
    must(host.power is not None, f"{host.name} declares no power control")
    return host.power.params if host.power else {}
