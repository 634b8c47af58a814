"""The lab's power, cables and console: `python -m tests.machines.supervisor FOLDER`, in a network namespace of its own.

It reads `FOLDER/lab.json`, joins the machines by a bridge, switches them on and serves two sides. The machines ask it over HTTP
what is to happen in this boot, for their host key, and tell when they are well. Whoever runs the lab says words to the
socket `FOLDER/control` ([lab.py](lab.py)). It ends when its standard input does, and the machines with it, however it ends.
"""

from __future__ import annotations

import json
import select
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.machines.clock import PORT, Ears
from tests.machines.faults import words_at
from tests.machines.image import Image
from tests.machines.machine import Machine, Spec

LAB_ADDRESS = "10.77.0.254"
LAB_PORT = 8099


@dataclass(slots=True)
class Boot:
    """One boot of one machine; times are seconds since the lab began. `well_s` is None until it serves."""

    boot_id: str
    at_s: float
    well_s: float | None = None


@dataclass(slots=True)
class Book:
    """What the machines told, and what they are to be told. Shared between threads, so under a lock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    began_s: float = field(default_factory=time.monotonic)
    boots: dict[str, list[Boot]] = field(default_factory=dict)
    faults: dict[str, tuple[str, ...]] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    etcd: str = ""


class Supervisor:
    """All the machines of one lab. Machines are touched by the main thread alone: the kernel ends a machine with the thread that began it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        told: Mapping[str, Any] = json.loads((folder / "lab.json").read_text(encoding="utf-8"))
        specs = [
            Spec(name=name, number=number, folder=folder / name) for number, name in enumerate(told["machines"], 1)
        ]
        self.book = Book(boots={spec.name: [] for spec in specs}, keys=dict.fromkeys(told["machines"], 1))
        self.book.faults = {name: tuple(words) for name, words in told["faults"].items()}
        if told["etcd"]:
            self.book.etcd = ",".join(f"{spec.name}=http://{spec.private}:2380" for spec in specs)
        _join(specs)
        found = Image(
            kernel=Path(told["kernel"]), initrd=Path(told["initrd"]), disk=told["disk"] and Path(told["disk"])
        )
        self.machines = {spec.name: Machine(spec, found, accel=told["accel"]) for spec in specs}
        for name in told["on"]:
            self.machines[name].switch_on()

    def run(self) -> None:
        """Until standard input ends."""
        http = ThreadingHTTPServer((LAB_ADDRESS, LAB_PORT), _ears(self.book, self.folder))
        http.daemon_threads = True
        threading.Thread(target=http.serve_forever, daemon=True).start()
        clock = socketserver.UDPServer((LAB_ADDRESS, PORT), Ears)
        threading.Thread(target=clock.serve_forever, daemon=True).start()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
            control.bind(str(self.folder / "control"))
            control.listen()
            print("ready", flush=True)
            while True:
                ready, _, _ = select.select([sys.stdin, control], [], [])
                if sys.stdin in ready and not sys.stdin.buffer.read1(4096):
                    break
                if control in ready:
                    self._serve(control.accept()[0])
        for machine in self.machines.values():
            machine.switch_off()

    def _serve(self, connection: socket.socket) -> None:
        """One word from the control socket, one line each way."""
        with connection, connection.makefile("rw", encoding="utf-8") as stream:
            try:
                answer = {"answer": self._obey(*json.loads(stream.readline()))}
            except (KeyError, ValueError, TypeError, OSError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            try:
                stream.write(json.dumps(answer) + "\n")
                stream.flush()
            except OSError:
                return

    def _obey(self, word: str, name: str = "", *more: Any) -> Any:
        if word == "status":
            return self._status()
        machine = self.machines[name]
        match word:
            case "state":
                return "on" if machine.is_on else "off"
            case "on":
                machine.switch_on()
            case "off":
                machine.switch_off()
            case "cycle":
                machine.switch_off()
                machine.switch_on()
            case "reset":
                machine.reset()
            case "press":
                machine.press_power()
            case "freeze":
                machine.freeze()
            case "thaw":
                machine.thaw()
            case "disk":
                machine.warn_of_disk(int(more[0]))
            case "link":
                machine.link(up=bool(more[0]))
            case "faults":
                words_at(more[0], 1)  # a word that cannot be is told at once
                with self.book.lock:
                    self.book.faults[name] = tuple(more[0])
            case "new-key":
                with self.book.lock:
                    self.book.keys[name] += 1
            case _:
                raise ValueError(f"no word {word!r}")
        return None

    def _status(self) -> dict[str, Any]:
        with self.book.lock:
            return {
                name: {
                    "power": "on" if machine.is_on else "off",
                    "boots": [
                        {"boot_id": boot.boot_id, "at_s": boot.at_s, "well_s": boot.well_s}
                        for boot in self.book.boots[name]
                    ],
                }
                for name, machine in self.machines.items()
            }


def _join(specs: list[Spec]) -> None:
    """The bridge that joins the machines and the lab, in this process's own network namespace."""
    commands = [
        "link set lo up",
        "link add lab type bridge",
        f"addr add {LAB_ADDRESS}/24 dev lab",
        "link set lab up",
    ]
    for spec in specs:
        commands += [
            f"tuntap add tap{spec.number} mode tap",
            f"link set tap{spec.number} master lab",
            f"link set tap{spec.number} up",
        ]
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)


def _ears(book: Book, folder: Path) -> type[BaseHTTPRequestHandler]:
    class Ears(BaseHTTPRequestHandler):
        """What machines ask and tell: `boot/NAME/BOOT_ID`, `key/NAME`, `authorized_keys`, `well/NAME/BOOT_ID`."""

        def do_GET(self) -> None:
            match self.path.strip("/").split("/"):
                case ["boot", name, boot_id]:
                    self._say("".join(f"{word}\n" for word in _booted(book, name, boot_id)).encode())
                case ["key", name]:
                    with book.lock:
                        number = book.keys[name]
                    self._say((folder / "keys" / f"{name}.{number}").read_bytes())
                case ["authorized_keys"]:
                    self._say((folder / "id.pub").read_bytes())
                case ["well", name, boot_id]:
                    with book.lock:
                        for boot in book.boots[name]:
                            if boot.boot_id == boot_id:
                                boot.well_s = time.monotonic() - book.began_s
                    self._say(b"")
                case _:
                    self.send_error(404)

        def _say(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    return Ears


def _booted(book: Book, name: str, boot_id: str) -> tuple[str, ...]:
    """Note a boot, once however often the machine asks; the words for it."""
    with book.lock:
        boots = book.boots[name]
        if not boots or boots[-1].boot_id != boot_id:
            boots.append(Boot(boot_id, time.monotonic() - book.began_s))
        words = words_at(book.faults.get(name, ()), len(boots))
        return (*words, f"etcd={book.etcd}") if book.etcd else words


if __name__ == "__main__":
    Supervisor(Path(sys.argv[1])).run()
