"""Whether the log-in may do what a restart does: write a claim under /run, and call what reboots. Asked, never tried."""

from __future__ import annotations

from dataclasses import dataclass

from restart.probes.section import Lines, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """`user` is the name or number that commands run as. None: the host did not say."""

    user: str | None = None
    may_claim: bool | None = None
    reboots: bool | None = None


_TEXT = r"""
echo "user $(id -un 2>/dev/null || id -u)"
if [ -w "$r" ]; then echo "claim yes"; else echo "claim no"; fi
if has systemctl || has reboot; then echo "reboots yes"; else echo "reboots no"; fi
"""

_SAID = {"yes": True, "no": False}


def _read(lines: Lines) -> Rights:
    return Rights(
        user=lines.value("user"),
        may_claim=_SAID.get(lines.value("claim") or ""),
        reboots=_SAID.get(lines.value("reboots") or ""),
    )


SECTION = Section(name="rights", text=_TEXT, read=_read, lines_max=5)
