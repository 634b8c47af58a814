"""The sections of the sweep, one file each: `SECTION`, what it is read as, and the shell text that asks for it."""

from __future__ import annotations

from collections.abc import Mapping

from restart.probes.section import Section
from restart.probes.sections import (
    addresses,
    boot,
    bootloader,
    changed,
    clock,
    connections,
    disks,
    enabled,
    firewall,
    identity,
    kernel,
    listening,
    mounts,
    network,
    present,
    raid,
    reboot_required,
    references,
    rights,
    running,
    sysctls,
    systemd,
)

SECTIONS: Mapping[str, Section[object]] = {
    module.SECTION.name: module.SECTION
    for module in (
        boot, identity, kernel, reboot_required, systemd,
        rights, enabled, listening, mounts, addresses, sysctls, firewall, bootloader, disks, raid, clock, present, changed,
        connections, references, running, network,
    )
}  # fmt: skip
"""All of them, by name. A sweep sends those that its reader chooses."""
