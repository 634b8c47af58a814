"""The probe: boot id and uptime, read together by one command (Linux's `random(4)` and `proc(5)`)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from restart.model.answer import NoAnswer
from restart.model.question import ShellReply
from restart.probes import script
from restart.probes.output import one_line

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UPTIME = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A host's boot id, and its uptime in seconds when it was read."""

    boot_id: str
    uptime_s: float


def text() -> str:
    """The command."""
    return script.one_line(script.READ_BOOT, f'&& echo "restart-probe {script.VERSION} boot=$b uptime=$u"')


def parse(reply: ShellReply) -> Seen | NoAnswer:
    """What the probe saw; `NoAnswer` for a wrong exit status, another shape, or anything that is no UUID."""
    words = script.answer(reply, "probe")
    seen = None if words is None else read(script.named(words))
    if seen is None:
        said = one_line(reply.stderr, 80) or one_line(reply.stdout, 80) or "nothing"
        return NoAnswer(reason="command", detail=f"no boot id: exit {reply.exit_status}, it said: {said}")
    return seen


def read(fields: dict[str, str]) -> Seen | None:
    """`Seen` from the fields `boot` and `uptime` of an answer, where both have their right shape."""
    boot_id, uptime = fields.get("boot", "").lower(), fields.get("uptime", "")
    if not _UUID.fullmatch(boot_id) or not _UPTIME.fullmatch(uptime):
        return None
    uptime_s = float(uptime)
    return Seen(boot_id=boot_id, uptime_s=uptime_s) if math.isfinite(uptime_s) else None
