"""Kernel settings: what the files say that a boot sets, and what is live (sysctl.d(5): a later name wins, /etc hides /run hides /usr)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from restart.probes.section import Lines, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """`live` is what is so now, `kept` what `file` says; both with blanks folded."""

    key: str
    live: str
    kept: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sysctls:
    """The settings of which live value and file differ. `unkept` are some that are live, not the kernel's own, and in no file."""

    differing: tuple[Setting, ...] = ()
    unkept: tuple[tuple[str, str], ...] = ()


DEFAULTS = {
    "vm.swappiness": "60",
    "vm.overcommit_memory": "0",
    "vm.nr_hugepages": "0",
    "net.ipv4.ip_nonlocal_bind": "0",
    "net.ipv4.ip_forward": "0",
    "kernel.panic": "0",
}
"""The kernel's own values of what people set by hand most (Documentation/admin-guide/sysctl): everything else has too many."""


def _path(key: str) -> str:
    """Where a setting is below /proc/sys; the host names what is live by that."""
    return key.replace(".", "/")


_TEXT = r"""
f=$(grep -Hs '^[ 	]*-*[a-z][A-Za-z0-9_.-]*[ 	]*=' $([ -L "$R/lib" ] || echo "$R"/lib/sysctl.d/*.conf) "$R"/usr/lib/sysctl.d/*.conf \
"$R"/usr/local/lib/sysctl.d/*.conf "$r"/sysctl.d/*.conf "$R"/etc/sysctl.d/*.conf "$R/etc/sysctl.conf" |
sed -e "s|^$R||" -e 's/^\([^:]*\):[ 	]*-*\([^ 	=]*\)[ 	]*=[ 	]*/file \1 \2 /' -e '500q')
echo "$f"
set -f
sed -e 's/^/cmdline /' "$p/cmdline"
cd "$p/sys" || return 0
grep -Hs '' @KEYS@ $(echo "$f" | sed -e 's/^file [^ ]* \([^ ]*\).*/\1/' -e 'y|.|/|' | sort -u) | sed -e 's/^\([^:]*\):/live \1 /'
""".replace("@KEYS@", " ".join(_path(key) for key in DEFAULTS))
# `read` of dash and busybox takes one byte after the other, and the kernel has a number's first byte only: grep reads them.

_FOLDERS = ("/usr/lib/", "/lib/", "/usr/local/lib/", "/run/", "/etc/")


def _read(lines: Lines) -> Sysctls:
    live = {path: value for row in reversed(lines.values("live")) for path, value in [_split(row)]}
    files: dict[str, dict[str, dict[str, str]]] = {}
    for row in lines.values("file"):
        file, rest = _split(row)
        key, value = _split(rest)
        name = file.rpartition("/")[2]
        files.setdefault(name, {}).setdefault(file, {})[key] = value
    kept: dict[str, tuple[str, str]] = dict(_of_kernel(lines.value("cmdline") or ""))
    # Of files of one name only that of the highest folder is read; sysctl.conf is read last of all.
    for name in sorted(files, key=lambda name: (name == "sysctl.conf", name)):
        file = max(files[name], key=_rank)
        kept.update({key: (value, file) for key, value in files[name][file].items()})
    return Sysctls(
        differing=tuple(
            Setting(key=key, live=live[_path(key)], kept=value, file=file)
            for key, (value, file) in kept.items()
            if _path(key) in live and not _same(live[_path(key)], value)
        ),
        unkept=tuple(
            (key, live[_path(key)])
            for key, value in DEFAULTS.items()
            if _path(key) in live and key not in kept and live[_path(key)] != value
        ),
    )


_WORDS = {"panic": "kernel.panic", "hugepages": "vm.nr_hugepages"}


def _of_kernel(cmdline: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """What the boot loader hands to the kernel. A file that says something else comes later and wins."""
    for word in cmdline.split():
        name, _, value = word.partition("=")
        key = _WORDS.get(name, name.removeprefix("sysctl.").replace("/", ".") if name.startswith("sysctl.") else "")
        if key:
            yield key, (value, "the kernel's command line")


def _same(live: str, kept: str) -> bool:
    """Whether the kernel reads `kept` as what is live: it takes numbers in three bases, and shows them in one."""
    return live == kept or [_number(word) for word in live.split()] == [_number(word) for word in kept.split()]


def _number(word: str) -> int | str:
    digits = word.removeprefix("-")
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits.startswith("0") else 10
    try:
        return int(word, base) if len(word) <= 40 and word.isascii() and "_" not in word else word
    except ValueError:
        return word


def _split(row: str) -> tuple[str, str]:
    first, _, rest = row.partition(" ")
    return first, " ".join(rest.split())


def _rank(file: str) -> int:
    return max((rank for rank, folder in enumerate(_FOLDERS) if file.startswith(folder)), default=0)


SECTION = Section(name="sysctls", text=_TEXT, read=_read, lines_max=1500)
