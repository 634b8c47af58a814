"""The kernels and initramfs that the boot loader names, and those in /boot: whether each is there (grub.cfg, Boot Loader Specification, extlinux)."""

from __future__ import annotations

from dataclasses import dataclass

from restart.probes.section import Lines, Section
from restart.probes.sections import kernel


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A file that entry `entry` of the boot loader names; entries count from 1 as they are written, 1 being grub's usual default."""

    entry: int
    path: str
    is_there: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A kernel in /boot, and whether its initramfs (not empty) and its modules are there."""

    version: str
    has_initramfs: bool
    has_modules: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootloader:
    """`newest` is the kernel that a boot takes by the usual default; None where /boot has none that can be told apart.

    `ordered` is False where entries are not in the order in which they are taken.
    """

    named: tuple[Named, ...] = ()
    installed: tuple[Installed, ...] = ()
    ordered: bool = True
    newest: Installed | None = None


_TEXT = r"""
entries() {
sed -n -e '/^[ 	]*\(menuentry\|LABEL\|label\|title\|linux\|LINUX\|KERNEL\|kernel\|initrd\|INITRD\)/p' "$1" |
while read -r w a b; do
case $w in
menuentry|LABEL|label|title) echo "entry";;
linux|linux16|linuxefi|LINUX|KERNEL|kernel) look "$a";;
initrd|initrd16|initrdefi|INITRD) for a in $a $b; do look "$a"; done;;
esac
done
}
look() {
case $1 in *'$'*|'') return;; esac
if [ -s "$R/boot/${1##*/}" ] || [ -s "$R/${1#/}" ] || [ -s "$R/boot/${1#/}" ] || [ -s "$R/boot/efi/${1#/}" ] || [ -s "$R/efi/${1#/}" ]
then echo "there $1"; else echo "missing $1"; fi
}
[ -r "$R/boot" ] && [ -x "$R/boot" ] || return 0
for f in "$R/boot/grub/grub.cfg" "$R/boot/grub2/grub.cfg" "$R/boot/extlinux.conf" "$R/boot/extlinux/extlinux.conf"; do
[ -r "$f" ] && entries "$f"
done
for f in "$R"/boot/loader/entries/*.conf; do [ -r "$f" ] && echo "unordered" && entries "$f"; done
for f in "$R"/boot/vmlinuz-*; do
[ -f "$f" ] || continue
v=${f##*/vmlinuz-} i=no m=no
for g in "initrd.img-$v" "initramfs-$v.img" "initrd-$v" "initramfs-$v"; do [ -s "$R/boot/$g" ] && i=yes; done
{ [ -d "$R/lib/modules/$v" ] || [ -d "$R/usr/lib/modules/$v" ]; } && m=yes
echo "kernel $i $m $v"
done
"""


def _read(lines: Lines) -> Bootloader:
    named, entry, ordered = [], 0, True
    for word, rest in lines.named():
        if word == "entry":
            entry += 1
        elif word == "unordered":
            ordered = False
        elif word in ("there", "missing") and rest:
            named.append(Named(entry=entry, path=rest, is_there=word == "there"))
    installed = tuple(
        Installed(version=words[2], has_initramfs=words[0] == "yes", has_modules=words[1] == "yes")
        for value in lines.values("kernel")
        if len(words := value.split()) == 3 and "rescue" not in words[2] and kernel.numbers(words[2])
    )
    newest = max(installed, key=lambda one: kernel.numbers(one.version), default=None)
    return Bootloader(named=tuple(dict.fromkeys(named)), installed=installed, ordered=ordered, newest=newest)


SECTION = Section(name="bootloader", text=_TEXT, read=_read, lines_max=400)
