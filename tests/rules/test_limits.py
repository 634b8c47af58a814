from __future__ import annotations

from restart.model.inventory import Dependency, Host, Inventory, Limit, Service
from restart.rules.limits import DEFAULT_IN_FLIGHT, DomainTable, Slot, SlotTable, limits


def inventory(*written: Limit, services: tuple[Service, ...] = ()) -> Inventory:
    hosts = {
        "a": Host(name="a", address="a", labels={"rack": "r1", "zone": "z1"}),
        "b": Host(name="b", address="b", labels={"rack": "r2", "zone": "z1"}),
        "bare": Host(name="bare", address="bare"),
    }
    return Inventory(
        fleet="toy",
        hosts=hosts,
        services={service.name: service for service in services},
        limits={limit.name: limit for limit in written},
    )


def test_ten_in_flight_where_no_fleet_wide_limit_is_written() -> None:
    fleet = inventory(Limit(name="rack", per="rack", max_in_flight=2))
    (rack, default) = limits(fleet)
    assert (rack.name, default.name, default.max_in_flight) == ("rack", "fleet", DEFAULT_IN_FLIGHT)


def test_a_written_fleet_wide_limit_replaces_the_default() -> None:
    fleet = inventory(Limit(name="everything", max_in_flight=3))
    assert [limit.name for limit in limits(fleet)] == ["everything"]


def test_a_limit_named_fleet_that_caps_something_else_keeps_the_default() -> None:
    fleet = inventory(Limit(name="fleet", per="rack", max_in_flight=1))
    assert [limit.name for limit in limits(fleet)] == ["fleet", "default"]


def test_a_host_without_the_label_is_outside_a_per_limit() -> None:
    fleet = inventory(Limit(name="rack", per="rack", max_in_flight=2))
    table = SlotTable(fleet)
    assert table.slots(fleet.hosts["a"], ()) == (Slot(limit="limit.rack", value="r1"), Slot(limit="limit.fleet"))
    assert table.slots(fleet.hosts["bare"], ()) == (Slot(limit="limit.fleet"),)
    assert table.cap(Slot(limit="limit.rack", value="r2")) == 2


def test_a_limit_for_a_pattern_holds_for_its_hosts_only() -> None:
    fleet = inventory(Limit(name="odd", hosts=("a",), max_in_flight=1), Limit(name="fleet", max_in_flight=9))
    table = SlotTable(fleet)
    assert Slot(limit="limit.odd") in table.slots(fleet.hosts["a"], ())
    assert Slot(limit="limit.odd") not in table.slots(fleet.hosts["b"], ())


def test_admission_counts_direct_consumers_of_both_kinds() -> None:
    db = Service(name="db", hosts=("bare",), admission=4)
    app = Service(name="app", hosts=("a",), depends_on=(Dependency(provider="db"),))
    log = Service(name="log", hosts=("b",), depends_on=(Dependency(provider="db", kind="after"),))
    fleet = inventory(services=(db, app, log))
    table = SlotTable(fleet)
    admitted = Slot(limit="admission.db")
    assert admitted in table.slots(fleet.hosts["a"], ("app",))
    assert admitted in table.slots(fleet.hosts["b"], ("log",))
    assert admitted not in table.slots(fleet.hosts["bare"], ("db",))
    assert table.cap(admitted) == 4
    assert table.terms["admission.db"].until == "gate"


def test_a_host_of_two_consumers_takes_one_admission() -> None:
    db = Service(name="db", hosts=("bare",), admission=1)
    both = [Service(name=name, hosts=("a",), depends_on=(Dependency(provider="db"),)) for name in ("x", "y")]
    fleet = inventory(services=(db, *both))
    slots = SlotTable(fleet).slots(fleet.hosts["a"], ("x", "y"))
    assert slots.count(Slot(limit="admission.db")) == 1


def test_domains_are_the_labels_values_and_hosts_themselves_without_a_label() -> None:
    fleet = inventory(Limit(name="zone", per="zone", max_domains=1), Limit(name="few", max_domains=2))
    table = DomainTable(fleet)
    assert table.domains(fleet.hosts["a"]) == (
        Slot(limit="limit.zone.max_domains", value="z1"),
        Slot(limit="limit.few.max_domains", value="a"),
    )
    assert table.domains(fleet.hosts["bare"]) == (Slot(limit="limit.few.max_domains", value="bare"),)
    assert table.cap(Slot(limit="limit.few.max_domains", value="a")) == 2


def test_a_slot_reads_as_limit_and_value() -> None:
    assert str(Slot(limit="limit.rack", value="r1")) == "limit.rack r1"
    assert str(Slot(limit="limit.fleet")) == "limit.fleet"


def test_a_limit_for_some_hosts_keeps_the_default_for_all() -> None:
    some = Limit(name="web", hosts=("a",), max_in_flight=50)
    assert [limit.name for limit in limits(inventory(some))] == ["web", "fleet"]
