"""Rules about what runs: units that no boot starts, units that have failed, sockets of processes that no unit owns."""

from __future__ import annotations

import re
from collections.abc import Iterator

from restart.model.preflight import Found, Grade
from restart.probes.sections import enabled, listening
from restart.probes.sections.enabled import Unit
from restart.probes.sections.listening import Socket
from restart.probes.sweep import Swept

CLUSTERED = frozenset({"pacemaker.service", "corosync.service", "nomad.service", "monit.service", "supervisor.service"})
"""Where one of them runs, it may be what starts units that are not enabled, and then means them not to be."""


def units(swept: Swept) -> Iterator[Found]:
    """Units that run and that no boot starts; units that a boot starts and that have failed; ordering cycles."""
    seen = swept.of(enabled.SECTION)
    if seen is None:
        return
    keepers = sorted({unit.name for unit in seen.units} & CLUSTERED)
    for unit in seen.units:
        if unit.failed and unit.file_state in ("enabled", "enabled-runtime"):
            yield Found(
                rule="unit-failed",
                grade=Grade.WARNS,
                evidence=f"{unit.name} is enabled and has failed{_result(unit)}",
                why="it is down before anything is touched, and its check may fail afterwards for no fault of the restart",
                mend=f"look with `systemctl status {unit.name}`; mend it, or `systemctl disable {unit.name}`",
            )
        elif not unit.failed and not unit.comes_back:
            yield _not_enabled(unit, keepers)
    for cycle in seen.cycles:
        yield Found(
            rule="ordering-cycle",
            grade=Grade.WARNS,
            evidence=cycle,
            why="systemd breaks a cycle by leaving a unit out, and not the same one at each boot",
            mend="take one of the After= or Before= out; `systemd-analyze verify default.target` names them",
        )


def _not_enabled(unit: Unit, keepers: list[str]) -> Found:
    if unit.file_state == "transient":
        how, mend = "was started by hand (systemd-run)", "write a unit file for it and enable that"
    elif unit.file_state.startswith("masked"):
        how, mend = "is masked", f"systemctl unmask {unit.name} and enable it, or stop it now"
    elif unit.file_state == "generated":
        how, mend = (
            "has an init script or generator and no runlevel or target that wants it",
            f"enable it: systemctl enable {unit.name}",
        )
    else:
        how, mend = "is not enabled", f"systemctl enable {unit.name}, or stop it now if nobody needs it"
    by = f", and {keepers[0]} runs, which may start it" if keepers else ""
    return Found(
        rule="not-enabled",
        grade=Grade.WARNS if keepers else Grade.BLOCKS,
        evidence=f"{unit.name} runs and {how}{by}",
        why="it will not run after the reboot",
        mend=mend,
    )


def _result(unit: Unit) -> str:
    return f" ({unit.result})" if unit.result not in ("", "success") else ""


def listeners(swept: Swept) -> Iterator[Found]:
    """Listening sockets of processes that somebody started in a session, or that no unit owns."""
    seen = swept.of(listening.SECTION)
    if seen is None:
        return
    low, high = seen.ephemeral
    told: set[tuple[str, int]] = set()
    for socket in seen.sockets:
        owner = unowned(socket, seen.lingering)
        key = (socket.process, socket.port)
        # sshd itself listens in a session where somebody forwards a port.
        if owner is None or socket.process.startswith("sshd") or key in told:
            continue
        told.add(key)
        ephemeral = low <= socket.port <= high
        yield Found(
            rule="unowned-listener",
            grade=Grade.NOTES if ephemeral or socket.protocol == "udp" else Grade.BLOCKS,
            evidence=f":{socket.port} {socket.process} ({socket.protocol}, {socket.address}) {owner}",
            why="nothing starts it at boot: whoever connects to that port will find nobody",
            mend="make a unit of it, or a container with a restart policy; or stop it now if nobody needs it",
        )


def without_systemd(swept: Swept) -> Iterator[Found]:
    """One note on a host that systemd did not start: its listening processes, of which nobody here knows whether they come back."""
    seen = swept.of(listening.SECTION)
    names = sorted({f":{socket.port} {socket.process}" for socket in seen.sockets if socket.process}) if seen else []
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    yield Found(
        rule="no-systemd",
        grade=Grade.NOTES,
        evidence="systemd does not run here" + (f"; listening are {', '.join(names[:8])}{more}" if names else ""),
        why="what a boot of this host starts, mounts and sets up is not known, so that little is judged",
        mend="see for yourself (rc-status, rc-update show), and restart one host of this kind first",
    )


_KEEPERS = {"ssh": "sshd", "sshd": "sshd", "dropbear": "dropbear", "getty": "agetty", "serial-getty": "agetty"}
"""Units that let people in, and what their own processes are called."""

_DOOR = re.compile(rf"({'|'.join(_KEEPERS)})(?:@.*)?\.service")
_OF_USER = re.compile(r"/user@([0-9]{1,10})\.service/")


def unowned(socket: Socket, lingering: frozenset[str] = frozenset()) -> str | None:
    """How the process came to run, in words, where no unit that a boot starts owns it; None where one does, or nobody knows."""
    if not socket.process or socket.cgroup is None:
        return None
    unit = socket.unit
    if unit.startswith("session-") and unit.endswith(".scope"):
        return f"runs in a log-in ({unit})"
    # Where no pam_systemd opens a session, a log-in stays in the unit that let it in.
    door = _DOOR.fullmatch(unit)
    if door is not None and not socket.process.startswith(_KEEPERS[door[1]]):
        return f"runs in a log-in ({unit})"
    user = _OF_USER.search(socket.cgroup)
    if user is not None and user[1] not in lingering:
        return f"belongs to {unit} of user {user[1]}, whose units start at log-in only (loginctl enable-linger)"
    return "belongs to no unit" if not unit and socket.cgroup in ("/", "/init.scope") else None
