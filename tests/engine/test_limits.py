"""Limits in the engine: shared servers, rates, capacities, what hosts use, and slots that a later rung takes anew."""

from __future__ import annotations

from dataclasses import replace

import pytest

from restart.engine import Engine, facts, not_yet
from restart.model.answer import Answer, NoAnswer
from restart.model.inventory import Amount, Host, Inventory, Limit, Service, Shared
from restart.model.playbook import Playbook, Rung, Step
from restart.model.request import Reboot
from tests.engine.toy import Played, Toy, fixed, fleet, plan_of, play

NAMES = tuple(f"w-{number}" for number in range(1, 9))
WEB = Service(name="web", hosts=NAMES, max_unavailable=Amount(number=8))
ALL = " ".join(NAMES)
BOOT_S = 20.0


def farm(*written: Limit, labels: dict[str, dict[str, str]] | None = None, **given: object) -> Inventory:
    limits = {"fleet": Limit(name="fleet", max_in_flight=8)} | {limit.name: limit for limit in written}
    given.setdefault("policy", fixed())
    return fleet(WEB, hosts=labels or {}, limits=limits, **given)


def using(inventory: Inventory, **uses: dict[str, float]) -> Inventory:
    hosts = dict(inventory.hosts)
    for name, used in uses.items():
        host: Host = hosts[name.replace("_", "-")]
        hosts[host.name] = replace(host, uses=used)
    return replace(inventory, hosts=hosts)


def ran(inventory: Inventory, **faults: str) -> Played:
    toy = Toy(inventory)
    for name, fault in faults.items():
        toy.hosts[name.replace("_", "-")].fault = fault
    return play(plan_of(inventory, ALL), toy)


def at(played: Played, name: str) -> dict[str, float]:
    """When each host was last told of as `name`."""
    return {fact.host: fact.at_s for fact in played.told(name) if fact.host is not None}


def most(played: Played, begins: str, ends: str, after_s: float = 0.0) -> int:
    """The largest number of hosts between two facts at any instant."""
    begun, ended = at(played, begins), at(played, ends)
    spans = [(begun[host], ended.get(host, float("inf")) + after_s) for host in begun]
    return max(sum(since <= at_s < until for since, until in spans) for at_s, _ in spans)


def test_no_more_transfers_at_once_than_saturate_the_server() -> None:
    shared = Shared(work_s=20.0, at_once=3, timeout_s=300.0)
    played = ran(farm(Limit(name="map", shared=shared, max_in_flight=8)))
    assert played.exit_code == 0
    assert most(played, facts.MOVE_STARTED, facts.MOVE_DONE) == 3


def test_a_boot_image_is_proved_fetched_when_its_host_has_booted() -> None:
    shared = Shared(work_s=5.0, at_once=3, timeout_s=300.0)
    played = ran(farm(Limit(name="pxe", shared=shared, held_until="booted")))
    assert played.exit_code == 0
    assert most(played, facts.MOVE_STARTED, facts.BOOTED) == 3
    assert most(played, facts.MOVE_STARTED, facts.MOVE_DONE) > 3


def test_a_transfer_that_never_ended_keeps_its_place() -> None:
    shared = Shared(work_s=5.0, at_once=2, timeout_s=300.0)
    inventory = farm(Limit(name="pxe", shared=shared, held_until="booted"), policy=fixed(max_failures=8))
    played = ran(inventory, w_1="never_returns", w_2="never_returns")
    assert played.exit_code == 5
    assert sum(played.reboots().values()) == 2
    assert "limit.pxe" in played.engine.outcome.why  # type: ignore[union-attr]


def test_what_is_held_from_the_boot_on_is_reserved_before_it() -> None:
    shared = Shared(work_s=5.0, at_once=2, timeout_s=300.0)
    played = ran(farm(Limit(name="map", shared=shared, held_from="booted")))
    assert played.exit_code == 0
    assert most(played, facts.BOOTED, facts.MOVE_DONE) <= 2
    assert most(played, facts.MOVE_STARTED, facts.MOVE_DONE) == 2


def test_the_clock_frees_a_slot_so_long_after_the_host_took_its_restart() -> None:
    slow = Playbook(
        name="reboot", drain=(Step(run="drain {host}", undo="undrain {host}"),), restart=(Rung(kind="reboot"),)
    )
    inventory = farm(Limit(name="fleet", max_in_flight=2, held_s=8.0), playbooks={"reboot": slow})
    toy = Toy(inventory, latency_s=1.0)
    played = play(plan_of(inventory, ALL), toy)
    assert played.exit_code == 0
    rebooting = sorted(at(played, facts.REBOOTING).values())
    # Two at a time, and each pair only when eight seconds have passed since the pair before took its restart.
    assert all(later - earlier >= 8.0 for earlier, later in zip(rebooting, rebooting[2:], strict=False))
    assert most(played, facts.REBOOTING, facts.BOOTED) > 2


def test_a_rate_lets_so_many_start_in_any_span_of_its_time() -> None:
    played = ran(farm(Limit(name="starts", max_rate=2, max_rate_per_s=60.0)))
    assert played.exit_code == 0
    for name in (facts.MOVE_STARTED, facts.REBOOTING):
        started = sorted(fact.at_s for fact in played.told(name))
        assert started[0] == started[1]
        assert all(later - earlier >= 60.0 - 1e-6 for earlier, later in zip(started, started[2:], strict=False))
        assert started[-1] - started[0] == pytest.approx(180.0, abs=5.0)


def test_a_rate_that_is_used_up_with_nothing_in_flight_ends_no_run() -> None:
    played = ran(farm(Limit(name="starts", max_rate=1, max_rate_per_s=600.0)))
    assert played.exit_code == 0
    assert sum(played.reboots().values()) == 8


def test_a_later_rung_counts_as_another_start() -> None:
    twice = Playbook(name="reboot", restart=(Rung(kind="reboot", back_within_s=30.0), Rung(kind="reboot")))
    limits = (Limit(name="fleet", max_in_flight=1), Limit(name="starts", max_rate=1, max_rate_per_s=200.0))
    inventory = farm(*limits, playbooks={"reboot": twice}, policy=fixed(max_failures=8))
    played = ran(inventory, w_1="ignores")
    acted = [fact.at_s for fact in played.told(facts.REBOOTING)]
    assert acted[1] - acted[0] >= 200.0 - 1e-6


def test_a_host_that_was_never_reached_blocks_no_rate() -> None:
    inventory = farm(Limit(name="starts", max_rate=1, max_rate_per_s=30.0), policy=fixed(max_failures=8))
    toy = Toy(inventory)
    toy.go_down("w-1")
    toy.hosts["w-1"].up_at_s = None
    played = play(plan_of(inventory, ALL), toy)
    assert sum(played.reboots().values()) == 7


def drawn(played: Played, limit: Limit, label: str) -> float:
    """The most drawn at any instant under the value `r1`: every host up draws, a moving one as if it started all the while."""
    under = [host for host in played.toy.inventory.hosts.values() if host.labels.get(label) == "r1"]
    begun, booted = at(played, facts.MOVE_STARTED), at(played, facts.BOOTED)
    worst = 0.0
    for at_s in begun.values():
        total = 0.0
        for host in under:
            until = booted.get(host.name, float("inf")) + (limit.starting_for_s or 0.0)
            starts = begun.get(host.name, float("inf")) <= at_s < until
            total += (host.uses.get(limit.name, limit.starting or 0.0)) if starts else (limit.running or 0.0)
        worst = max(worst, total)
    return worst


RACKS = {name: {"rack": "r1" if name < "w-7" else "r2"} for name in NAMES}
POWER = Limit(
    name="power",
    per="rack",
    unit="W",
    capacity=3200.0,
    starting=650.0,
    starting_for_s=15.0,
    running=350.0,
    headroom=0.05,
)


def test_a_capacity_is_kept_at_every_instant_with_all_that_runs_counted() -> None:
    played = ran(farm(POWER, labels=RACKS))
    assert played.exit_code == 0
    # 6 x 350 W are drawn anyway; of 3,040 W that leaves room for three starts at 300 W more each.
    assert drawn(played, POWER, "rack") == 3 * 350.0 + 3 * 650.0
    assert drawn(played, POWER, "rack") <= 3200.0 * 0.95


def test_a_host_that_uses_more_starts_beside_fewer() -> None:
    inventory = using(farm(POWER, labels=RACKS), w_1={"power": 1200.0})
    played = ran(inventory)
    assert played.exit_code == 0
    begun, booted = at(played, facts.MOVE_STARTED), at(played, facts.BOOTED)
    assert drawn(played, POWER, "rack") <= 3200.0 * 0.95
    assert not [host for host in NAMES[1:6] if begun[host] < booted["w-1"] + 15.0]


def test_a_host_that_never_came_back_is_taken_to_draw_its_start_still() -> None:
    played = ran(
        farm(POWER, labels=RACKS, policy=fixed(max_failures=8, cluster_by=())),
        **{f"w_{n}": "never_returns" for n in (1, 2, 3)},
    )
    assert played.exit_code == 5
    rebooted = played.reboots()
    assert [host for host in NAMES if rebooted[host]] == ["w-1", "w-2", "w-3", "w-7", "w-8"]
    assert "limit.power.capacity: rack r1: 3000 of 3040 W drawn" in played.engine.outcome.why  # type: ignore[union-attr]


def test_uses_counts_as_so_many_in_flight() -> None:
    inventory = using(farm(Limit(name="fleet", max_in_flight=3)), w_1={"fleet": 3.0})
    played = ran(inventory)
    assert played.exit_code == 0
    begun, done = at(played, facts.MOVE_STARTED), at(played, facts.MOVE_DONE)
    assert min(at_s for host, at_s in begun.items() if host != "w-1") >= done["w-1"]
    assert most(played, facts.MOVE_STARTED, facts.MOVE_DONE) == 3


def test_what_needs_more_than_there_is_ends_the_run_with_the_numbers() -> None:
    played = ran(using(farm(Limit(name="fleet", max_in_flight=3)), w_1={"fleet": 4.0}))
    assert sum(played.reboots().values()) == 7
    assert "w-1 by limit.fleet: 0 of 3 held, 4 more are needed" in played.engine.outcome.why  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "limit",
    [
        Limit(name="map", shared=Shared(work_s=5.0, at_once=2, timeout_s=90.0), held_until="booted"),
        Limit(name="starts", max_rate=2, max_rate_per_s=30.0),
        Limit(name="some", max_in_flight=2, held_s=10.0),
        POWER,
    ],
    ids=lambda limit: limit.name,
)
def test_a_crash_at_any_event_loosens_no_limit(limit: Limit) -> None:
    inventory = farm(limit, labels=RACKS)
    plan = plan_of(inventory, ALL)
    whole = len(play(plan, Toy(inventory)).events)
    for died in range(1, whole, 7):
        played = play(plan, Toy(inventory), die_after=died)
        assert played.exit_code == 0
        assert set(played.reboots().values()) == {1}
        if limit.capacity is not None:
            assert drawn(played, limit, "rack") <= 3200.0 * 0.95
        elif limit.shared is not None:
            assert most(played, facts.MOVE_STARTED, facts.BOOTED) <= 2
        elif limit.max_rate is not None:
            started = sorted(fact.at_s for fact in played.told(facts.MOVE_STARTED))
            assert all(later - earlier >= 30.0 - 1e-6 for earlier, later in zip(started, started[2:], strict=False))


def test_nothing_of_a_limit_is_refused_any_more() -> None:
    written = (
        Limit(name="starts", max_rate=2, max_rate_per_s=30.0),
        Limit(name="map", shared=Shared(work_s=5.0, at_once=2, timeout_s=90.0), held_from="booted"),
        POWER,
    )
    inventory = using(farm(*written), w_1={"power": 1200.0})
    assert not_yet(plan_of(inventory, ALL)) == ()
    assert Engine(plan_of(inventory, ALL)).outcome is None


ONE_FOR_40S = Limit(name="fleet", max_in_flight=1, held_s=40.0)


def test_a_later_rung_holds_its_slot_for_all_of_its_time_anew() -> None:
    ladder = Playbook(
        name="reboot", restart=(Rung(kind="reboot", down_within_s=15.0, back_within_s=30.0), Rung(kind="reboot"))
    )
    inventory = farm(ONE_FOR_40S, playbooks={"reboot": ladder}, policy=fixed(max_failures=8))
    toy = Toy(inventory)
    toy.hosts["w-1"].fault = "ignores"
    played = play(plan_of(inventory, ALL), toy)
    rungs = [fact.at_s for fact in played.told(facts.REBOOTING) if fact.host == "w-1"]
    assert len(rungs) == 2
    assert rungs[1] < rungs[0] + 40.0 <= at(played, facts.MOVE_STARTED)["w-2"]
    assert at(played, facts.MOVE_STARTED)["w-2"] >= rungs[1] + 40.0


class LosesTheAnswer(Toy):
    """The reboot happens, and nobody is told."""

    def late(self, request: object) -> Answer:
        answer = super().late(request)
        return NoAnswer(reason="timeout") if isinstance(request, Reboot) else answer


def test_where_the_answer_to_a_restart_was_lost_the_clock_runs_from_the_boot_that_proves_it() -> None:
    inventory = farm(ONE_FOR_40S)
    played = play(plan_of(inventory, "w-1 w-2"), LosesTheAnswer(inventory))
    assert played.exit_code == 0
    later_s = at(played, facts.MOVE_STARTED)["w-2"] - at(played, facts.BOOTED)["w-1"]
    assert 40.0 <= later_s < 45.0


def test_a_move_that_was_called_off_frees_what_the_clock_would_free_at_once() -> None:
    inventory = farm(replace(ONE_FOR_40S, held_s=1000.0), policy=fixed(max_failures=1))
    toy = Toy(inventory)
    toy.hosts["w-1"].fault = "no_privilege"
    played = play(plan_of(inventory, "w-1 w-2"), toy)
    assert at(played, facts.MOVE_STARTED)["w-2"] < 10.0
