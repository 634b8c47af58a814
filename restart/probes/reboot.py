"""Compare-and-reboot, and compare-and-poweroff: one line, judged on the host (design: section 8).

It acts only if the boot id is still the one read before, the uptime has not passed the command's not-after, and no
foreign claim stands. So a repeated, late or zombie command does nothing. Leave to write under /run is taken as leave to
reboot: both are root's. The act itself is detached from the session, so that the answer arrives before it strikes.
"""

from __future__ import annotations

import math
import shlex

from restart.model.answer import NoAnswer, RebootDeclined, RebootTaken
from restart.model.question import ShellReply
from restart.model.request import PowerOff, Reboot
from restart.probes import claim, script
from restart.probes.output import one_line


def _do(verb: str) -> str:
    """What is done, in a shell of its own that outlives the session."""
    return (
        "sleep 1;"
        f' if [ -n "$RESTART_REBOOT" ]; then "$RESTART_REBOOT";'
        f" elif command -v systemctl >/dev/null 2>&1; then systemctl {verb} || {verb}; else {verb}; fi"
    )


def _own(verb: str) -> str:
    """A test host shares its machine with others: its own command is found before the session is left behind, and never looked
    for again, because by then its folder may be gone and the machine's own would come next. It is looked for in the first folder
    of PATH by hand: `command -v` names a shell's built-in of that name first, and busybox has one."""
    return (
        f'if [ -n "$RESTART_PROC$RESTART_RUN" ]; then RESTART_REBOOT="${{PATH%%:*}}/{verb}";'
        f' case "$RESTART_REBOOT" in /sbin/*|/bin/*|/usr/*|[!/]*) say declined failed "boot=$b" why=no-{verb}-command;; esac;'
        f' [ -x "$RESTART_REBOOT" ] || say declined failed "boot=$b" why=no-{verb}-command;'
        " export RESTART_REBOOT; else unset RESTART_REBOOT; fi;"
    )


def _verb(request: Reboot | PowerOff) -> str:
    return "poweroff" if isinstance(request, PowerOff) else "reboot"


def text(request: Reboot | PowerOff, *, run: str) -> str:
    """The command for `request`; `run` is the run whose claim is not a foreign one."""
    own, verb = f"run={script.encode(run)}", _verb(request)
    # Whole seconds are compared, to the safe side: the last second before not-after already counts as too late.
    not_after = max(0, math.floor(request.not_after_uptime_s))
    return script.one_line(
        script.SYSTEM_PATHS + f';  say() {{ echo "restart-{verb} 1 $*"; exit 0; }};',
        script.READ_BOOT + " || say declined failed why=boot-id;",
        script.FIND_CLAIM + ";",
        '[ -w "${RESTART_RUN:-/run}" ] || say declined privilege "boot=$b";',
        f'[ "$b" = {shlex.quote(request.boot_id)} ] || say declined boot-id "boot=$b" "uptime=$u";',
        f'[ "${{u%%.*}}" -lt {not_after} ] || say declined too-late "boot=$b" "uptime=$u";',
        script.READ_CLAIM + ";",
        f'if [ -e "$f" ] && [ "$r" != {shlex.quote(own)} ] && [ "$l" -gt 0 ]; then',
        'say declined claim "boot=$b" "left=$l" "$r" "$c" "$w" "$s"; fi;',
        f"command -v {verb} >/dev/null 2>&1 || command -v systemctl >/dev/null 2>&1"
        f' || say declined failed "boot=$b" why=no-{verb}-command;',
        _own(verb),
        f"do={shlex.quote(_do(verb))};",
        # The trap goes first: a session that ends before setsid has run must not take the reboot with it.
        'trap "" HUP; s=; command -v setsid >/dev/null 2>&1 && s=setsid;',
        '$s sh -c "$do" </dev/null >/dev/null 2>&1 &',
        "say taken",
    )


def parse(reply: ShellReply, request: Reboot | PowerOff) -> RebootTaken | RebootDeclined | NoAnswer:
    """What came of it. An answer that cannot be read is `NoAnswer`: the host may be going down, or not."""
    words = script.answer(reply, _verb(request))
    if words == ["taken"]:
        return RebootTaken()
    if words and words[0] == "declined" and len(words) > 1:
        fields = script.named(words[2:])
        boot_id = fields.get("boot") or None
        reason = words[1]
        if reason in ("boot-id", "too-late", "claim", "privilege", "failed"):
            return RebootDeclined(reason=reason, detail=_detail(reason, fields, request), boot_id=boot_id)
    said = one_line(reply.stderr, 80) or one_line(reply.stdout, 80) or "it said nothing"
    return NoAnswer(reason="command", detail=f"{_verb(request)}: exit {reply.exit_status}, {said}")


def _detail(reason: str, fields: dict[str, str], request: Reboot | PowerOff) -> str:
    if reason == "boot-id":
        return f"the boot id is {fields.get('boot')}, not {request.boot_id}: it has booted since"
    if reason == "too-late":
        return f"the uptime is {fields.get('uptime')} s, past {request.not_after_uptime_s:.0f} s"
    if reason == "claim":
        held = claim.held_by(fields)
        holder = f"{held.user}@{held.controller}, run {held.run}"
        return f"claimed by {holder}, since {held.since}, for {held.for_s:.0f} s more"
    if reason == "privilege":
        return f"may not write under /run, so may not {_verb(request)}: log in as root, or set ssh.sudo: true"
    return f"the host could not: {fields.get('why', 'it does not say why')}"
