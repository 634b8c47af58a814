"""The machines' image: Debian's cloud kernel, and a root file system in memory of busybox, dropbear and etcd.

Built from packages only, with no root file system on disk: the kernel's package is downloaded and unpacked, the programs are
those of this machine with the libraries they are linked to. It takes seconds, and is kept in the user's cache folder under
a name made of all that went into it.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import hashlib
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

GUEST = Path(__file__).parent / "guest"
PROGRAMS = ("/usr/sbin/dropbear", "/usr/bin/etcd", "/usr/bin/etcdctl")
BUSYBOX = "/bin/busybox"
MODULES = (
    "net/core/failover",
    "drivers/net/net_failover",
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci",
    "drivers/net/virtio_net",
    "drivers/block/virtio_blk",
)
"""In the order in which they must be loaded."""

FOLDERS = (
    "bin",
    "sbin",
    "usr/bin",
    "usr/sbin",
    "etc/dropbear",
    "proc",
    "sys",
    "dev",
    "run",
    "tmp",
    "data",
    "root/.ssh",
    "lib/modules",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What QEMU boots. `disk` is the root file system, of which each machine has a copy; None: it is in the initrd."""

    kernel: Path
    initrd: Path
    disk: Path | None = None


def build() -> Image:
    """The image, from the cache where nothing that goes into it has changed.

    Raises `subprocess.CalledProcessError` where the kernel's package cannot be had, `FileNotFoundError` where a program is missing.
    """
    with alone("image"):
        return _build()


@contextlib.contextmanager
def alone(what: str) -> Iterator[None]:
    """Of several processes that want `what` built, one builds it and the others wait; the kernel ends the wait with the builder."""
    cache = Path(platformdirs.user_cache_dir("staged-restart-lab"))
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{what}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build() -> Image:
    package = _kernel_package()
    folder = Path(platformdirs.user_cache_dir("staged-restart-lab")) / f"{package}-{_fingerprint()}"
    image = Image(kernel=folder / "vmlinuz", initrd=folder / "initrd.gz")
    if not image.initrd.exists():
        # In a folder of its own first: a build that is cut off must not leave half of it.
        work = folder.with_name(f"{folder.name}.{os.getpid()}")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            _unpack_kernel(package, work)
            _pack(work)
            shutil.rmtree(folder, ignore_errors=True)
            work.rename(folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return image


def _kernel_package() -> str:
    told = subprocess.run(
        ["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True, check=True
    ).stdout
    found = [line.split()[-1] for line in told.splitlines() if line.strip().startswith("Depends: linux-image-")]
    if not found:
        raise FileNotFoundError("apt knows no linux-image-cloud-amd64 (apt-get update, on Debian amd64)")
    return found[0]


def _fingerprint() -> str:
    whole = hashlib.sha256()
    for path in [Path(__file__), *sorted(GUEST.iterdir()), *map(Path, (BUSYBOX, *PROGRAMS))]:
        whole.update(path.read_bytes())
    return whole.hexdigest()[:16]


def _unpack_kernel(package: str, work: Path) -> None:
    subprocess.run(["apt-get", "-q", "download", package], cwd=work, check=True, capture_output=True)
    (archive,) = work.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", archive, work / "kernel"], check=True)
    (kernel,) = (work / "kernel/boot").glob("vmlinuz-*")
    shutil.copy(kernel, work / "vmlinuz")


def _pack(work: Path) -> None:
    root = work / "root"
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    _programs(root)
    (modules,) = (work / "kernel/lib/modules").iterdir()
    for module in MODULES:
        shutil.copy(modules / "kernel" / f"{module}.ko", root / "lib/modules")
    (root / "lib/modules/order").write_text("".join(f"{Path(module).name}\n" for module in MODULES))
    for file in GUEST.iterdir():
        shutil.copy(file, root / "etc" / file.name)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    # A static busybox falls over the shared libraries of the others when it looks for a module that resolves names.
    (root / "etc/nsswitch.conf").write_text("hosts: files\n")
    (root / "etc/shells").write_text("/bin/sh\n")
    for secret in ("root", "root/.ssh"):
        (root / secret).chmod(stat.S_IRWXU)
    (root / "init").symlink_to("/sbin/init")
    pack(root, work / "initrd.gz")
    shutil.rmtree(work / "kernel")


def pack(root: Path, target: Path) -> None:
    """Make an initrd of the folder `root`, and remove the folder."""
    names = "\n".join(sorted(str(path.relative_to(root)) for path in root.rglob("*")))
    words = ["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"]
    archive = subprocess.run(words, cwd=root, input=names.encode(), capture_output=True, check=True).stdout
    target.write_bytes(gzip.compress(archive, 1))
    shutil.rmtree(root)


def _programs(root: Path) -> None:
    shutil.copy(BUSYBOX, root / "bin/busybox")
    applets = subprocess.run([BUSYBOX, "--list-full"], capture_output=True, text=True, check=True).stdout.split()
    for applet in applets:
        link = root / applet
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to("/bin/busybox")
    for program in PROGRAMS:
        shutil.copy(program, root / "usr/sbin")
        told = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for library in (word for word in told.split() if word.startswith("/")):
            target = root / library.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)
