"""Whether the host itself says that it wants a reboot, and how that is known.

Debian and Ubuntu leave a file `reboot-required` under /run, with the packages that want it beside it; the RHEL family answers
`needs-restarting -r` (yum-utils, dnf-utils: exit status 1 means yes). A kernel older than the newest installed says it too.
"""

from __future__ import annotations

from dataclasses import dataclass

from restart.probes.section import Lines, Section
from restart.probes.sections.kernel import Kernel


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`file` is the file that says so; `packages` those that want it; `tool`: what `needs-restarting -r` says (None: not there)."""

    file: str | None = None
    packages: tuple[str, ...] = ()
    tool: bool | None = None


_TEXT = r"""
for f in "$r/reboot-required" "$R/var/run/reboot-required"; do
[ -e "$f" ] || continue
echo "file $f"
[ -r "$f.pkgs" ] && sed -n -e '1,50s/^/package /p' "$f.pkgs"
break
done
if has needs-restarting; then
limited 4 needs-restarting -r >/dev/null
case $? in 0) echo "tool no";; 1) echo "tool yes";; esac
fi
"""


def _read(lines: Lines) -> Asked:
    tool = {"yes": True, "no": False}.get(lines.value("tool") or "")
    return Asked(file=lines.value("file"), packages=tuple(dict.fromkeys(lines.values("package"))), tool=tool)


def wanted(asked: Asked | None, kernel: Kernel | None) -> tuple[bool | None, str]:
    """Whether a reboot is wanted (None: nothing here tells), and how that is known, in words."""
    asked, kernel = asked or Asked(), kernel or Kernel()
    reasons = []
    if kernel.is_old:
        reasons.append(f"kernel {kernel.running} runs, {kernel.newest} is installed")
    if asked.file is not None:
        more = f" ({', '.join(asked.packages[:3])}{', …' if len(asked.packages) > 3 else ''})" if asked.packages else ""
        reasons.append(f"{asked.file}{more}")
    if asked.tool:
        reasons.append("needs-restarting -r says so")
    if reasons:
        return True, "; ".join(reasons)
    if asked.tool is False:
        return False, "needs-restarting -r says no"
    if kernel.is_old is False:
        return False, f"the newest installed kernel runs, {kernel.running}"
    return None, "nothing on the host tells"


SECTION = Section(name="reboot_required", text=_TEXT, read=_read, lines_max=60)
