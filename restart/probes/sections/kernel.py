"""The running kernel, and those that are installed: /boot/vmlinuz-* and the folders under /lib/modules that hold modules."""

from __future__ import annotations

import re
from dataclasses import dataclass

from restart.probes.section import Lines, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """`newest` is the newest installed kernel of the running one's flavour; None where none was found.

    `is_old`: a newer one is installed than runs; None where that cannot be told.
    """

    running: str | None = None
    newest: str | None = None

    @property
    def is_old(self) -> bool | None:
        if self.running is None or self.newest is None:
            return None
        return numbers(self.newest) > numbers(self.running)


_TEXT = r"""
IFS= read -r k <"$p/sys/kernel/osrelease" && echo "running $k"
for f in "$R"/boot/vmlinuz-*; do [ -f "$f" ] && echo "installed ${f##*/vmlinuz-}"; done
for f in "$R"/lib/modules/*/modules.dep; do f=${f%/modules.dep}; [ -d "$f" ] && echo "installed ${f##*/}"; done
"""

_FLAVOUR = re.compile(r"[-.]([A-Za-z][A-Za-z0-9_+-]*)$")
_HEAD = re.compile(r"[0-9.+~-]*")
_DIGITS = re.compile(r"[0-9]{1,9}", re.ASCII)


def _read(lines: Lines) -> Kernel:
    running = lines.value("running")
    if running is None:
        return Kernel()
    alike = [name for name in lines.values("installed") if _flavour(name) == _flavour(running) and numbers(name)]
    return Kernel(running=running, newest=max(alike, key=numbers, default=None))


def _flavour(version: str) -> str:
    """`cloud-amd` of `6.1.0-28-cloud-amd64`, `x_` of `5.14.0-503.el9_5.x86_64`: one flavour never replaces another."""
    match = _FLAVOUR.search(version)
    return "" if match is None else _DIGITS.sub("", match[1])


def numbers(version: str) -> tuple[int, ...]:
    """The numbers that a version starts with; distributions count them up, each in its own place."""
    head = _HEAD.match(version)
    return () if head is None else tuple(int(digits) for digits in _DIGITS.findall(head[0]))


SECTION = Section(name="kernel", text=_TEXT, read=_read)
