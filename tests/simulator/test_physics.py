"""The rules R1 to R7, each by figures that follow by arithmetic."""

from __future__ import annotations

import pytest

from restart.model.inventory import Dependency, Host, Inventory, Service
from restart.simulator.physics.figures import (
    HostFigures,
    LogIns,
    Physics,
    Power,
    Rebuild,
    Relapse,
    Resource,
    ServiceFigures,
    Steady,
    Stuck,
    Transfer,
)
from restart.simulator.physics.site import Site


def inventory(*services: Service, labels: dict[str, dict[str, str]] | None = None) -> Inventory:
    names = dict.fromkeys(host for service in services for host in service.hosts)
    hosts = {name: Host(name=name, address=name, labels=(labels or {}).get(name, {})) for name in names}
    return Inventory(fleet="f", hosts=hosts, services={service.name: service for service in services})


def many(name: str, number: int, **given: object) -> Service:
    return Service(name=name, hosts=tuple(f"{name}-{index + 1}" for index in range(number)), **given)  # type: ignore[arg-type]


def run(site: Site, until_s: float) -> None:
    while (next_us := site.agenda.next_us()) is not None and next_us <= until_s * 1_000_000:
        site.agenda.step()
    site.agenda.now_us = int(until_s * 1_000_000)


def steps(site: Site, service: str) -> list[tuple[float, int]]:
    return site.fleet.groups[service].history


def told(site: Site, what: str) -> list[float]:
    return [found.at_s for found in site.fleet.happenings if found.what == what]


def boots(**boot_s: float) -> dict[str, HostFigures]:
    return {name.replace("_", "-"): HostFigures(boot_s=value, dep_timeout_s=60.0) for name, value in boot_s.items()}


# --- R1 and R2 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("provider_s", "ready"), [(150.0, 1), (150.001, 0)])
def test_a_member_waits_for_its_providers_and_fails_only_when_later_than_the_time_out(
    provider_s: float, ready: int
) -> None:
    fleet = inventory(many("db", 1), many("web", 1, depends_on=(Dependency(provider="db"),)))
    site = Site(fleet, Physics(hosts=boots(db_1=provider_s, web_1=90.0), off=frozenset(fleet.hosts)), 1)
    for host in fleet.hosts:
        site.machines.power_on(host)
    run(site, 1000)
    assert steps(site, "web")[-1][1] == ready
    assert len(told(site, "failed_start")) == 1 - ready


def test_a_failed_start_is_left_by_a_new_restart_only() -> None:
    fleet = inventory(many("db", 1), many("web", 1, depends_on=(Dependency(provider="db"),)))
    site = Site(fleet, Physics(hosts=boots(db_1=500.0, web_1=90.0), off=frozenset(fleet.hosts)), 1)
    for host in fleet.hosts:
        site.machines.power_on(host)
    run(site, 600)
    assert steps(site, "web")[-1][1] == 0
    site.machines.reboot("web-1")
    run(site, 1000)
    assert steps(site, "web")[-1] == (690.0, 1)


def test_a_soft_provider_costs_its_time_out_and_no_more() -> None:
    fleet = inventory(many("dns", 1), many("ntp", 1))
    physics = Physics(
        hosts=boots(ntp_1=60.0, dns_1=500.0),
        services={"ntp": ServiceFigures(soft={"dns": 75.0})},
        off=frozenset(fleet.hosts),
    )
    site = Site(fleet, physics, 1)
    for host in fleet.hosts:
        site.machines.power_on(host)
    run(site, 1000)
    assert steps(site, "ntp")[-1] == (135.0, 1)


# --- R3 ---------------------------------------------------------------------------------------------------------------


def test_a_collapse_comes_after_its_time_and_recovers_only_when_demand_was_low_for_long() -> None:
    fleet = inventory(many("db", 1), many("app", 4))
    physics = Physics(
        hosts=boots(app_1=10.0, app_2=10.0, app_3=10.0, app_4=10.0),
        resources=(Resource(service="db", cap=250, collapse_after_s=10.0, clear_below=150, clear_s=30.0),),
        steady=(Steady(service="app", of="db", each=100.0),),
        off=frozenset({"app-4", "app-3"}),
    )
    site = Site(fleet, physics, 1)
    site.machines.power_on("app-3")
    run(site, 15)
    assert told(site, "collapse") == []
    run(site, 100)
    assert told(site, "collapse") == [20.0]
    assert steps(site, "db")[-1] == (20.0, 0)
    site.machines.power_off("app-3")
    run(site, 200)
    assert told(site, "recovery") == []
    assert site.measure("demand db") == 200.0
    site.machines.power_off("app-2")
    run(site, 300)
    assert len(told(site, "recovery")) == 1


def test_log_ins_warm_the_cache_and_fill_their_hosts() -> None:
    fleet = inventory(many("db", 1), many("chat", 2), many("cache", 1))
    crowd = LogIns(
        service="chat", of="db", waiting=15000, rate=100, holds=5000, cold=2, warm=0.2, warm_after=8000, cache="cache"
    )
    physics = Physics(resources=(Resource(service="db", cap=800),), log_ins=(crowd,), off=frozenset({"chat-2"}))
    site = Site(fleet, physics, 1)
    run(site, 25)
    assert site.measure("demand db") == 200.0
    run(site, 60)
    assert site.measure("waiting chat") == 10000.0
    assert site.measure("demand db") == 0.0
    site.machines.power_on("chat-2")
    run(site, 60 + 180 + 20)
    assert site.measure("demand db") == 200.0
    run(site, 60 + 180 + 31)
    assert site.measure("demand db") == pytest.approx(20.0)
    run(site, 1000)
    assert site.measure("waiting chat") == 5000.0


# --- R4 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("clients", "took_s"), [(5, 60.0), (10, 60.0), (20, 120.0), (30, 180.0)])
def test_transfers_share_a_server_equally_and_a_time_out_strikes_only_later(clients: int, took_s: float) -> None:
    fleet = inventory(many("fe", clients))
    physics = Physics(
        hosts={name: HostFigures(boot_s=0.0) for name in fleet.hosts},
        transfers=(
            Transfer(name="map", hosts=tuple(fleet.hosts), work_s=60.0, at_once=10, timeout_s=180.0, before="ready"),
        ),
    )
    site = Site(fleet, physics, 1)
    for host in fleet.hosts:
        site.machines.reboot(host)
    run(site, 1000)
    assert steps(site, "fe")[-1] == (took_s, clients)
    assert told(site, "timeout") == []


def test_transfers_that_are_too_many_time_out_together_for_ever() -> None:
    fleet = inventory(many("fe", 31))
    physics = Physics(
        hosts={name: HostFigures(boot_s=0.0) for name in fleet.hosts},
        transfers=(
            Transfer(name="map", hosts=tuple(fleet.hosts), work_s=60.0, at_once=10, timeout_s=180.0, before="ready"),
        ),
    )
    site = Site(fleet, physics, 1)
    for host in fleet.hosts:
        site.machines.reboot(host)
    run(site, 1000)
    assert steps(site, "fe")[-1][1] == 0
    assert len(told(site, "timeout")) == 31 * 5


def test_a_transfer_that_others_join_is_slowed_from_then_on() -> None:
    fleet = inventory(many("fe", 2))
    physics = Physics(
        hosts=boots(fe_1=0.0, fe_2=10.0),
        transfers=(Transfer(name="map", hosts=tuple(fleet.hosts), work_s=20.0, at_once=1, before="ready"),),
    )
    site = Site(fleet, physics, 1)
    for host in fleet.hosts:
        site.machines.reboot(host)
    run(site, 100)
    assert steps(site, "fe")[1:] == [(30.0, 1), (40.0, 2)]


# --- R5 ---------------------------------------------------------------------------------------------------------------


def quorum(**given: object) -> Site:
    fleet = inventory(many("queue", 3), many("client", 2))
    figures = ServiceFigures(quorum=2, sync_s=60.0, reseed_s=900.0)
    relapse = ServiceFigures(relapse=Relapse(provider="queue", work_s=120.0))
    hosts = {name: HostFigures(boot_s=90.0) for name in fleet.hosts}
    return Site(fleet, Physics(hosts=hosts, services={"queue": figures, "client": relapse}, **given), 1)  # type: ignore[arg-type]


def test_a_quorum_lost_while_a_member_syncs_is_corrupt_and_its_clients_must_start_again() -> None:
    site = quorum()
    site.machines.reboot("queue-1")
    run(site, 90)
    site.machines.reboot("queue-2")
    run(site, 2000)
    assert told(site, "corrupt") == [90.0]
    assert steps(site, "client")[-1] == (90.0 + 900.0 + 120.0, 2)


def test_a_quorum_kept_is_never_corrupt() -> None:
    site = quorum()
    for index in (1, 2, 3):
        site.machines.reboot(f"queue-{index}")
        run(site, 200.0 * index)
    assert told(site, "corrupt") == []
    assert steps(site, "client") == [(0.0, 2)]
    assert min(number for _, number in steps(site, "queue")) == 2


def test_cold_members_sync_from_each_other_once_enough_are_up() -> None:
    site = quorum(off=frozenset({"queue-1", "queue-2", "queue-3"}))
    site.machines.power_on("queue-1")
    run(site, 1000)
    assert steps(site, "queue")[-1][1] == 0
    site.machines.power_on("queue-2")
    run(site, 2000)
    assert steps(site, "queue")[-1] == (1150.0, 2)
    assert told(site, "corrupt") == []


@pytest.mark.parametrize(("first", "lost"), [("pair-1", ["57"]), ("pair-2", [])])
def test_the_member_that_starts_first_decides_what_is_lost(first: str, lost: list[str]) -> None:
    fleet = inventory(many("pair", 2))
    figures = ServiceFigures(quorum=1, sync_s=10.0, writes={"pair-1": 1045, "pair-2": 1102})
    site = Site(fleet, Physics(services={"pair": figures}, off=frozenset(fleet.hosts)), 1)
    site.machines.power_on(first)
    run(site, 300)
    for host in fleet.hosts:
        site.machines.power_on(host)
    run(site, 900)
    assert [found.detail for found in site.fleet.happenings if found.what == "writes_lost"] == lost


# --- R6 and R7 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "trips"), [(9, 0), (10, 1)])
def test_a_breaker_opens_above_its_limit_and_takes_all_behind_it(number: int, trips: int) -> None:
    fleet = inventory(many("n", number))
    power = Power(name="rack", limit_w=9 * 650, inrush_w=650, inrush_s=20.0, steady_w=350)
    site = Site(fleet, Physics(power=(power,), off=frozenset(fleet.hosts)), 1)
    for host in fleet.hosts:
        site.machines.power_on(host)
    run(site, 1000)
    assert len(told(site, "trip")) == trips
    assert steps(site, "n")[-1][1] == (0 if trips else number)


def test_the_end_of_one_inrush_and_the_start_of_the_next_at_one_instant_do_not_add_up() -> None:
    fleet = inventory(many("n", 2))
    power = Power(name="rack", limit_w=1000, inrush_w=650, inrush_s=20.0, steady_w=350)
    site = Site(fleet, Physics(power=(power,), off=frozenset(fleet.hosts)), 1)
    site.machines.power_on("n-1")
    run(site, 20)
    site.machines.power_on("n-2")
    run(site, 1000)
    assert told(site, "trip") == []


def test_power_that_comes_back_by_itself_trips_again() -> None:
    fleet = inventory(many("n", 2))
    power = Power(name="rack", limit_w=1000, inrush_w=650, inrush_s=20.0, steady_w=350, auto_on_s=60.0)
    site = Site(fleet, Physics(power=(power,), off=frozenset(fleet.hosts)), 1)
    for host in fleet.hosts:
        site.machines.power_on(host)
    run(site, 150)
    assert told(site, "trip") == [0.0, 60.0, 120.0]


def test_a_stuck_host_comes_back_from_another_way() -> None:
    fleet = inventory(many("n", 1))
    physics = Physics(stuck=(Stuck(hosts=("n-1",), ways=("reboot",)),))
    site = Site(fleet, physics, 1)
    site.machines.reboot("n-1")
    run(site, 1000)
    assert not site.fleet.truth["n-1"].up
    site.machines.reboot("n-1", "power")
    run(site, 2000)
    assert site.fleet.truth["n-1"].boot_finished_s == 1180.0


def test_a_chance_of_never_returning_is_the_seed_s_and_no_one_else_s() -> None:
    fleet = inventory(many("n", 200))
    physics = Physics(stuck=(Stuck(hosts=tuple(fleet.hosts), chance=0.1),))

    def lost(seed: int, order: int) -> set[str]:
        site = Site(fleet, physics, seed)
        for host in list(fleet.hosts)[::order]:
            site.machines.reboot(host)
        run(site, 1000)
        return {name for name, truth in site.fleet.truth.items() if not truth.up}

    assert lost(1, 1) == lost(1, -1)
    assert lost(1, 1) != lost(2, 1)
    assert 5 <= len(lost(1, 1)) <= 40


def test_a_group_below_its_floor_is_built_again_as_a_whole_and_then_its_consumers() -> None:
    fleet = inventory(many("index", 50), many("placement", 20))
    figures = {
        "index": ServiceFigures(needs=40, rebuild=Rebuild(below=40, work_s=240.0, at_once=5)),
        "placement": ServiceFigures(relapse=Relapse(provider="index", work_s=120.0, at_once=5)),
    }
    site = Site(fleet, Physics(services=figures), 1)
    for index in range(11):
        site.machines.power_off(f"index-{index + 1}")
    run(site, 10000)
    assert steps(site, "index")[-1] == (2400.0, 50)
    assert steps(site, "placement")[-1] == (2880.0, 20)
