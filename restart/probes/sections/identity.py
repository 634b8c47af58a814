"""What the host calls itself, its operating system (os-release(5)), and what started it."""

from __future__ import annotations

from dataclasses import dataclass

from restart.probes.section import Lines, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """`os` is os-release's ID, `os_version` its VERSION_ID, `os_name` its PRETTY_NAME; `init` is `systemd`, `openrc` or None."""

    hostname: str | None = None
    os: str | None = None
    os_version: str | None = None
    os_name: str | None = None
    init: str | None = None


_TEXT = r"""
IFS= read -r h <"$p/sys/kernel/hostname" || h=$(uname -n)
echo "hostname $h"
for f in "$R/etc/os-release" "$R/usr/lib/os-release"; do
[ -r "$f" ] || continue
while IFS='=' read -r k v; do
case $k in ID) echo "os $v";; VERSION_ID) echo "version $v";; PRETTY_NAME) echo "name $v";; esac
done <"$f"
break
done
if [ -d "$r/systemd/system" ]; then echo "init systemd"; elif [ -d "$r/openrc" ]; then echo "init openrc"; fi
"""


def _read(lines: Lines) -> Identity:
    def said(name: str) -> str | None:
        return (lines.value(name) or "").strip("\"'") or None

    return Identity(
        hostname=said("hostname"), os=said("os"), os_version=said("version"), os_name=said("name"), init=said("init")
    )


SECTION = Section(name="identity", text=_TEXT, read=_read, lines_max=20)
