"""Arithmetic of shared servers and capacities: the numbers of public incidents, worked out by hand."""

from __future__ import annotations

import pytest

from restart.model.inventory import Host, Inventory, Limit, Service, Shared
from restart.rules.limits import (
    Slot,
    SlotTable,
    bearable_s,
    clients_max,
    draw,
    fits,
    limits,
    saturating,
    startable,
    transfer_s,
    usable,
)

MESH = Shared(work_s=60.0, at_once=10, timeout_s=180.0)
IMAGES = Shared(work_s=40.0, at_once=10, timeout_s=120.0)
RACK = Limit(name="rack", per="rack", capacity=6000.0, starting=650.0, starting_for_s=20.0, running=350.0)
ROOM = Limit(name="room", capacity=20000.0, starting=650.0, starting_for_s=20.0, running=350.0)


@pytest.mark.parametrize(
    ("clients", "each_s"), [(1, 60.0), (10, 60.0), (20, 120.0), (28, 168.0), (30, 180.0), (120, 720.0)]
)
def test_clients_slow_each_other_down_only_beyond_what_the_server_serves_at_once(clients: int, each_s: float) -> None:
    assert transfer_s(MESH, clients) == each_s


@pytest.mark.parametrize(("shared", "most"), [(MESH, 28), (IMAGES, 28)])
def test_the_server_bears_what_ends_within_the_time_out_less_headroom(shared: Shared, most: int) -> None:
    assert clients_max(shared, 0.05) == most
    assert transfer_s(shared, most) <= bearable_s(shared, 0.05) < transfer_s(shared, most + 1)


def test_without_headroom_the_time_out_itself_may_be_reached() -> None:
    assert clients_max(MESH, 0.0) == 30


def test_work_that_does_not_fit_the_time_out_alone_lets_nobody() -> None:
    assert clients_max(Shared(work_s=100.0, at_once=5, timeout_s=100.0), 0.05) == 0


@pytest.mark.parametrize(("written", "planned"), [(None, 10), (20, 10), (30, 10), (10, 10), (4, 4)])
def test_the_smallest_number_that_saturates_is_planned(written: int | None, planned: int) -> None:
    assert saturating(Limit(name="map", shared=MESH, max_in_flight=written)) == planned


def test_every_safe_number_from_saturation_on_takes_as_long_in_all() -> None:
    def total_s(at_once: int) -> float:
        return 120 / at_once * transfer_s(MESH, at_once)

    assert [total_s(number) for number in (10, 20, 24)] == [720.0, 720.0, 720.0]
    assert total_s(5) == 1440.0


def batches(*, most: int, hosts: int = 48, racks: int = 4) -> list[tuple[int, float]]:
    """How many hosts that are off start every 20 s, spread over the racks, and what the room draws meanwhile."""
    found, up = [], 0
    while up < hosts:
        per_rack = startable(RACK, up=up // racks)
        now = min(most, hosts - up, startable(ROOM, up=up), per_rack * racks)
        found.append((now, draw(ROOM, up=up, starting=now)))
        up += now
    return found


def test_forty_eight_hosts_of_four_racks_start_by_sixteen_and_never_by_the_same_number_blindly() -> None:
    assert batches(most=16) == [(16, 10400.0), (16, 16000.0), (12, 19000.0), (4, 18000.0)]


def test_without_a_cap_the_room_alone_sets_the_batches() -> None:
    assert [now for now, _ in batches(most=48)] == [29, 13, 6]


def test_a_batch_that_was_safe_twice_trips_the_third_time() -> None:
    assert draw(ROOM, up=32, starting=16) == 21600.0 > 20000.0
    assert startable(ROOM, up=32) == 12


def test_twenty_and_twenty_touch_the_capacity_itself_and_leave_no_headroom() -> None:
    assert draw(ROOM, up=20, starting=20) == 20000.0
    assert not fits(draw(ROOM, up=20, starting=0), 20 * 650.0, usable(ROOM))


def test_a_whole_rack_at_once_trips_its_breaker() -> None:
    assert draw(RACK, up=0, starting=12) == 7800.0 > 6000.0
    assert startable(RACK, up=0) == 8


def test_at_the_cap_is_allowed_and_above_it_is_not() -> None:
    assert fits(9, 1, 10)
    assert not fits(9, 1.01, 10)
    assert fits(0.1 + 0.2, 0.7, 1.0)


def hall(*written: Limit, uses: dict[str, float] | None = None) -> Inventory:
    hosts = {name: Host(name=name, address=name, labels={"rack": "r1"}) for name in ("a", "b", "c")}
    hosts["hungry"] = Host(name="hungry", address="h", labels={"rack": "r1"}, uses=uses or {})
    hosts["bare"] = Host(name="bare", address="bare")
    services = {"web": Service(name="web", hosts=tuple(hosts))}
    return Inventory(fleet="hall", hosts=hosts, services=services, limits={limit.name: limit for limit in written})


def test_what_runs_under_a_capacity_is_taken_off_before_anything_starts() -> None:
    fleet = hall(RACK)
    table = SlotTable(fleet)
    rack = Slot(limit="limit.rack.capacity", value="r1")
    assert table.cap(rack) == 5700.0 - 4 * 350.0
    (take,) = [take for take in table.takes(fleet.hosts["a"], ("web",)) if take.slot == rack]
    assert take.amount == 650.0 - 350.0
    assert rack not in table.slots(fleet.hosts["bare"], ("web",))
    assert table.held_of(rack, 300.0) == "1700 of 5700 drawn"


def test_a_start_draws_until_some_time_after_the_boot_was_proved() -> None:
    term = SlotTable(hall(RACK)).terms["limit.rack.capacity"]
    assert (term.clock_from, term.clock_s) == ("booted", 20.0)


@pytest.mark.parametrize(
    ("limit", "uses", "amount"),
    [
        (RACK, {"rack": 900.0}, 550.0),
        (RACK, {"rack": 100.0}, None),
        (Limit(name="fleet", max_in_flight=5), {"fleet": 2.5}, 2.5),
        (Limit(name="fleet", shared=MESH), {"fleet": 3.0}, 3.0),
        (Limit(name="fleet", max_in_flight=5), {"other": 2.5}, 1),
    ],
)
def test_uses_replaces_what_a_start_draws_or_one(limit: Limit, uses: dict[str, float], amount: float | None) -> None:
    fleet = hall(limit, uses=uses)
    taken = [
        take
        for take in SlotTable(fleet).takes(fleet.hosts["hungry"], ())
        if take.slot.limit.startswith(f"limit.{limit.name}")
    ]
    assert [take.amount for take in taken] == ([] if amount is None else [amount])


def test_a_rate_counts_starts_as_one_each_whatever_a_host_uses() -> None:
    rate = Limit(name="starts", max_rate=20, max_rate_per_s=60.0)
    fleet = hall(rate, uses={"starts": 7.0})
    table = SlotTable(fleet)
    (take,) = [take for take in table.takes(fleet.hosts["hungry"], ()) if take.slot.limit == "limit.starts.max_rate"]
    assert (take.amount, table.cap(take.slot)) == (1, 20)
    assert (table.terms[take.slot.limit].clock_from, table.terms[take.slot.limit].clock_s) == ("start", 60.0)


@pytest.mark.parametrize(
    ("limit", "held_from", "until", "clock_s", "planned_s"),
    [
        (Limit(name="s", shared=MESH), "start", "ready", None, 60.0),
        (Limit(name="s", shared=MESH, held_until="booted"), "start", "booted", None, 60.0),
        (Limit(name="s", shared=MESH, held_from="booted"), "booted", "ready", None, 60.0),
        (Limit(name="s", shared=MESH, held_until="gate"), "start", "gate", None, None),
        (Limit(name="s", shared=MESH, held_s=40.0), "start", "ready", 40.0, None),
        (Limit(name="s", max_in_flight=1, held_until="booted"), "start", "booted", None, None),
        (Limit(name="s", max_in_flight=1, held_from="booted", held_until="booted"), "booted", "ready", None, None),
    ],
)
def test_a_transfer_is_held_until_it_is_proved_over_and_predicted_to_take_its_work(
    limit: Limit, held_from: str, until: str, clock_s: float | None, planned_s: float | None
) -> None:
    term = SlotTable(hall(limit)).terms["limit.s"]
    assert (term.held_from, term.until, term.clock_s, term.planned_s) == (held_from, until, clock_s, planned_s)


def test_a_fleet_wide_shared_server_says_how_many_at_once_and_replaces_the_default() -> None:
    assert [limit.name for limit in limits(hall(Limit(name="map", shared=MESH)))] == ["map"]
    assert [limit.name for limit in limits(hall(Limit(name="map", per="rack", shared=MESH)))] == ["map", "fleet"]
    assert [limit.name for limit in limits(hall(RACK))] == ["rack", "fleet"]


def test_a_host_that_is_off_takes_what_it_will_draw_for_good_where_its_start_draws_less() -> None:
    limit = Limit(name="room", capacity=1000.0, starting=100.0, starting_for_s=20.0, running=350.0, headroom=0.0)
    host = Host(name="a", address="a")
    inventory = Inventory(fleet="toy", hosts={"a": host}, services={}, limits={"room": limit})
    taken = {
        take.slot.limit: (take.amount, take.keeps)
        for take in SlotTable(inventory, off=frozenset({"a"})).takes(host, ())
    }
    assert taken["limit.room.capacity"] == (350.0, 350.0)
