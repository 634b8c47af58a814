"""Rules about the boot itself: what the boot loader names, kernels that were never tried, files that no boot has proved."""

from __future__ import annotations

from collections.abc import Iterator

from restart.model.preflight import Found, Grade
from restart.probes.sections import boot, bootloader, changed, clock, kernel
from restart.probes.sections.bootloader import Bootloader
from restart.probes.sweep import Swept

DAY_S = 86_400.0
YEAR_S = 365 * DAY_S


def loaders(swept: Swept) -> Iterator[Found]:
    """Files that the boot loader names and that are not there, and a newest kernel that lacks its initramfs or modules."""
    seen = swept.of(bootloader.SECTION)
    if seen is None:
        return
    yield from _named(seen)
    newest = seen.newest
    if newest is None:
        return
    uses_initramfs = any(one.has_initramfs for one in seen.installed)
    uses_modules = any(one.has_modules for one in seen.installed)
    for lacks, what in (
        (uses_initramfs and not newest.has_initramfs, "its initramfs is missing or empty"),
        (uses_modules and not newest.has_modules, "its modules are missing"),
    ):
        if lacks:
            yield Found(
                rule="kernel-incomplete",
                grade=Grade.BLOCKS,
                evidence=f"kernel {newest.version} is the newest in /boot, and {what}",
                why="it is what the boot loader starts next, and it will not find its root file system or its drivers",
                mend="make it again (update-initramfs -u -k all, dracut -f --regenerate-all), or remove that kernel",
            )


def _named(seen: Bootloader) -> Iterator[Found]:
    newest = seen.newest.version if seen.newest is not None else None
    told: set[str] = set()
    for one in seen.named:
        if one.is_there or one.path in told:
            continue
        told.add(one.path)
        is_next = newest is not None and one.path.endswith(newest) if not seen.ordered else one.entry <= 1
        yield Found(
            rule="bootloader",
            grade=Grade.BLOCKS if is_next else Grade.WARNS,
            evidence=f"the boot loader's entry {one.entry} names {one.path}, and there is no such file in /boot",
            why="the host stops before its kernel runs"
            if is_next
            else "an entry that is chosen by hand does not start",
            mend="write its configuration anew: update-grub, grub2-mkconfig -o /boot/grub2/grub.cfg",
        )


def kernels(swept: Swept) -> Iterator[Found]:
    """A reboot that starts another kernel than runs."""
    seen = swept.of(kernel.SECTION)
    if seen is not None and seen.is_old:
        yield Found(
            rule="pending-kernel",
            grade=Grade.NOTES,
            evidence=f"kernel {seen.running} runs, {seen.newest} is installed",
            why="the reboot starts a kernel that this host has not run",
            mend="nothing, where it is wanted; canaries show whether it does",
        )


def unproved(swept: Swept) -> Iterator[Found]:
    """Files that a boot reads and that were changed since the last one; a host that has not booted for years."""
    seen = swept.of(changed.SECTION)
    if seen is not None and seen.files:
        more = f" and {len(seen.files) - 6} more" if len(seen.files) > 6 else ""
        yield Found(
            rule="changed-since-boot",
            grade=Grade.NOTES,
            evidence=f"changed since the last boot: {', '.join(seen.files[:6])}{more}",
            why="no boot has proved them",
            mend="read them once more; restart a host of this kind first, and look",
        )
    up = swept.of(boot.SECTION)
    if up is not None and up.uptime_s > YEAR_S:
        yield Found(
            rule="long-uptime",
            grade=Grade.WARNS,
            evidence=f"up for {up.uptime_s // DAY_S:.0f} days",
            why="nothing that was changed in that time has been proved by a boot, and old disks and fans may not start again",
            mend="restart it alone and early, with somebody who can reach it",
        )


def clocks(swept: Swept) -> Iterator[Found]:
    """A clock that nobody keeps."""
    seen = swept.of(clock.SECTION)
    if seen is not None and seen.synchronised is False:
        yield Found(
            rule="clock",
            grade=Grade.WARNS,
            evidence=f"{seen.source} says that the clock is not synchronised",
            why="after the reboot it is what the hardware's clock says: certificates, tickets and clusters refuse it",
            mend="mend its time servers (chronyc sources, timedatectl timesync-status)",
        )
