"""From a sweep to findings: which sections are asked, every rule, and how grades fall where nobody knows what a boot does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from restart.model.answer import NoAnswer
from restart.model.preflight import GRADES, NOT_TOLD, Found, Grade, HostFound, Preflight
from restart.probes.section import Section
from restart.probes.sections import (
    addresses,
    boot,
    bootloader,
    changed,
    clock,
    disks,
    enabled,
    firewall,
    identity,
    kernel,
    listening,
    mounts,
    present,
    raid,
    rights,
    sysctls,
)
from restart.probes.sweep import Swept
from restart.survey.look import Looked
from restart.survey.preflight import booting, network, presence, storage, units
from restart.survey.sort import UNKNOWABLE, rfc3339, silence

SECTIONS: tuple[Section[object], ...] = tuple(
    module.SECTION
    for module in (
        boot, identity, kernel, rights, enabled, listening, mounts, addresses, sysctls, firewall, bootloader, disks, raid, clock,
        present, changed,
    )
)  # fmt: skip

Rule = Callable[[Swept], Iterator[Found]]

RULES: tuple[Rule, ...] = (
    presence.allowed,
    units.units,
    units.listeners,
    storage.fstab,
    storage.room,
    storage.checks,
    storage.arrays,
    network.live_addresses,
    network.settings,
    network.firewalls,
    booting.loaders,
    booting.kernels,
    booting.unproved,
    booting.clocks,
    presence.at_work,
)

OF_SYSTEMD: frozenset[str] = frozenset(
    {"not-enabled", "mount-not-in-fstab", "fstab-device-missing", "fstab-not-mounted",
     "swap-not-in-fstab", "address-not-kept", "route-not-kept", "firewall-not-kept", "sysctl-differs"}
)  # fmt: skip
"""Rules about what a boot brings back, which are sure where systemd does it; elsewhere they note."""

SAME_MAX = 10
"""So many findings of one rule are told of a host; of the rest the number."""


def judged(swept: Swept | NoAnswer, at: str) -> HostFound:
    """What one host's answer means, the gravest first. `at` is when it was looked at (UTC, RFC 3339)."""
    if isinstance(swept, NoAnswer):
        return HostFound(at=at, answered=False, found=(_silent(swept),))
    who = swept.of(identity.SECTION)
    is_systemd = who is not None and who.init == "systemd"
    found = [one for rule in (*RULES, _untold) for one in _bounded(rule(swept))]
    if not is_systemd:
        found = [
            replace(one, grade=Grade.NOTES) if one.rule in OF_SYSTEMD else one
            for one in found
            if one.rule != "unowned-listener"
        ]
        found += units.without_systemd(swept)
    up = swept.of(boot.SECTION)
    return HostFound(
        at=at,
        found=tuple(sorted(found, key=lambda one: GRADES.index(one.grade))),
        uptime_s=None if up is None else up.uptime_s,
        cpu_s=swept.cpu_s,
    )


def preflight_of(looked: Looked, fleet: str) -> Preflight:
    """The findings of every host that was looked at."""
    at = rfc3339(looked.began)
    hosts: Mapping[str, HostFound] = {host: judged(look.swept, at) for host, look in looked.looks.items()}
    return Preflight(at=at, fleet=fleet, hosts=hosts)


def _untold(swept: Swept) -> Iterator[Found]:
    """What was asked and did not answer in its time: that nothing is found there proves nothing."""
    for section, commands in swept.late.items():
        yield Found(
            rule=NOT_TOLD,
            grade=Grade.WARNS,
            evidence=f"{', '.join(commands)} did not end in time, so that nothing or little is known of: {section}",
            why="what may be wrong there is not found, and a host whose systemctl hangs may not go down in order either",
            mend="see why it hangs, or whether the host is very busy; then look again",
        )


def _silent(nothing: NoAnswer) -> Found:
    """A host that cannot be looked at cannot be restarted over SSH either; sudo that is refused has a name of its own."""
    rule = "sudo" if nothing.reason == "privilege" else "ssh"
    mend = {
        "sudo": "allow it in sudoers without a password, or log in as root",
        "ssh": "mend the log-in (ssh.user, identity_file, known_hosts)" if nothing.reason in UNKNOWABLE
        else "see whether it is up: restart survey",
    }[rule]  # fmt: skip
    return Found(
        rule=rule,
        grade=Grade.BLOCKS,
        evidence=silence(nothing),
        why="what it would bring back is not known, and no run can restart it over SSH",
        mend=mend,
    )


def _bounded(found: Iterator[Found]) -> Iterator[Found]:
    counts: dict[str, int] = {}
    first: dict[str, Found] = {}
    for one in found:
        counts[one.rule] = counts.get(one.rule, 0) + 1
        first.setdefault(one.rule, one)
        if counts[one.rule] <= SAME_MAX:
            yield one
    for rule, number in counts.items():
        if number > SAME_MAX:
            yield replace(first[rule], evidence=f"{number - SAME_MAX} more of the same kind")
