"""The image of a whole Debian with systemd, as its installer leaves one: kernel, GRUB, ifupdown with DHCP, a clock that is kept.

What a busybox machine cannot tell: `systemctl reboot`, units that run and are not enabled, what preflight says of a host on which
nothing is wrong. mmdebstrap puts it into a folder, and the folder becomes a disk; a minute or so of CPU, and it is kept.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import platformdirs

from tests.machines import image
from tests.machines.image import Image

GUEST = Path(__file__).parent / "guest_debian"
STOCK = ("linux-image-cloud-amd64", "grub2-common", "grub-pc-bin", "openssh-server", "dbus", "libpam-systemd", "systemd-timesyncd", "sudo")  # fmt: skip
"""What an installed server has beside the packages of priority `important`."""

PLANTED_WITH = ("busybox", "mdadm", "smartmontools")
"""What the lab itself needs on it, and what defects are planted with."""

DISK_MIB = 1200
ROOT_UUID = "6b0d1b2e-7c3f-4f0e-9d55-1f2a3b4c5d6e"


def build() -> Image:
    """The image, from the cache where nothing that goes into it has changed. Needs root and mmdebstrap.

    Raises `RuntimeError` where the packages cannot be had.
    """
    lean = image.build()
    with image.alone("debian"):
        return _build(lean)


def _build(lean: Image) -> Image:
    folder = (
        Path(platformdirs.user_cache_dir("staged-restart-lab")) / f"{lean.kernel.parent.name}-debian-{_fingerprint()}"
    )
    built = Image(kernel=lean.kernel, initrd=folder / "initrd.gz", disk=folder / "disk")
    if not folder.exists():
        work = folder.with_name(f"{folder.name}.{os.getpid()}")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            _install(work / "root")
            _disk(work / "root", work / "disk")
            _initrd(lean, work)
            work.rename(folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return built


def _fingerprint() -> str:
    whole = hashlib.sha256()
    for path in [Path(__file__), *sorted(GUEST.iterdir())]:
        whole.update(path.read_bytes())
    return whole.hexdigest()[:16]


def _install(root: Path) -> None:
    """The release, the mirrors and their keys are those that this machine itself is installed from."""
    words = ["mmdebstrap", "--variant=important", f"--include={','.join((*STOCK, *PLANTED_WITH))}"]
    words += ["--aptopt=APT::Install-Recommends false", "--dpkgopt=force-unsafe-io", "--skip=output/dev"]
    told = subprocess.run([*words, _release(), str(root), *_mirrors()], capture_output=True, text=True, check=False)
    if told.returncode != 0:
        raise RuntimeError(f"mmdebstrap: exit {told.returncode}: {told.stderr[-2000:]}")
    for file, target, mode in (
        ("lab-address", "usr/local/sbin", 0o755),
        ("lab-address.service", "etc/systemd/system", 0o644),
        ("lab-boot", "usr/local/sbin", 0o755),
        ("lab-boot.service", "etc/systemd/system", 0o644),
        ("web.service", "etc/systemd/system", 0o644),
        ("timesyncd.conf", "etc/systemd/timesyncd.conf.d", 0o644),
    ):
        (root / target).mkdir(parents=True, exist_ok=True)
        (root / target / file).write_bytes((GUEST / file).read_bytes())
        (root / target / file).chmod(mode)
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (root / "etc/default/grub").write_text('GRUB_DEFAULT=0\nGRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\n')
    (root / "etc/fstab").write_text(f"UUID={ROOT_UUID} / ext4 errors=remount-ro 0 1\n")
    inside = ["chroot", root]
    subprocess.run(
        [*inside, "systemctl", "-q", "enable", "lab-address.service", "lab-boot.service", "web.service"], check=True
    )
    # Somebody who is not root, for what sudo allows and what it does not.
    subprocess.run([*inside, "useradd", "-m", "-s", "/bin/bash", "ops"], check=True)
    # The machine's identity is its own. Empty, not `uninitialized`: an installed machine does not set its units anew at its first boot.
    (root / "etc/machine-id").write_text("")


def _release() -> str:
    return next(
        line.removeprefix("VERSION_CODENAME=").strip()
        for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
        if line.startswith("VERSION_CODENAME=")
    )


def _mirrors() -> list[str]:
    """Lines of a sources.list, for the release and its security updates, where the kernel comes from."""
    found = []
    for codename in (_release(), f"{_release()}-security"):
        asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", f"Codename: {codename}"]
        told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
        found += [f"deb {told[0]} {codename} main"] if told else []
    return found


def _disk(root: Path, disk: Path) -> None:
    (root / "boot/grub").mkdir(exist_ok=True)
    with disk.open("wb") as file:
        file.truncate(DISK_MIB << 20)
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", "-U", ROOT_UUID, "-d", root, disk], check=True)
    shutil.rmtree(root)
    root.mkdir()
    told = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", _GRUB, "sh", disk, root], capture_output=True, text=True, check=False
    )
    if told.returncode != 0:
        raise RuntimeError(f"update-grub: exit {told.returncode}: {told.stderr[-2000:]}")
    root.rmdir()


_GRUB = """
loop=$(losetup --find --show "$1")
trap 'losetup --detach "$loop"' EXIT
at=$(stat -c "%Hr %Lr" "$loop")
mount -t tmpfs dev /dev
mknod /dev/null c 1 3
mknod /dev/vda b $at
mount /dev/vda "$2"
mount --rbind /dev "$2/dev"
mount -t proc proc "$2/proc"
chroot "$2" update-grub
umount --recursive "$2"
umount /dev
"""
"""GRUB looks below /dev for what is mounted on /, and must find it under the machine's name for it. The mounts end with their namespace."""


def _initrd(lean: Image, work: Path) -> None:
    """The lean machines' own, with another way to begin."""
    root = work / "early"
    root.mkdir()
    subprocess.run(["cpio", "-id", "--quiet"], cwd=root, input=gzip.decompress(lean.initrd.read_bytes()), check=True)
    (root / "init").unlink()
    shutil.copy(GUEST / "initrd-init", root / "init")
    (root / "init").chmod(0o755)
    for program in ("etcd", "etcdctl", "dropbear"):
        (root / "usr/sbin" / program).unlink()
    image.pack(root, work / "initrd.gz")
