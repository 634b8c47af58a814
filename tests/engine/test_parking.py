"""Waiting moves are looked at only when something has changed for them, and none is forgotten."""

from __future__ import annotations

import pytest

from restart.engine import Engine
from restart.engine.parking import Hold, Parking
from restart.model.inventory import Amount, Inventory, Limit, Service
from restart.model.plan import Plan
from tests.engine.toy import Toy, fixed, fleet, plan_of, play

LOOKS_PER_EVENT_MAX = 1.0
"""Each look is paid by one change; most events change nothing that a start depends on."""


def hold(queue: str, *topics: str, waits: str = "slot", until_s: float | None = None) -> Hold:
    return Hold(
        rule=queue, why="", waits=waits, queue=(queue,), topics=tuple((topic,) for topic in topics), until_s=until_s
    )


def parked(*holds: Hold) -> Parking:
    """A move for each of the holds, all of them looked at and held."""
    parking = Parking([f"h{index}" for index in range(len(holds))])
    for index in range(len(holds)):
        parking.enter(f"h{index}")
    parking.begin()
    for found in holds:
        index = parking.take(len(holds))
        assert index is not None
        parking.park(index, found)
    return parking


def looks(parking: Parking) -> list[int]:
    """All that are awake, in the order of their turns; each begins."""
    parking.begin()
    found = []
    while (index := parking.take(1000)) is not None:
        found.append(index)
        parking.leave(parking.host(index))
    return found


# --- by itself --------------------------------------------------------------------------------------------------------


def test_what_is_held_is_not_looked_at_until_its_topic_is_stirred() -> None:
    parking = parked(hold("rack", "r1"), hold("rack", "r1"))
    parking.begin()
    parking.stir(("r2",))
    assert parking.take(1000) is None
    parking.stir(("r1",))
    assert parking.take(1000) == 0


def test_while_the_first_of_a_queue_is_held_as_before_the_others_rest() -> None:
    parking = parked(*[hold("rack", "r1")] * 3)
    parking.stir(("r1",))
    parking.begin()
    index = parking.take(1000)
    assert index == 0
    parking.park(index, hold("rack", "r1"))
    assert parking.take(1000) is None


def test_where_the_first_begins_the_next_has_its_turn_at_once() -> None:
    parking = parked(*[hold("rack", "r1")] * 3)
    parking.stir(("r1",))
    assert looks(parking) == [0, 1, 2]


def test_where_the_first_is_held_by_something_else_the_next_has_its_turn() -> None:
    parking = parked(*[hold("rack", "r1")] * 2)
    parking.stir(("r1",))
    parking.begin()
    assert parking.take(1000) == 0
    parking.park(0, hold("budget", "db"))
    assert parking.take(1000) == 1


def test_turns_come_in_the_plans_order_whatever_queue_they_come_from() -> None:
    parking = parked(hold("b", "t"), hold("a", "t"), hold("b", "t"), hold("a", "t"))
    parking.stir(("t",))
    assert looks(parking) == [0, 1, 2, 3]


def test_one_that_is_parked_before_the_one_on_its_way_goes_first_when_stirred() -> None:
    parking = parked(hold("budget", "db"), hold("rack", "r1"), hold("rack", "r1"))
    parking.stir(("r1",))
    parking.wake("h0")
    parking.begin()
    assert parking.take(0) == 0
    parking.park(0, hold("rack", "r1"))
    parking.stir(("r1",))
    parking.begin()
    assert parking.take(1000) == 0


def test_what_a_start_stirs_behind_it_waits_for_the_next_walk() -> None:
    parking = parked(hold("a", "t"), hold("b", "u"))
    parking.stir(("u",))
    parking.begin()
    assert parking.take(1000) == 1
    parking.stir(("t",))
    parking.leave("h1")
    assert parking.take(1000) is None
    parking.begin()
    assert parking.take(1000) == 0


def test_time_wakes_a_hold_at_its_time_and_not_before() -> None:
    parking = parked(hold("settle", waits="settle", until_s=40.0))
    assert parking.next_s(0.0) == 40.0
    parking.wake_due(39.0)
    parking.begin()
    assert parking.take(1000) is None
    parking.wake_due(40.0)
    assert parking.take(1000) == 0


def test_so_many_that_ask_end_the_walk_there() -> None:
    parking = parked(hold("x", "t"), *[hold("ask", "db", waits="asking")] * 5)
    assert parking.asking_until(3) == 3
    assert parking.asking_until(6) is None


def test_one_that_has_left_is_passed_over_and_the_next_is_sent_in_its_place() -> None:
    parking = parked(*[hold("rack", "r1")] * 3)
    parking.leave("h0")
    parking.stir(("r1",))
    parking.leave("h1")
    parking.begin()
    assert parking.take(1000) == 2


# --- in the engine ----------------------------------------------------------------------------------------------------


def many_services(hosts: int) -> Plan:
    """Services of 20, of which 5 may be down; 50 in flight in the whole fleet; four waves."""
    names = range(hosts // 20)
    services = [
        Service(name=f"s{name}", hosts=tuple(f"h{name}-{n}" for n in range(20)), max_unavailable=Amount(number=5))
        for name in names
    ]
    inventory = fleet(*services, policy=fixed(), limits={"fleet": Limit(name="fleet", max_in_flight=50)})
    waves = [" ".join(f"h{name}-{n}" for name in names for n in range(first, first + 5)) for first in range(0, 20, 5)]
    return plan_of(inventory, *waves)


def one_service(hosts: int) -> Plan:
    """One service with room for 5 % of it, and no limit but its budget."""
    members = tuple(f"w{n}" for n in range(hosts))
    service = Service(name="web", hosts=members, max_unavailable=Amount(percent=5.0))
    inventory: Inventory = fleet(service, policy=fixed(), limits={"fleet": Limit(name="fleet", max_in_flight=hosts)})
    return plan_of(inventory, " ".join(members))


@pytest.mark.parametrize("made", [many_services, one_service])
def test_the_looks_of_an_event_stay_as_few_when_the_fleet_grows_tenfold(made: object) -> None:
    found = {}
    for hosts in (100, 1000):
        plan: Plan = made(hosts)  # type: ignore[operator]
        played = play(plan, Toy(plan.inventory), events_max=100_000)
        assert played.exit_code == 0
        assert isinstance(played.engine, Engine)
        found[hosts] = played.engine.looked_at / len(played.events)
        assert set(played.reboots().values()) == {1}
    assert found[1000] <= LOOKS_PER_EVENT_MAX
    assert found[1000] <= 2 * found[100] + 0.1
