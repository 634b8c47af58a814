"""The image of a whole Debian with systemd: debootstrap into a folder, the folder into a disk. Takes a minute or two, and is kept.

What a busybox machine cannot tell: `systemctl reboot`, `is-system-running`, units that run and are not enabled.
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
PACKAGES = ("systemd-sysv", "dbus", "openssh-server", "udev", "iproute2", "busybox", "kmod")
DISK_MIB = 900


def build() -> Image:
    """The image, from the cache where nothing that goes into it has changed. Needs root and debootstrap.

    Raises `subprocess.CalledProcessError` where the packages cannot be had.
    """
    lean = image.build()
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
    """The release and the mirror that this machine itself is installed from."""
    release = next(
        line.removeprefix("VERSION_CODENAME=").strip()
        for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
        if line.startswith("VERSION_CODENAME=")
    )
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", f"Codename: {release}"]
    mirror = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()[0]
    words = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", release, root, mirror]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    for file, target, mode in (
        ("lab-boot", "usr/local/sbin", 0o755),
        ("lab-boot.service", "etc/systemd/system", 0o644),
        ("web.service", "etc/systemd/system", 0o644),
    ):
        (root / target / file).write_bytes((GUEST / file).read_bytes())
        (root / target / file).chmod(mode)
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (root / "etc/ssh/sshd_config.d/lab.conf").write_text(
        "HostKey /etc/ssh/ssh_host_ed25519_key\nPermitRootLogin prohibit-password\nUsePAM no\nUseDNS no\n"
    )
    (root / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 1\n")
    subprocess.run(
        ["chroot", root, "systemctl", "enable", "lab-boot.service", "web.service", "ssh.service"], check=True
    )
    # Packages that were fetched are no part of the machine, and its identity is its own.
    shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
    (root / "etc/machine-id").write_text("uninitialized\n")


def _disk(root: Path, disk: Path) -> None:
    with disk.open("wb") as file:
        file.truncate(DISK_MIB << 20)
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", "-d", root, disk], check=True)
    shutil.rmtree(root)


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
