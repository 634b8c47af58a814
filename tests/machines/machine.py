"""One machine of the lab: a QEMU process while its power is on, a disk that outlives it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qemu.qmp import QMPClient

from tests.machines.image import Image

DISK_MIB = 256
SECOND_MIB = 128
"""An empty NVMe disk of a machine that has its root on a disk: it has SMART, and can be told to fail."""

MEMORY_MIB = 256
MEMORY_WITH_DISK_MIB = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Where a machine is found: SSH and HTTP on `address` (forwarded), `private` among the machines."""

    name: str
    number: int
    folder: Path

    @property
    def address(self) -> str:
        """SSH on port 22, HTTP on 80, etcd on 2379. QEMU accepts there also for a guest that is dead."""
        return f"127.0.7.{self.number}"

    @property
    def private(self) -> str:
        """On the network that joins the machines."""
        return f"10.77.0.{self.number}"


class Machine:
    """A real kernel that really boots. Not for use by two threads at once."""

    def __init__(self, spec: Spec, image: Image, *, accel: str) -> None:
        self.spec = spec
        self._image = image
        self._accel = accel
        self._process: subprocess.Popen[bytes] | None = None
        spec.folder.mkdir(parents=True, exist_ok=True)
        self._disk = spec.folder / "disk"
        self._second = None if image.disk is None else spec.folder / "second"
        if image.disk is not None:
            subprocess.run(["cp", "--sparse=always", image.disk, self._disk], check=True)
            with (spec.folder / "second").open("wb") as file:
                file.truncate(SECOND_MIB << 20)
        else:
            with self._disk.open("wb") as file:
                file.truncate(DISK_MIB << 20)
            subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", self._disk], check=True)

    @property
    def is_on(self) -> bool:
        """Whether its power is on; a machine that switched itself off is off."""
        return self._process is not None and self._process.poll() is None

    def switch_on(self) -> None:
        """Power on; nothing happens to a machine that is on."""
        if self.is_on:
            return
        with (self.spec.folder / "console.log").open("ab") as console:
            self._process = subprocess.Popen(
                # The kernel ends it with the process that started it, however that one ends.
                ["setpriv", "--pdeathsig", "KILL", "--", *self._command()],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )

    def switch_off(self) -> None:
        """Pull the plug; what was not written to the disk is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def reset(self) -> None:
        """The reset button."""
        self._qmp("system_reset")
        self._qmp("cont")

    def press_power(self) -> None:
        """The power button, which this guest's kernel hands to nobody: a graceful restart that never comes."""
        self._qmp("system_powerdown")

    def freeze(self) -> None:
        """Stop its processor: ports go on to accept, nothing answers."""
        self._qmp("stop")

    def thaw(self) -> None:
        """Let its processor go on."""
        self._qmp("cont")

    def link(self, *, up: bool) -> None:
        """Pull its network cables, or plug them in again."""
        for card in ("outside", "inside"):
            self._qmp("set_link", {"name": card, "up": up})

    def warn_of_disk(self, warning: int) -> None:
        """Let the NVMe disk say of itself that it fails: the critical warnings of its SMART log, as bits; 0: none."""
        self._qmp(
            "qom-set", {"path": "/machine/peripheral/second", "property": "smart_critical_warning", "value": warning}
        )

    def _qmp(self, command: str, arguments: Mapping[str, Any] | None = None) -> None:
        if not self.is_on:
            raise ValueError(f"{self.spec.name} is off")
        asyncio.run(_say(self.spec.folder / "qmp", command, arguments))

    def _command(self) -> list[str | os.PathLike[str]]:
        spec, monitor = self.spec, self.spec.folder / "qmp"
        forwards = ",".join(f"hostfwd=tcp:{spec.address}:{port}-:{port}" for port in (22, 80, 2379))
        memory = MEMORY_MIB if self._image.disk is None else MEMORY_WITH_DISK_MIB
        mac = f"52:54:00:77:00:{spec.number:02x}"
        second = (
            [
                "-drive",
                f"file={self._second},format=raw,if=none,id=second-file",
                "-device",
                "nvme,id=second,drive=second-file,serial=second",
            ]
            if self._second is not None
            else []
        )
        return [
            "qemu-system-x86_64", "-M", "q35", "-accel", self._accel, "-m", str(memory), "-smp", "1",
            "-nodefaults", "-display", "none", "-serial", f"file:{spec.folder / 'serial.log'}",
            "-kernel", self._image.kernel, "-initrd", self._image.initrd,
            "-append", f"console=ttyS0 quiet panic=5 no_timer_check mitigations=off net.ifnames=0 lab.name={spec.name} lab.number={spec.number}",
            "-netdev", f"user,id=outside,restrict=on,{forwards}", "-device", "virtio-net-pci,netdev=outside,romfile=",
            "-netdev", f"tap,id=inside,ifname=tap{spec.number},script=no,downscript=no",
            "-device", f"virtio-net-pci,netdev=inside,mac={mac},romfile=",
            "-drive", f"file={self._disk},format=raw,if=virtio,cache=writethrough",
            "-qmp", f"unix:{monitor},server=on,wait=off", *second,
        ]  # fmt: skip


async def _say(path: Path, command: str, arguments: Mapping[str, Any] | None) -> None:
    client = QMPClient("lab")
    await client.connect(str(path))
    try:
        await client.execute(command, dict(arguments) if arguments else None)
    finally:
        await client.disconnect()
