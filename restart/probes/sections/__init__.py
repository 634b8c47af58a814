"""The sections of the sweep, one file each: `SECTION`, what it is read as, and the shell text that asks for it."""

from __future__ import annotations

from collections.abc import Mapping

from restart.probes.section import Section
from restart.probes.sections import boot, identity, kernel, reboot_required, systemd

SECTIONS: Mapping[str, Section[object]] = {
    section.name: section
    for section in (boot.SECTION, identity.SECTION, kernel.SECTION, reboot_required.SECTION, systemd.SECTION)
}
"""All of them, by name. A sweep sends those that its reader chooses."""
