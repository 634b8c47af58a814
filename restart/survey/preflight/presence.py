"""Rules about who and what is at work on the host now, and about what we may do there."""

from __future__ import annotations

from collections.abc import Iterator

from restart.model.preflight import Found, Grade
from restart.probes.sections import present, rights
from restart.probes.sweep import Swept


def at_work(swept: Swept) -> Iterator[Found]:
    """People, package managers, inhibitors, a shutdown that is scheduled."""
    seen = swept.of(present.SECTION)
    if seen is None:
        return
    for what in seen.packaging:
        yield Found(
            rule="packages",
            grade=Grade.BLOCKS,
            evidence=f"packages are being changed: {what}",
            why="a reboot in the middle leaves the host half installed, and perhaps without a kernel",
            mend="wait until it is done, and keep it away during the run",
        )
    # One that is at work has such files as well.
    if seen.interrupted and not seen.packaging:
        yield Found(
            rule="packages-interrupted",
            grade=Grade.WARNS,
            evidence="dpkg was interrupted before: /var/lib/dpkg/updates is not empty",
            why="what is half configured may not start",
            mend="dpkg --configure -a",
        )
    for who in seen.inhibitors:
        yield Found(
            rule="inhibitor",
            grade=Grade.BLOCKS,
            evidence=f"a shutdown is inhibited by {who}",
            why="somebody has said that this host must not go down now",
            mend="ask them (systemd-inhibit --list)",
        )
    if seen.scheduled:
        yield Found(
            rule="shutdown-scheduled",
            grade=Grade.WARNS,
            evidence="a shutdown or reboot is scheduled already",
            why="the host will go down once more, by itself",
            mend="shutdown -c, or wait for it",
        )
    if seen.people:
        yield Found(
            rule="people",
            grade=Grade.NOTES,
            evidence=f"logged in: {'; '.join(' '.join(who.split()) for who in seen.people[:5])}"
            + (f"; {len(seen.people) - 5} more" if len(seen.people) > 5 else ""),
            why="their work is cut off",
            mend="tell them (wall)",
        )


def allowed(swept: Swept) -> Iterator[Found]:
    """What a restart needs and the log-in may not do."""
    seen = swept.of(rights.SECTION)
    if seen is None:
        return
    if seen.may_claim is False:
        yield Found(
            rule="rights",
            grade=Grade.BLOCKS,
            evidence=f"{seen.user or 'the log-in'} may not write under /run",
            why="without it no run can claim the host, nor reboot it",
            mend="log in as root, or set ssh.sudo: true and allow it in sudoers",
        )
    if seen.reboots is False:
        yield Found(
            rule="rights",
            grade=Grade.BLOCKS,
            evidence="there is neither systemctl nor reboot",
            why="nothing on the host can reboot it",
            mend="restart it by its power control",
        )
