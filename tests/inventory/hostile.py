"""Read hostile inventories, each in a process of its own, whose memory and processor time the kernel bounds.

Run as `python -m tests.inventory.hostile FOLDER`, with the cases to be read on standard input. The kernel ends a process that takes more than 200 MB of address space or
`CPU_S` seconds (more where the machine is slow); a crash, an exception and a success are all told by the exit status.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable, Mapping
from math import ceil
from pathlib import Path
from time import process_time

import yaml

from restart.errors import InventoryInvalid
from restart.inventory import read
from tests.inventory.reading import GATES

SIZE = 10_000_000
MEMORY_BYTES = 200_000_000
CPU_S = 4
"""Twice the two seconds of the promise, on a machine that takes `PACE_S` for a million rounds; one that takes longer is given more."""
PACE_S = 0.06
SLOWNESS_MAX = 5.0
"""A file whose cost grows with the square of its size takes minutes, however slow the machine."""


def slowness() -> float:
    """How many times longer than `PACE_S` this machine takes just now; 1 to `SLOWNESS_MAX`."""
    begun_s = process_time()
    total = 0
    for number in range(1_000_000):
        total += number * number % 7
    return min(SLOWNESS_MAX, max(1.0, (process_time() - begun_s) / PACE_S))


def _of(unit: str, before: str = "", after: str = "") -> str:
    return before + unit * (SIZE // len(unit)) + after


def _exploding() -> str:
    lines = ["version: 1", "fleet: x", "a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20)]
    return "\n".join(lines)


def _exploding_hosts() -> str:
    lines = ["version: 1", "fleet: x", "watch: &w0 [{tcp: 1}, {tcp: 1}]"]
    lines += [f"x{n}: &w{n} [*w{n - 1}, *w{n - 1}, *w{n - 1}]" for n in range(1, 40)]
    return "\n".join([*lines, "services: {a: {hosts: b, ready: *w39}}"])


HEAD = "version: 1\nfleet: x\n"
HOSTILE: Mapping[str, Callable[[], str | bytes]] = {
    "lists in lists": lambda: _of("["),
    "lists in lists under a key": lambda: _of("[", HEAD + "hosts: "),
    "mappings in mappings": lambda: _of("{a: "),
    "dashes": lambda: _of("- "),
    "dashes under a key": lambda: _of("- ", HEAD + "watch:\n  "),
    "question marks": lambda: _of("? "),
    "indentation": lambda: "\n".join(" " * depth + "a:" for depth in range(4400)),
    "empty lists": lambda: _of("[],", HEAD + "watch: ["),
    "numbers": lambda: _of("1,", HEAD + "watch: [", "]"),
    "lists of lists": lambda: _of("[" + "[1]," * 5000 + "],", HEAD + "services: {a: {hosts: ["),
    "hosts without end": lambda: (
        HEAD + "hosts: {" + ", ".join(f"h{number}: {{}}" for number in range(SIZE // 12)) + "}"
    ),
    "unknown keys": lambda: HEAD + "\n".join(f"k{number}: " for number in range(SIZE // 10)),
    "unknown keys of hosts": lambda: HEAD + "hosts:\n" + "".join(f" h{n}: {{k: 1}}\n" for n in range(20_000)),
    "anchors that explode": _exploding,
    "anchors that explode in checks": _exploding_hosts,
    "an anchor inside itself": lambda: HEAD + "hosts: &h\n  a: *h\n",
    "anchors": lambda: _of("&a "),
    "tags": lambda: _of("!!str "),
    "tabs": lambda: _of("\t"),
    "tabs before keys": lambda: HEAD + _of("\thosts:\n"),
    "comments": lambda: _of("#"),
    "empty lines": lambda: _of("\n"),
    "documents": lambda: _of("---\n"),
    "directives": lambda: _of("%YAML 1.2\n"),
    "one long text": lambda: _of("x", HEAD + "hosts: "),
    "one long quoted text": lambda: _of("x", HEAD + 'hosts: "', '"'),
    "one long block text": lambda: _of(" x\n", HEAD + "hosts: |\n"),
    "one long key": lambda: _of("x", HEAD + "? ", "\n: 1"),
    "an open quote": lambda: _of("x ", HEAD + 'hosts: "'),
    "binary": lambda: bytes(range(256)) * (SIZE // 256),
    "zeros": lambda: b"\0" * SIZE,
    "latin-1": lambda: _of("ä", HEAD + "# ").encode("latin-1"),
    "utf-16": lambda: _of("ä", HEAD + "# ").encode("utf-16"),
    "a huge range": lambda: HEAD + 'hosts: {"h-[1-99999999999]": {}}',
    "ranges as wide as may be": lambda: HEAD + "hosts:\n" + "".join(f"  h{n}-[1-200000]: {{}}\n" for n in range(100)),
    "many ranges in one text": lambda: HEAD + 'hosts: {"h-[1-100000]": {address: "' + "[1-100000]" * 5000 + '"}}',
    "many labels of ranges": lambda: (
        HEAD + 'hosts: {"h-[1-100000]": {labels: {' + ", ".join(f'l{n}: "[1-100000]"' for n in range(2000)) + "}}}"
    ),
    "many ranges of services": lambda: (
        HEAD + "hosts: {a: }\nservices: {s: {hosts: [" + ", ".join(['"a-[1-190000]"'] * 900) + "]}}"
    ),
    "globs of stars": lambda: HEAD + "hosts: {" + "a" * 250 + ": }\nservices: {s: {hosts: '" + "*a" * 20000 + "*b'}}",
    "names that nearly exist": lambda: (
        HEAD
        + "hosts: {"
        + ", ".join(f"host-{n}: " for n in range(20_000))
        + "}\nservices:\n"
        + "".join(f"  s{n}: {{hosts: hots-{n}}}\n" for n in range(900))
    ),
    "python objects": lambda: HEAD + "hosts: !!python/object/apply:os.system ['exit 1']\n",
    "merge keys": lambda: HEAD + "hosts: &h {a: {}}\nservices: {<<: *h}\n",
    "duplicate keys": lambda: HEAD + _of("fleet: x\n"),
}


PURE = ["lists in lists under a key", "dashes under a key", "anchors that explode", "binary", "one long text", "tabs"]
CASES = [*((name, "c") for name in HOSTILE), *((name, "pure") for name in PURE)]


def read_one(name: str, parser: str, folder: Path) -> int:
    """Write the hostile file, let the kernel set the bounds, read it. In a process of its own."""
    made = HOSTILE[name]()
    file = folder / "hostile.yml"
    file.write_bytes(made if isinstance(made, bytes) else made.encode())
    del made
    if parser == "pure":
        yaml.__with_libyaml__ = False
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    bound_s = ceil(CPU_S * slowness() + sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
    resource.setrlimit(resource.RLIMIT_CPU, (bound_s, bound_s))
    try:
        read([file], GATES)
    except InventoryInvalid as invalid:
        (folder / "told").write_text(str(invalid.problems[0]))
        return int(invalid.exit_code)
    return 0


def main(folder: Path) -> None:
    """Each case that a line of standard input names (JSON: name, parser) in a fork of this process; one line of JSON: exit status, first problem."""
    for line in sys.stdin:
        name, parser = json.loads(line)
        (folder / "told").write_text("")
        child = os.fork()
        if child == 0:
            status = 70
            try:
                status = read_one(name, parser, folder)
            finally:
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps([status, (folder / "told").read_text()]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
