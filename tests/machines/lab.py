"""A lab of real virtual machines: `up` builds what is missing and boots them, and everything ends with the process that began it.

By hand, from the root of the repository, as root on Debian:

    python -m tests.machines.lab build              # the image, if it is not in the cache
    python -m tests.machines.lab up 4 [--etcd | --debian]  # m1 to m4 until Ctrl-C; tells the folder to say to the others
    python -m tests.machines.lab status FOLDER      # each machine's power, boots, seconds to well
    python -m tests.machines.lab say FOLDER cycle m2          # on, off, cycle, reset, freeze, thaw, new-key
    python -m tests.machines.lab say FOLDER faults m2 hang@2  # see faults.py
    python -m tests.machines.lab shell FOLDER ssh -F FOLDER/ssh_config m2
    python -m tests.machines.lab down FOLDER

The machines live in a network namespace of their own: SSH and HTTP of machine N are 127.0.7.N ports 22 and 80 in there,
which `shell` enters. Emulated in software; `--accel kvm` is taken only where a machine was proved to boot under it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.machines import debian as debian_image
from tests.machines import image
from tests.machines.machine import Spec

ROOT = Path(__file__).parents[2]
BOOT_S = 120.0
"""How long a machine may take to be well; emulated, on a machine that others use too."""

BOOTS_BORNE = 4.0
"""A reboot that takes longer than so many first boots, all machines at once, is not slow: it does not come back."""

KEYS_EACH = 3
"""Host keys made for each machine: the first, and those it has after `new-key`."""


class Lab:
    """Machines named `names`, numbered from 1. Starts with `with`; all its processes end at the latest when this one does.

    `on` says which are switched on at the start (None: all). `etcd` joins them all to one cluster. `debian`: whole Debians with systemd,
    which want a minute to boot.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        faults: Mapping[str, Sequence[str]] | None = None,
        on: Collection[str] | None = None,
        etcd: bool = False,
        debian: bool = False,
        accel: str = "tcg,thread=single",
    ) -> None:
        # A short path: a Unix socket's may have 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="lab-"))
        self.specs = {
            name: Spec(name=name, number=number, folder=self.folder / name) for number, name in enumerate(names, 1)
        }
        # Here and not among the machines: there is no network to fetch a kernel from in there.
        built = debian_image.build() if debian else image.build()
        self._debian = debian
        told = {
            "kernel": str(built.kernel),
            "initrd": str(built.initrd),
            "disk": None if built.disk is None else str(built.disk),
            "machines": list(names),
            "faults": {name: list(words) for name, words in (faults or {}).items()},
            "on": list(names if on is None else on),
            "etcd": etcd,
            "accel": accel,
        }
        (self.folder / "lab.json").write_text(json.dumps(told), encoding="utf-8")
        self._on = told["on"]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        self._write_keys()
        with (self.folder / "supervisor.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["unshare", "--net", sys.executable, "-m", "tests.machines.supervisor", self.folder],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                # A Ctrl-C at the terminal is for whoever began the lab, who then ends it.
                start_new_session=True,
            )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != b"ready\n":
            raise RuntimeError(f"the lab did not begin: {(self.folder / 'supervisor.log').read_text()[-2000:]}")

    def close(self) -> None:
        """Switch everything off and leave nothing behind."""
        if self._process is not None:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write_keys(self) -> None:
        """The key that opens the machines, their host keys, and the files that SSH and the tool read."""
        identity = self.folder / "id"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", identity], check=True)
        (self.folder / "keys").mkdir()
        known = []
        for name, spec in self.specs.items():
            for number in range(1, KEYS_EACH + 1):
                key = self.folder / "keys" / f"{name}.{number}"
                public = self._make_key(key)
                if number == 1:
                    known.append(f"{spec.address} {public}\n")
        (self.folder / "known_hosts").write_text("".join(known))
        (self.folder / "ssh_config").write_text(
            "".join(f"Host {name}\n  HostName {spec.address}\n" for name, spec in self.specs.items())
            + f"Host *\n  User root\n  IdentityFile {identity}\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.folder / 'known_hosts'}\n"
        )

    def _make_key(self, file: Path) -> str:
        """A host key in the format of the machine's SSH server; its public half."""
        if self._debian:
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
            made = file.with_name(f"{file.name}.pub").read_text(encoding="utf-8")
        else:
            words = ["dropbearkey", "-t", "ed25519", "-f", file]
            made = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        public = next(line for line in made.splitlines() if line.startswith("ssh-ed25519 "))
        return " ".join(public.split()[:2])

    # --- words ---------------------------------------------------------------------------------------------------------

    def say(self, word: str, name: str = "", *more: Any) -> Any:
        """A word to the lab (supervisor.py). Raises `ValueError` where it cannot be done."""
        return say(self.folder, word, name, *more)

    def status(self) -> dict[str, Any]:
        """By machine: `power`, and its `boots` (`boot_id`, `at_s`, `well_s`, in seconds since the lab began)."""
        found: dict[str, Any] = self.say("status")
        return found

    def boots(self, name: str) -> list[str]:
        """The boot ids that a machine has had, in their order."""
        return [boot["boot_id"] for boot in self.status()[name]["boots"]]

    def await_well(self, names: Collection[str] | None = None, within_s: float = BOOT_S) -> None:
        """Until the last boot of each of these (None: those switched on at the start) has said that it is well."""
        wanted = set(self._on if names is None else names)
        until_s = time.monotonic() + within_s
        while wanted:
            status = self.status()
            wanted = {
                name for name in wanted if not status[name]["boots"] or status[name]["boots"][-1]["well_s"] is None
            }
            if wanted and time.monotonic() > until_s:
                raise TimeoutError(f"not well after {within_s:g} s: {sorted(wanted)}\n{self.consoles(wanted)}")
            time.sleep(0.2 if wanted else 0.0)

    def patience_s(self, least_s: float) -> float:
        """A deadline for a boot, of at least `least_s`: several times what the slowest first boot took here, beside whatever else goes on."""
        took = [told["boots"][0]["well_s"] or 0.0 for told in self.status().values() if told["boots"]]
        return max(least_s, BOOTS_BORNE * max(took, default=BOOT_S / BOOTS_BORNE))

    def consoles(self, names: Collection[str]) -> str:
        """The last that these machines' consoles said."""
        files = [self.specs[name].folder / "serial.log" for name in sorted(names)]
        return "\n".join(
            f"{file.parent.name}: {file.read_text(errors='replace')[-500:]}" for file in files if file.exists()
        )

    def inside(self, *command: str | os.PathLike[str]) -> list[str | os.PathLike[str]]:
        """`command`, to be run in the lab's network namespace."""
        assert self._process is not None
        return ["nsenter", f"--net=/proc/{self._process.pid}/ns/net", "--", *command]

    @property
    def pid(self) -> int:
        """The process whose network namespace the machines live in."""
        assert self._process is not None
        return self._process.pid

    def table(self) -> str:
        """Machine, boots, seconds from each boot's first word to being well."""
        lines = ["machine  boot  boot id                               began    well after"]
        for name, told in self.status().items():
            for number, boot in enumerate(told["boots"], 1):
                well = "-" if boot["well_s"] is None else f"{boot['well_s'] - boot['at_s']:.1f} s"
                lines.append(f"{name:8} {number:4}  {boot['boot_id']}  {boot['at_s']:6.1f} s  {well}")
        return "\n".join(lines)


def say(folder: Path, word: str, name: str = "", *more: Any) -> Any:
    """A word to the lab in `folder`, from any process. Raises `ValueError` where it cannot be done."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(30)
        connection.connect(str(folder / "control"))
        with connection.makefile("rw", encoding="utf-8") as stream:
            stream.write(json.dumps([word, name, *more]) + "\n")
            stream.flush()
            told = json.loads(stream.readline())
    if "error" in told:
        raise ValueError(told["error"])
    return told["answer"]


def prove_kvm() -> bool:
    """Whether a machine really boots under KVM here: that `/dev/kvm` opens is no proof."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    try:
        with Lab(["proof"], accel="kvm") as lab:
            lab.await_well(within_s=20)
    except (TimeoutError, RuntimeError):
        return False
    return True


def _up(arguments: argparse.Namespace) -> None:
    if arguments.accel == "kvm" and not prove_kvm():
        sys.exit("no machine boots under KVM here (leave --accel out: they are emulated in software)")
    accel = "kvm" if arguments.accel == "kvm" else "tcg,thread=single"
    names = [f"m{number}" for number in range(1, arguments.number + 1)]
    # Ended politely it leaves nothing behind, whenever that is; also where whoever began it in the background ignores Ctrl-C.
    for polite in (signal.SIGTERM, signal.SIGINT):
        signal.signal(polite, signal.default_int_handler)
    with (
        contextlib.suppress(KeyboardInterrupt),
        Lab(names, etcd=arguments.etcd, debian=arguments.debian, accel=accel) as lab,
    ):
        (lab.folder / "pid").write_text(f"{lab.pid}\n{os.getpid()}\n")
        print(f"lab in {lab.folder}", flush=True)
        lab.await_well(within_s=3 * BOOT_S if arguments.debian else BOOT_S)
        print(lab.table(), flush=True)
        signal.pause()


def _say(arguments: argparse.Namespace) -> None:
    word, name, *more = arguments.words
    answer = say(arguments.folder, word, name, *([more] if word == "faults" else more))
    if answer is not None:
        print(answer)


def _status(arguments: argparse.Namespace) -> None:
    for name, told in say(arguments.folder, "status").items():
        print(f"{name}: {told['power']}, {len(told['boots'])} boots")


def _shell(arguments: argparse.Namespace) -> None:
    pid = (arguments.folder / "pid").read_text().split()[0]
    os.execvp("nsenter", ["nsenter", f"--net=/proc/{pid}/ns/net", "--", *arguments.command])


def _down(arguments: argparse.Namespace) -> None:
    os.kill(int((arguments.folder / "pid").read_text().split()[1]), signal.SIGTERM)


def main() -> None:
    """The verbs."""
    parser = argparse.ArgumentParser(prog="python -m tests.machines.lab", description=__doc__.split("\n\n")[0])
    verbs = parser.add_subparsers(required=True)
    verbs.add_parser("build").set_defaults(do=lambda _: print(image.build().initrd.parent))
    up = verbs.add_parser("up")
    up.add_argument("number", type=int)
    up.add_argument("--etcd", action="store_true")
    up.add_argument("--debian", action="store_true")
    up.add_argument("--accel", choices=("tcg", "kvm"), default="tcg")
    up.set_defaults(do=_up)
    for verb, do, more in (
        ("status", _status, None),
        ("down", _down, None),
        ("say", _say, "words"),
        ("shell", _shell, "command"),
    ):
        added = verbs.add_parser(verb)
        added.add_argument("folder", type=Path)
        if more is not None:
            added.add_argument(more, nargs=argparse.REMAINDER)
        added.set_defaults(do=do)
    arguments = parser.parse_args()
    arguments.do(arguments)


if __name__ == "__main__":
    main()
