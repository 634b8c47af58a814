"""Sorting what was seen: rule 17 and the words of the issue, one claim a test."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from restart.model.answer import NoAnswer, PowerState
from restart.model.check import Finding, Verdict
from restart.model.inventory import Expect, Host, Inventory, Service
from restart.model.observation import HostSeen
from restart.model.playbook import Playbook
from restart.probes.section import Lines
from restart.probes.sweep import Swept
from restart.survey import Look, Looked, event_of, observation_of
from restart.survey.sort import moment, rfc3339

NOW = 1_795_000_000.0
BOOT = "6b0d1b2e-7c3f-4f0e-9d55-1f2a3b4c5d6e"
EXPECT_S = 100.0
PATIENCE_S = 200.0


def inventory(*hosts: str) -> Inventory:
    return Inventory(
        fleet="lab",
        hosts={host: Host(name=host, address=host) for host in hosts},
        services={"web": Service(name="web", hosts=hosts)},
        playbooks={"reboot": Playbook(name="reboot")},
        expect=Expect(boot_s=EXPECT_S),
    )


def up(uptime_s: float, verdict: Verdict = Verdict.PASS, *, at_s: float = 0.0, **sections: tuple[str, ...]) -> Look:
    lines = {"boot": (f"boot {BOOT}", f"uptime {uptime_s}"), **sections}
    return Look(
        swept=Swept(sections={name: Lines(text=text) for name, text in lines.items()}),
        at_s=at_s,
        ready={"web": Finding(verdict=verdict, evidence="tcp 80: refused")},
    )


def silent(reason: str, power: PowerState | None = None, verdict: Verdict = Verdict.UNKNOWN) -> Look:
    ready = {"web": Finding(verdict=verdict)}
    return Look(swept=NoAnswer(reason=reason, detail="said so"), ready=ready, power=power)


def seen(look: Look, since_ago_s: float | None) -> HostSeen:
    looked = Looked(looks={"h": look}, began=NOW, took_s=1.0)
    since = None if since_ago_s is None else NOW - since_ago_s
    return observation_of(inventory("h"), looked, since).hosts["h"]


@pytest.mark.parametrize(
    ("look", "since_ago_s", "state"),
    [
        (up(500.0), 600.0, "returned"),
        (up(599.9), 600.0, "returned"),
        (up(5000.0), 600.0, "never-went-down"),
        (up(5000.0), None, "never-went-down"),
        (up(500.0, Verdict.FAIL), 600.0, "unhealthy"),
        (up(5000.0, Verdict.FAIL), None, "unhealthy"),
        (up(PATIENCE_S - 1, Verdict.FAIL), 600.0, "returning"),
        (up(PATIENCE_S + 1, Verdict.FAIL), 600.0, "unhealthy"),
        (up(5000.0, Verdict.UNKNOWN), 600.0, "unknown"),
        (up(500.0, systemd=("runs systemd", "state maintenance")), 600.0, "unhealthy"),
        (up(5000.0, systemd=("runs systemd", "state stopping")), 600.0, "returning"),
        (up(5000.0, systemd=("runs systemd", "state degraded", "failed a.service x")), 600.0, "never-went-down"),
        (silent("refused"), PATIENCE_S - 1, "returning"),
        (silent("refused"), PATIENCE_S + 1, "stuck"),
        (silent("unreachable"), PATIENCE_S + 1, "stuck"),
        (silent("banner"), PATIENCE_S + 1, "stuck"),
        (silent("command"), PATIENCE_S + 1, "stuck"),
        (silent("unreachable"), None, "unknown"),
        (silent("refused", PowerState(state="off")), 10.0, "down"),
        (silent("refused", PowerState(state="off")), None, "down"),
        (silent("refused", PowerState(state="on")), PATIENCE_S + 1, "stuck"),
        (silent("auth"), PATIENCE_S + 1, "unknown"),
        (silent("host-key"), PATIENCE_S + 1, "unknown"),
        (silent("gateway"), PATIENCE_S + 1, "unknown"),
        (silent("banner", verdict=Verdict.PASS), PATIENCE_S + 1, "unknown"),
        (Look(swept=Swept()), 600.0, "unknown"),
    ],
)
def test_each_host_is_one_of_seven(look: Look, since_ago_s: float | None, state: str) -> None:
    assert seen(look, since_ago_s).state == state


def test_a_silent_host_is_waited_for_twice_its_boot_and_at_least_three_minutes() -> None:
    assert seen(silent("refused"), 10.0).returning_until == rfc3339(NOW - 10.0 + PATIENCE_S)
    looked = Looked(looks={"h": silent("refused")}, began=NOW, took_s=1.0)
    quick = Inventory(**{**_fields(inventory("h")), "expect": Expect(boot_s=5.0)})
    assert observation_of(quick, looked, NOW - 10.0).hosts["h"].returning_until == rfc3339(NOW - 10.0 + 180.0)


def _fields(found: Inventory) -> Mapping[str, object]:
    return {name: getattr(found, name) for name in found.__dataclass_fields__}


def test_why_says_in_which_phase_a_host_hangs() -> None:
    assert seen(silent("banner"), 600.0).why == "hangs: before the log-in: said so"
    assert seen(silent("unreachable"), None).why.startswith("no route: said so")


def test_boot_time_is_our_clock_less_the_hosts_uptime_when_it_was_read() -> None:
    # Read 20 s after the look began: the host booted 80 s before that beginning, not 100 s.
    looked = Looked(looks={"a": up(100.0, at_s=20.0), "b": up(101.0)}, began=NOW, took_s=20.0)
    event = event_of(looked)
    assert event is not None
    assert (event.since, event.last) == (NOW - 101.0, NOW - 80.0)


def boots(*ago_s: float) -> Looked:
    return Looked(looks={f"h{n}": up(ago) for n, ago in enumerate(ago_s)}, began=NOW, took_s=1.0)


@pytest.mark.parametrize(
    ("ago_s", "since_ago_s"),
    [
        ((600.0, 700.0, 86_400.0), 700.0),
        # Maintenance of one host this morning is not the event.
        ((600.0, 700.0, 30_000.0), 700.0),
        # The larger group counts, of two alike the later one.
        ((600.0, 10_000.0, 10_100.0, 10_200.0), 10_200.0),
        ((600.0, 650.0, 10_000.0, 10_100.0), 650.0),
        # Within half an hour of each other, not in a chain of such.
        ((600.0, 1_700.0, 2_300.0, 3_600.0), 2_300.0),
        ((600.0,), None),
        ((50_000.0, 50_001.0), None),
        ((), None),
    ],
)
def test_the_event_is_the_earliest_boot_of_those_that_belong_together(
    ago_s: tuple[float, ...], since_ago_s: float | None
) -> None:
    event = event_of(boots(*ago_s))
    assert (None if event is None else round(NOW - event.since, 6)) == since_ago_s


def test_a_host_that_wants_a_reboot_says_how_it_is_known() -> None:
    look = up(500.0, kernel=("running 6.1.0-28-amd64", "installed 6.1.0-29-amd64"))
    found = seen(look, None)
    assert (found.kernel, found.reboot_required) == ("6.1.0-28-amd64", True)
    assert found.reboot_why == "kernel 6.1.0-28-amd64 runs, 6.1.0-29-amd64 is installed"


def test_moments_are_read_back() -> None:
    assert moment(rfc3339(NOW)) == NOW
    with pytest.raises(ValueError, match="no time zone"):
        moment("2026-11-22T23:41:00")
