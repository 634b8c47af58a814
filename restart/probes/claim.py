"""The claim: a file on the host that says which run holds it. Two controllers with two stores meet here.

`/run/staged-restart/claim` is one line, `staged-restart-claim run=.. controller=.. user=.. since=.. expires=..`; `expires`
is in whole seconds of the host's uptime, because wall clocks lie after a power cut. /run is gone at boot, and the claim
with it. A first claim is linked into place, which only one of two can do; the whole act is under `flock` where the host has
it, so that an expired claim is retaken by one of two as well. /run belongs to root: others need `ssh.sudo`.
"""

from __future__ import annotations

import math
import shlex

from restart.model.answer import Claimed, HeldBy, NoAnswer, Released
from restart.model.question import ShellReply
from restart.probes import probe, script
from restart.probes.output import one_line

_LOCK = (
    'if command -v flock >/dev/null 2>&1; then exec 9>"$d/lock" && flock -w 5 9'
    ' || { echo "restart-claim 1 failed busy"; exit 0; }; fi;'
)


def claim_text(*, run: str, controller: str, user: str, since: str, hold_s: float) -> str:
    """Claim the host for `run` until its uptime is `hold_s` from now; a claim of this run, or an expired one, is retaken.

    `since` is for people. The values may be any text.
    """
    own = f"run={script.encode(run)}"
    line = f"staged-restart-claim {own} controller={script.encode(controller)} user={script.encode(user)}"
    line += f" since={script.encode(since)}"
    hold = max(1, math.ceil(hold_s))
    return script.one_line(
        script.SYSTEM_PATHS + "; umask 022;",
        script.READ_BOOT + ' || { echo "restart-claim 1 failed boot-id"; exit 0; };',
        script.FIND_CLAIM + ";",
        '{ mkdir -p "$d" && [ -w "$d" ]; } 2>/dev/null || { echo "restart-claim 1 failed privilege"; exit 0; };',
        _LOCK,
        script.READ_CLAIM + ";",
        f'if [ -e "$f" ] && [ "$r" != {shlex.quote(own)} ] && [ "$l" -gt 0 ]; then',
        'echo "restart-claim 1 held left=$l $r $c $w $s"; exit 0; fi;',
        'n="$d/claim.$$";',
        f'echo {shlex.quote(line)} "expires=$((${{u%%.*}} + {hold}))" >"$n"'
        ' || { echo "restart-claim 1 failed write"; exit 0; };',
        'if [ -e "$f" ]; then mv -f "$n" "$f"; else ln "$n" "$f" 2>/dev/null; k=$?; rm -f "$n"; [ $k = 0 ]; fi'
        ' || { echo "restart-claim 1 failed race"; exit 0; };',
        'k=; IFS= read -r k <"$p/sys/kernel/osrelease" || k=;',
        'echo "restart-claim 1 taken boot=$b uptime=$u kernel=$k"',
    )


def parse_claim(reply: ShellReply) -> Claimed | HeldBy | NoAnswer:
    """What came of `claim_text`."""
    words = script.answer(reply, "claim")
    if words:
        fields = script.named(words)
        if words[0] == "taken" and (seen := probe.read(fields)) is not None:
            return Claimed(boot_id=seen.boot_id, uptime_s=seen.uptime_s, kernel=one_line(fields.get("kernel", ""), 100))
        if words[0] == "held":
            return held_by(fields)
    return _no_claim(reply, words, "claim")


def look_text() -> str:
    """Whether a claim that has not run out stands on the host, and whose. Changes nothing."""
    return script.one_line(
        script.SYSTEM_PATHS + ";",
        script.READ_BOOT + ' || { echo "restart-claim 1 failed boot-id"; exit 0; };',
        script.FIND_CLAIM + ";",
        script.READ_CLAIM + ";",
        'if [ -e "$f" ] && [ "$l" -gt 0 ]; then echo "restart-claim 1 held left=$l $r $c $w $s"; else echo "restart-claim 1 free"; fi',
    )


def parse_look(reply: ShellReply) -> HeldBy | None:
    """The claim that `look_text` found; None: none, or the host did not say."""
    words = script.answer(reply, "claim")
    return held_by(script.named(words)) if words and words[0] == "held" else None


def held_by(fields: dict[str, str]) -> HeldBy:
    """A foreign claim, from the fields of an answer; what it does not say is empty."""
    left = fields.get("left", "")
    return HeldBy(
        controller=fields.get("controller", ""),
        user=fields.get("user", ""),
        run=fields.get("run", ""),
        since=fields.get("since", ""),
        for_s=float(left) if left.isascii() and left.isdigit() and len(left) <= 12 else 0.0,
    )


def release_text(*, run: str) -> str:
    """Take the claim of `run` off the host; a foreign claim stays, and none is as good."""
    own = f"run={script.encode(run)}"
    return script.one_line(
        script.SYSTEM_PATHS + "; u=0;",
        script.FIND_CLAIM + ";",
        '[ -e "$f" ] || { echo "restart-claim 1 released"; exit 0; };',
        '[ -w "$d" ] || { echo "restart-claim 1 failed privilege"; exit 0; };',
        _LOCK,
        script.READ_CLAIM + ";",
        f'if [ "$r" = {shlex.quote(own)} ]; then rm -f "$f" || {{ echo "restart-claim 1 failed write"; exit 0; }}; fi;',
        'echo "restart-claim 1 released"',
    )


def parse_release(reply: ShellReply) -> Released | NoAnswer:
    """What came of `release_text`."""
    words = script.answer(reply, "claim")
    return Released() if words == ["released"] else _no_claim(reply, words, "release")


def _no_claim(reply: ShellReply, words: list[str] | None, act: str) -> NoAnswer:
    why = words[1] if words and words[0] == "failed" and len(words) > 1 else ""
    if why == "privilege":
        return NoAnswer(
            reason="privilege", detail=f"{act}: may not write under /run: log in as root, or set ssh.sudo: true"
        )
    said = f"failed: {why}" if why else one_line(reply.stderr, 80) or one_line(reply.stdout, 80) or "it said nothing"
    return NoAnswer(reason="command", detail=f"{act}: exit {reply.exit_status}, {said}")
