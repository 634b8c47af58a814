"""The physics alone: exact numbers, no clock, no network."""

from __future__ import annotations

import pytest

from restart.demo.layout import Shape
from restart.demo.site import Phase, Physics, Site


class Clock:
    """A site, and the time that is told to it."""

    def __init__(self, shape: Shape | None = None) -> None:
        self.site = Site((shape or Shape()).hosts(), Physics())
        self.now_s = 0.0

    def go_on(self, seconds: float) -> None:
        self.now_s += seconds
        self.site.advance(self.now_s)

    def reboot(self, *hosts: str) -> None:
        """All of them at once; each boots in its service's time."""
        for host in hosts:
            self.site.off(host)
        boot_s = {host: self.site.physics.boot_s[self.site.members[host].service] for host in hosts}
        began_s = self.now_s
        for host in sorted(hosts, key=boot_s.__getitem__):
            self.go_on(began_s + boot_s[host] - self.now_s)
            self.site.up(host)

    def phases(self, service: str) -> set[Phase]:
        return {m.phase for m in self.site.members.values() if m.service == service}


@pytest.fixture
def clock() -> Clock:
    return Clock()


def members(service: str) -> tuple[str, ...]:
    return tuple(host for host, name in Shape().hosts().items() if name == service)


def test_an_idle_site_works_for_ever(clock: Clock) -> None:
    clock.go_on(60.0)
    assert clock.site.whole().well
    assert clock.site.online() == 2250
    assert set(clock.site.outage_s.values()) == {0.0}


def test_everything_at_once_leaves_every_application_failed(clock: Clock) -> None:
    clock.reboot(*clock.site.members)
    clock.go_on(10.0)
    assert clock.phases("app") == {Phase.FAILED}
    assert clock.phases("db") == clock.phases("queue") == clock.phases("cache") == {Phase.READY}
    assert "db: 0 of 3 serve" in clock.site.health("app-1").text
    assert not clock.site.whole().well
    assert clock.site.sessions_cut == 2250


def test_the_failed_ones_restarted_together_drown_the_database_for_good(clock: Clock) -> None:
    clock.reboot(*clock.site.members)
    clock.go_on(10.0)
    clock.reboot(*members("app"))
    clock.go_on(60.0)
    assert clock.site.collapsed
    assert clock.site.demand == 9 * 250 * 2
    assert clock.phases("app") == {Phase.LOGGING_IN}
    assert not clock.site.serving("db").well


def test_two_applications_with_a_cold_cache_are_already_too_many(clock: Clock) -> None:
    clock.reboot("cache-1", "cache-2", "cache-3")
    clock.go_on(1.0)
    assert not clock.site.cache_warm
    clock.reboot("app-1", "app-2")
    clock.go_on(1.5)
    assert clock.site.collapsed


def test_a_collapsed_database_recovers_once_the_log_ins_stop(clock: Clock) -> None:
    clock.reboot("cache-1", "cache-2", "cache-3")
    clock.reboot("app-1", "app-2")
    clock.go_on(2.0)
    assert clock.site.collapsed
    clock.site.off("app-1")
    clock.site.off("app-2")
    clock.go_on(2.9)
    assert clock.site.collapsed
    clock.go_on(0.2)
    assert not clock.site.collapsed


def test_in_order_and_a_few_at_a_time_nobody_notices(clock: Clock) -> None:
    def drained(*hosts: str) -> None:
        for balancer in members("lb"):
            clock.site.drain(balancer, frozenset(hosts))

    for service in ("db", "queue", "cache"):
        for host in members(service):
            clock.reboot(host)
            clock.go_on(1.0)
    apps = members("app")
    for batch in (apps[:1], apps[1:3], apps[3:6], apps[6:]):
        drained(*batch)
        clock.reboot(*batch)
        clock.go_on(2.0)
        drained()
    for host in members("lb"):
        clock.reboot(host)
        clock.go_on(1.0)
    site = clock.site
    assert {m.phase for m in site.members.values()} == {Phase.READY}
    assert (site.sessions_cut, site.collapses, site.online()) == (0, 0, 2250)
    assert set(site.outage_s.values()) == {0.0}
    assert site.demand_peak == 3 * 250 * 0.2


def test_an_application_that_was_not_drained_loses_its_sessions(clock: Clock) -> None:
    clock.site.drain("lb-1", frozenset({"app-1"}))  # and not lb-2: its traffic still goes there
    clock.site.off("app-1")
    assert clock.site.sessions_cut == 250


def test_a_drained_application_takes_its_sessions_back_when_undrained(clock: Clock) -> None:
    for drained in (frozenset({"app-1"}), frozenset[str]()):
        for balancer in members("lb"):
            clock.site.drain(balancer, drained)
        assert clock.site.members["app-1"].sessions == (0 if drained else 250)
        assert clock.site.online() == 2250


def test_a_queue_that_loses_its_quorum_while_a_member_syncs_is_corrupt(clock: Clock) -> None:
    clock.reboot("queue-1")
    assert clock.phases("queue") == {Phase.READY, Phase.CATCHING_UP}
    clock.reboot("queue-2")
    clock.go_on(5.0)
    assert clock.phases("queue") == {Phase.READY}, "each member by itself looks well"
    assert "corrupt" in clock.site.serving("queue").text
    clock.go_on(20.0)
    assert clock.site.serving("queue").well


def test_a_member_of_a_queue_alone_never_becomes_ready(clock: Clock) -> None:
    for host in members("queue"):
        clock.site.off(host)
    clock.site.up("queue-1")
    clock.go_on(30.0)
    assert clock.phases("queue") == {Phase.OFF, Phase.CATCHING_UP}
    clock.site.up("queue-2")
    clock.go_on(1.0)
    assert clock.site.serving("queue").well


def test_a_busy_database_says_no_at_its_gate_before_it_collapses(clock: Clock) -> None:
    clock.reboot("cache-1", "cache-2", "cache-3")
    clock.go_on(1.0)
    clock.reboot("app-1", "app-2")
    clock.go_on(0.2)
    assert clock.site.serving("db").well
    assert not clock.site.gate("db").well


def test_a_load_balancer_needs_half_of_the_applications(clock: Clock) -> None:
    clock.site.drain("lb-1", frozenset(members("app")[:4]))
    assert clock.site.health("lb-1").well
    clock.site.drain("lb-1", frozenset(members("app")[:5]))
    assert not clock.site.health("lb-1").well
    assert clock.site.health("lb-2").well
