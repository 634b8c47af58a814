from __future__ import annotations

from restart.model.check import SSH_CHECK, Check
from restart.model.inventory import Expect, Host, Inventory, Service
from restart.rules.moves import duration_s, expected_s, gate_s, ready_checks, soak_s


def inventory(host: Host, *services: Service, expect: Expect | None = None) -> Inventory:
    return Inventory(
        fleet="toy",
        hosts={host.name: host},
        services={service.name: service for service in services},
        expect=expect or Expect(),
    )


def test_three_minutes_and_the_soak_of_ssh_where_nobody_says_anything() -> None:
    bare = Host(name="a", address="a")
    fleet = inventory(bare)
    assert expected_s(fleet, bare, ()) == (180.0, 0.0, "built-in")
    assert duration_s(fleet, bare, ()) == 180.0 + SSH_CHECK.healthy_for_s


def test_the_longest_of_its_services_wins_over_the_defaults() -> None:
    bare = Host(name="a", address="a")
    slow = Service(name="slow", hosts=("a",), expect=Expect(boot_s=300.0))
    warm = Service(name="warm", hosts=("a",), expect=Expect(boot_s=60.0, warm_s=45.0))
    fleet = inventory(bare, slow, warm, expect=Expect(boot_s=20.0, warm_s=5.0))
    assert expected_s(fleet, bare, ("slow", "warm")) == (300.0, 45.0, "service")


def test_the_hosts_own_value_wins_over_all() -> None:
    own = Host(name="a", address="a", expect=Expect(boot_s=30.0))
    warm = Service(name="warm", hosts=("a",), expect=Expect(boot_s=60.0, warm_s=45.0))
    assert expected_s(inventory(own, warm), own, ("warm",)) == (30.0, 45.0, "host")


def test_the_defaults_hold_for_hosts_of_no_service() -> None:
    bare = Host(name="a", address="a")
    assert expected_s(inventory(bare, expect=Expect(boot_s=20.0)), bare, ()) == (20.0, 0.0, "defaults")


def test_a_move_lasts_as_long_as_its_longest_check_must_hold() -> None:
    bare = Host(name="a", address="a")
    checked = Service(
        name="s", hosts=("a",), ready=(Check(kind="tcp", healthy_for_s=5.0), Check(kind="http", healthy_for_s=40.0))
    )
    silent = Service(name="t", hosts=("a",))
    fleet = inventory(bare, checked, silent)
    assert soak_s(fleet, ("s",)) == 40.0
    assert soak_s(fleet, ("t",)) == 10.0
    assert duration_s(fleet, bare, ("s", "t")) == 220.0


def test_a_service_without_checks_is_asked_over_ssh() -> None:
    assert ready_checks(Service(name="s", hosts=())) == (SSH_CHECK,)


def test_a_gate_adds_the_longest_time_that_it_must_hold() -> None:
    gated = Service(
        name="s", hosts=(), gate=(Check(kind="tcp", healthy_for_s=5.0), Check(kind="tcp", healthy_for_s=9.0))
    )
    assert gate_s(gated) == 9.0
    assert gate_s(Service(name="s", hosts=())) == 0.0


def test_a_gate_that_waits_for_a_person_adds_no_time_of_its_own() -> None:
    gated = Service(
        name="s", hosts=(), gate=(Check(kind="approve", healthy_for_s=30.0), Check(kind="tcp", healthy_for_s=5.0))
    )
    assert gate_s(gated) == 5.0
