"""Kernel settings: what the files say that a boot sets, and what is live (sysctl.d(5): a later name wins, /etc hides /run hides /usr)."""

from __future__ import annotations

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

_TEXT = r"""
live() {
IFS=.; set -f; set -- $1; IFS=/; q="$*"; unset IFS; set +f
IFS= read -r l <"$p/sys/$q" && echo "live $k $l"
}
grep -Hs '^[ 	]*-*[a-z][A-Za-z0-9_.-]*[ 	]*=' "$R"/usr/lib/sysctl.d/*.conf "$R"/lib/sysctl.d/*.conf "$R"/usr/local/lib/sysctl.d/*.conf \
"$r"/sysctl.d/*.conf "$R"/etc/sysctl.d/*.conf "$R/etc/sysctl.conf" |
sed -e 's/^\([^:]*\):[ 	]*-*\([^ 	=]*\)[ 	]*=[ 	]*/\1 \2 /' -e '500q' |
while read -r f k v; do
echo "file ${f#"$R"} $k $v"
live "$k"
done
for k in @KEYS@; do live "$k"; done
""".replace("@KEYS@", " ".join(DEFAULTS))

_FOLDERS = ("/usr/lib/", "/lib/", "/usr/local/lib/", "/run/", "/etc/")


def _read(lines: Lines) -> Sysctls:
    live = {key: value for row in lines.values("live") for key, value in [_split(row)]}
    files: dict[str, dict[str, dict[str, str]]] = {}
    for row in lines.values("file"):
        file, rest = _split(row)
        key, value = _split(rest)
        name = file.rpartition("/")[2]
        files.setdefault(name, {}).setdefault(file, {})[key] = value
    kept: dict[str, tuple[str, str]] = {}
    # Of files of one name only that of the highest folder is read; sysctl.conf is read last of all.
    for name in sorted(files, key=lambda name: (name == "sysctl.conf", name)):
        file = max(files[name], key=_rank)
        kept.update({key: (value, file) for key, value in files[name][file].items()})
    return Sysctls(
        differing=tuple(
            Setting(key=key, live=live[key], kept=value, file=file)
            for key, (value, file) in kept.items()
            if key in live and live[key] != value
        ),
        unkept=tuple(
            (key, live[key])
            for key, value in DEFAULTS.items()
            if key in live and key not in kept and live[key] != value
        ),
    )


def _split(row: str) -> tuple[str, str]:
    first, _, rest = row.partition(" ")
    return first, " ".join(rest.split())


def _rank(file: str) -> int:
    return max((rank for rank, folder in enumerate(_FOLDERS) if file.startswith(folder)), default=0)


SECTION = Section(name="sysctls", text=_TEXT, read=_read, lines_max=1500)
