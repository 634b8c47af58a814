"""What all the texts share: one line of POSIX shell, versioned answers, names that survive both.

The texts run under dash, busybox and bash alike. They are one line each, so that a connection which breaks half-way
leaves nothing half done, and answer with one line `restart-WORD VERSION ...`, so that a chatty log-in shell does no harm.

For test hosts only, which have no /proc and /run of their own, they honour `RESTART_PROC` (default `/proc`) and
`RESTART_RUN` (default `/run`) from the environment of the command, and the sweep `RESTART_ROOT` for the rest of the tree. Where
one of the first two is set, nothing but the `reboot` first in PATH is ever called to reboot. On real hosts nobody sets them,
and sudo strips them.
"""

from __future__ import annotations

import re

from restart.model.question import ShellReply

VERSION = 1

SYSTEM_PATHS = "PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin"
"""A session without log-in often lacks the folders that hold `reboot` and `systemctl`."""

READ_BOOT = (
    'p=${RESTART_PROC:-/proc}; IFS= read -r b <"$p/sys/kernel/random/boot_id" && read -r u x <"$p/uptime"'
    ' && [ -n "$b" ] && [ -n "$u" ]'
)
"""Sets `b` to the boot id and `u` to the uptime; fails where either cannot be read."""

FIND_CLAIM = 'd=${RESTART_RUN:-/run}/staged-restart; f="$d/claim"'

READ_CLAIM = (
    't=; r=; c=; w=; s=; e=; if [ -e "$f" ]; then read -r t r c w s e x <"$f" || :; e=${e#expires=};'
    ' case "$e" in ""|*[!0-9]*) e=9999999999;; esac;'
    " l=$((e - ${u%%.*})); fi"
)
"""Sets `r` to `run=ID` and so on where a claim exists, and `l` to the seconds it has left; needs `u`.

A claim that cannot be read never expires: it holds until the host boots or a person removes the file.
"""

_SAFE = re.compile(rb"[A-Za-z0-9._:@+-]")


def one_line(*parts: str) -> str:
    """The parts of a script as one line."""
    return " ".join(part.strip() for part in parts)


def encode(text: str, bytes_max: int = 256) -> str:
    """`text` without blanks, quotes or shell characters, percent-encoded as in URLs."""
    raw = text.encode(errors="replace")[:bytes_max]
    return "".join(chr(byte) if _SAFE.match(bytes([byte])) else f"%{byte:02X}" for byte in raw)


def decode(text: str) -> str:
    """The text that `encode` was given; what is not well formed stays as it is."""
    raw = re.sub(rb"%([0-9A-F]{2})", lambda match: bytes([int(match[1], 16)]), text.encode(errors="replace"))
    return raw.decode(errors="replace")


def answer(reply: ShellReply, word: str) -> list[str] | None:
    """The words after `restart-WORD VERSION` on the one line that has them; None where there is no such line, or two that differ.

    Counts only with exit status 0.
    """
    if reply.exit_status != 0:
        return None
    prefix = f"restart-{word} {VERSION} "
    found = {line.strip() for line in reply.stdout.split("\n") if line.strip().startswith(prefix)}
    return found.pop().removeprefix(prefix).split() if len(found) == 1 else None


def named(words: list[str]) -> dict[str, str]:
    """`key=value` words as a dictionary, values decoded."""
    return {key: decode(value) for key, mark, value in (word.partition("=") for word in words) if mark}
