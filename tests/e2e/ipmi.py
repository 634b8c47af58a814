"""Starting and stopping `ipmi_sim` (Debian package openipmi): a BMC whose chassis is a file."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.e2e.fleet import WAIT_S

_LAN = """\
name "bmc"
set_working_mc 0x20
startlan 1
  addr 127.0.0.1 {port}
  priv_limit admin
  allowed_auths_callback none md2 md5 straight
  allowed_auths_user none md2 md5 straight
  allowed_auths_operator none md2 md5 straight
  allowed_auths_admin none md2 md5 straight
  guid a123456789abcdefa123456789abcdef
endlan
chassis_control "{folder}/chassis"
user 1 true "" "test" user 10 none md2 md5 straight
user 2 true "ops" "{password}" admin 10 none md2 md5 straight
"""

_BMC = """\
mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
"""

_CHASSIS = """\
#!/bin/sh
# get WHAT.. | set WHAT VALUE.. ; off takes a moment, as on a real chassis.
echo "$@" >> {folder}/log
op=$1; shift
while [ $# -gt 0 ]; do
    case "$op $1" in
        "get power") echo "power:$(cat {folder}/power)"; shift;;
        "get "*) echo "$1:0"; shift;;
        "set power") if [ "$2" = 0 ]; then (sleep {slow_s}; echo 0 > {folder}/power) >/dev/null 2>&1 & else echo 1 > {folder}/power; fi; shift 2;;
        "set shutdown") (sleep {slow_s}; echo 0 > {folder}/power) >/dev/null 2>&1 & shift 2;;
        *) shift; [ $# -eq 0 ] || shift;;
    esac
done
"""


class Ipmi:
    """One simulated BMC on 127.0.0.1. Ends with `with`."""

    def __init__(
        self,
        folder: Path,
        *,
        password: str = "s3cret-ipmi",
        slow_s: float = 0.2,
        chassis: str = _CHASSIS,
        inside: Callable[..., list[Any]] = lambda *command: list(command),
    ) -> None:
        """`chassis` is the script that is the chassis. `inside` makes of a command the one that runs it where the BMC is to be."""
        self.folder, self.password = folder, password
        self._inside = inside
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        (folder / "power").write_text("1\n", encoding="ascii")
        (folder / "log").touch()
        (folder / "lan.conf").write_text(
            _LAN.format(port=self.port, folder=folder, password=password), encoding="ascii"
        )
        (folder / "bmc.emu").write_text(_BMC, encoding="ascii")
        (folder / "chassis").write_text(chassis.format(folder=folder, slow_s=slow_s), encoding="ascii")
        (folder / "chassis").chmod(0o755)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = ["ipmi_sim", "-c", "lan.conf", "-f", "bmc.emu", "-s", str(self.folder / "state"), "-n"]
        with (self.folder / "sim.log").open("wb") as trouble:
            self._process = subprocess.Popen(
                self._inside(*command), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=trouble, stderr=trouble
            )
        until = time.monotonic() + WAIT_S
        while not self._answers():
            said = (self.folder / "sim.log").read_text(encoding="utf-8", errors="replace")[-2000:]
            if self._process.poll() is not None or time.monotonic() > until:
                self.__exit__()
                raise AssertionError(f"ipmi_sim does not serve: {said}")
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(WAIT_S)

    def _answers(self) -> bool:
        words = ["ipmitool", "-I", "lanplus", "-C", "3", "-H", "127.0.0.1", "-p", str(self.port), "-U", "ops"]
        words += ["-f", "/dev/stdin", "-N", "1", "-R", "1", "chassis", "power", "status"]
        asked = subprocess.run(
            self._inside(*words), input=f"{self.password}\n", text=True, capture_output=True, timeout=30, check=False
        )
        return asked.returncode == 0

    def control(self, **more: Any) -> dict[str, Any]:
        """The `ipmi:` of a host's `power:`, save where its password is."""
        given = {"address": "127.0.0.1", "port": self.port, "user": "ops", "privilege": "administrator"}
        return {**given, "cipher_suite": 3, **more}

    def sets(self) -> list[str]:
        """What the chassis was told to do."""
        lines = (self.folder / "log").read_text(encoding="ascii").splitlines()
        return [line.removeprefix("set ") for line in lines if line.startswith("set ")]
