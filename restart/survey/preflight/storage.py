"""Rules about disks: mounts against fstab, room, read-only, checks that are due, arrays and disks that fail."""

from __future__ import annotations

from collections.abc import Iterator

from restart.model.preflight import Found, Grade
from restart.probes.sections import disks, mounts, raid
from restart.probes.sections.mounts import Mount, Mounts
from restart.probes.sweep import Swept

KEPT = frozenset(
    [
        "ext2",
        "ext3",
        "ext4",
        "xfs",
        "btrfs",
        "f2fs",
        "jfs",
        "reiserfs",
        "vfat",
        "exfat",
        "ntfs",
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "ceph",
        "fuse.ceph",
        "fuse.glusterfs",
        "glusterfs",
        "ocfs2",
        "gfs2",
        "lustre",
        "beegfs",
    ]
)
"""Kinds of file systems that hold data which somebody would miss. ZFS mounts by itself."""

OTHERS = (
    "/run/", "/snap/", "/media/", "/proc/", "/sys/", "/dev/", "/var/lib/docker/", "/var/lib/containers/", "/var/lib/kubelet/",
    "/var/lib/containerd/", "/var/lib/rancher/", "/var/lib/lxc/", "/var/lib/lxd/", "/var/lib/incus/", "/var/snap/",
)  # fmt: skip
"""Under these somebody else mounts, and will again."""

OF_CONTAINERS = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
IMAGES = frozenset({"overlay", "squashfs", "erofs", "iso9660", "composefs"})
"""A root of these kinds is meant to be read-only."""

NEARLY_FULL, FULL = 0.05, 0.005
"""Shares of a file system that are free: below the first it is nearly full, below the second full."""


def fstab(swept: Swept) -> Iterator[Found]:
    """What is mounted and in no fstab, what is in fstab and not mounted, and devices that fstab names and that are not there."""
    seen = swept.of(mounts.SECTION)
    if seen is None or seen.entries is None:
        return
    named = {entry.place for entry in seen.entries}
    automounts = {mount.place for mount in seen.mounts if mount.kind == "autofs"}
    for mount in dict.fromkeys(seen.mounts):
        if mount.place not in named and _is_missed(mount, seen, automounts):
            yield Found(
                rule="mount-not-in-fstab",
                grade=Grade.BLOCKS,
                evidence=f"{mount.device} is mounted on {mount.place} ({mount.kind}) and is not in fstab",
                why="after the reboot it is not: programs find what lies below, mostly an empty folder, and what they write fills that disk",
                mend="add it to /etc/fstab, or unmount it now if nobody needs it",
            )
    live = {mount.place for mount in seen.mounts}
    for entry in seen.entries:
        if entry.kind == "swap" or entry.place in ("none", "swap"):
            continue
        if entry.device_there is False and "noauto" not in entry.options:
            yield Found(
                rule="fstab-device-missing",
                grade=Grade.BLOCKS if entry.is_needed else Grade.WARNS,
                evidence=f"fstab mounts {entry.device} on {entry.place}, and there is no such device"
                + ("" if entry.is_needed else " (nofail)"),
                why="the boot waits for it for 90 s and then stops in emergency mode"
                if entry.is_needed
                else "the folder stays empty",
                mend="take the line out of /etc/fstab, mend its name (lsblk -f), or add nofail",
            )
        elif entry.place not in live and "noauto" not in entry.options and entry.place.startswith("/"):
            yield Found(
                rule="fstab-not-mounted",
                grade=Grade.WARNS,
                evidence=f"fstab mounts {entry.device} on {entry.place}, and it is not mounted",
                why="the reboot will mount it over what is there now, or fail to",
                mend=f"try it now: mount {entry.place}; or take the line out",
            )
    yield from _swaps(seen)


def _is_missed(mount: Mount, seen: Mounts, automounts: set[str]) -> bool:
    if mount.kind not in KEPT or mount.place == "/" or mount.place in OF_CONTAINERS:
        return False
    if mount.place.startswith(OTHERS) or any(
        mount.place == place or mount.place.startswith(place + "/") for place in automounts
    ):
        return False
    unit = escaped(mount.place)
    return f"{unit}.mount" not in seen.units and f"{unit}.automount" not in seen.units


def escaped(path: str) -> str:
    """The name of the unit that mounts `path`, without its ending (systemd-escape --path)."""
    bare = path.strip("/")
    kept = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_."
    return "".join(
        "-" if mark == "/" else mark if mark in kept else "".join(f"\\x{byte:02x}" for byte in mark.encode())
        for mark in bare
    )


def _swaps(seen: Mounts) -> Iterator[Found]:
    named = {entry.device for entry in seen.entries or () if entry.kind == "swap"}
    by_name = any(entry.device_there is not True for entry in seen.entries or () if entry.kind == "swap")
    for swap in seen.swaps:
        unit = f"{escaped(swap)}.swap"
        # A line whose device could not be told apart may well mean this one.
        if swap not in named and not by_name and unit not in seen.units and not swap.startswith("/dev/zram"):
            yield Found(
                rule="swap-not-in-fstab",
                grade=Grade.WARNS,
                evidence=f"{swap} is swapped to and is not in fstab",
                why="after the reboot the host has less memory than it has now",
                mend="add it to /etc/fstab, or swapoff it now and see whether it is needed",
            )


def room(swept: Swept) -> Iterator[Found]:
    """/ and /boot: full, nearly full, read-only."""
    seen = swept.of(disks.SECTION)
    for one in seen.rooms if seen is not None else ():
        free = one.free / one.total if one.total > 0 else 1.0
        if free < NEARLY_FULL:
            # A small /boot with room for what it holds is no matter of the reboot; / without any is.
            is_full = free < FULL and one.place == "/"
            yield Found(
                rule="full",
                grade=Grade.BLOCKS if is_full else Grade.WARNS,
                evidence=f"{one.place} has {one.free} of {one.total} {one.unit} free ({free:.1%})",
                why="services that write when they start do not start"
                if one.place == "/"
                else "a new initramfs is cut off",
                mend="make room: old kernels, journals (journalctl --vacuum-size), caches",
            )
    mounted = swept.of(mounts.SECTION)
    if mounted is None:
        return
    wanted = {entry.place for entry in mounted.entries or () if "ro" in entry.options}
    # Of several on one place the last one counts.
    last = {mount.place: mount for mount in mounted.mounts}
    for place in ("/", "/boot"):
        mount = last.get(place)
        if mount is not None and mount.read_only and place not in wanted and mount.kind not in IMAGES:
            yield Found(
                rule="read-only",
                grade=Grade.BLOCKS if place == "/" else Grade.WARNS,
                evidence=f"{place} ({mount.device}, {mount.kind}) is mounted read-only, and fstab does not say so",
                why="the kernel does that when a disk fails; the host may not come up again",
                mend="look with `dmesg`; check the file system, see to the disk, remount it",
            )


def checks(swept: Swept) -> Iterator[Found]:
    """File systems that the next boot checks, and those that have seen errors."""
    seen = swept.of(disks.SECTION)
    if seen is None:
        return
    for device, why in seen.due:
        yield Found(
            rule="fsck-due",
            grade=Grade.WARNS,
            evidence=f"{device}: {why}",
            why="the boot checks it first, which takes minutes to hours and may wait for an answer at the console",
            mend="plan for the time (expect.boot), or check it in its own window",
        )
    for device, number in seen.errors:
        yield Found(
            rule="filesystem-errors",
            grade=Grade.WARNS,
            evidence=f"{device}: the kernel has counted {number} {'error' if number == 1 else 'errors'} on it",
            why="the boot's check may stop and wait for somebody at the console",
            mend="have a console at hand; check the file system in its own window",
        )


def arrays(swept: Swept) -> Iterator[Found]:
    """Arrays without redundancy, arrays at work, disks that say they fail."""
    seen = swept.of(raid.SECTION)
    if seen is None:
        return
    for name, what in seen.degraded:
        yield Found(
            rule="raid-degraded",
            grade=Grade.BLOCKS,
            evidence=f"{name} is degraded: {what}",
            why="one more disk that does not spin up again and the data is gone; some arrays do not start degraded",
            mend="replace the disk and let it rebuild first",
        )
    for name, what in seen.rebuilding:
        yield Found(
            rule="raid-rebuilding",
            grade=Grade.WARNS,
            evidence=f"{name} rebuilds: {what}",
            why="the reboot makes it begin or go on later, and disks are busy meanwhile",
            mend="wait until /proc/mdstat shows it done",
        )
    for name, what in seen.failing:
        yield Found(
            rule="disk-failing",
            grade=Grade.BLOCKS,
            evidence=f"{name} says of itself: {what}",
            why="a disk that fails often does not come back from being switched off",
            mend="copy what is on it, replace it",
        )
