"""Recovering (design: section 4 and rule 17): what is well stays alone, what may come back is waited for, the rest is brought back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from restart.engine import facts
from restart.model.answer import Answer, Claimed
from restart.model.check import Check, Verdict
from restart.model.event import Word
from restart.model.inventory import Amount, Dependency, Inventory, Service
from restart.model.observation import HostSeen, Observation
from restart.model.plan import Plan
from restart.model.playbook import Playbook, PowerControl, Rung
from restart.planner import make_plan
from tests.engine.toy import Played, Toy, fixed, fleet, play, resumed

AT, SOON = "2026-11-22T00:10:00Z", "2026-11-22T00:12:30Z"
RETURNING_S = 150.0
LADDER = Playbook(
    name="reboot",
    restart=(Rung(kind="reboot"), Rung(kind="power", reset="cycle", blind=True)),
    start=(Rung(kind="power", reset="on"),),
)


def site(*services: Service) -> Inventory:
    inventory = fleet(*services, policy=fixed(max_failures=3), playbooks={"reboot": LADDER})
    hosts = {name: replace(host, power=PowerControl(method="toy")) for name, host in inventory.hosts.items()}
    return replace(inventory, hosts=hosts)


def web(*hosts: str, **given: object) -> Service:
    return Service(name="web", hosts=hosts, **given)  # type: ignore[arg-type]


def seen(inventory: Inventory, **states: str) -> Observation:
    """Everybody in boot 1, healthy, save those whose state is given."""
    hosts = {}
    for name in inventory.hosts:
        state = states.get(name.replace("-", "_"), "never-went-down")
        dark = state in ("stuck", "down", "returning", "unknown")
        verdict = Verdict.UNKNOWN if dark else Verdict.FAIL if state == "unhealthy" else Verdict.PASS
        hosts[name] = HostSeen(
            ready={service.name: verdict for service in inventory.services.values() if name in service.hosts},
            boot_id=None if dark else f"{name}#1",
            state=state,
            power="off" if state == "down" else None,
            returning_until=SOON if state == "returning" else None,
        )
    return Observation(at=AT, hosts=hosts, fleet=inventory.fleet)


def recovering(inventory: Inventory, **states: str) -> Plan:
    return make_plan(inventory, observation=seen(inventory, **states), made_at=AT, mode="recover")


def dark(toy: Toy, *hosts: str, back_at_s: float | None = None, power: str = "on") -> None:
    """The hosts are down; they come back by themselves at `back_at_s`, or never."""
    for name in hosts:
        host = toy.hosts[name]
        host.down_since_s, host.up_at_s, host.power = 0.0, back_at_s, power


def acted(played: Played) -> set[str]:
    return {fact.host for fact in played.told(facts.REBOOTING) if fact.host is not None}


def test_only_what_is_not_well_is_restarted() -> None:
    inventory = site(web("a", "b", "c", max_unavailable=Amount(number=1)))
    toy = Toy(inventory)
    toy.hosts["b"].sick = True
    toy.hosts["b"].fault = "cured"
    played = play(recovering(inventory, b="unhealthy"), toy)
    assert set(played.reboots()) - {name for name, count in played.reboots().items() if not count} == {"b"}


def test_a_stuck_host_is_power_cycled_though_it_cannot_be_claimed() -> None:
    inventory = site(web("a", "b", "c", max_unavailable=Amount(number=1)))
    toy = Toy(inventory)
    dark(toy, "b")
    played = play(recovering(inventory, b="stuck"), toy)
    assert played.exit_code == 0
    assert toy.hosts["b"].switches == ["cycle"]
    assert toy.trouble == []


def test_stuck_members_beyond_the_budget_are_brought_back_all_the_same() -> None:
    # Two of three are gone already: to power-cycle them takes nothing from the quorum that they do not make up.
    inventory = site(web("a", "b", "c", min_available=Amount(quorum=True)))
    toy = Toy(inventory)
    dark(toy, "b", "c")
    played = play(recovering(inventory, b="stuck", c="stuck"), toy)
    assert played.exit_code == 0
    assert [toy.hosts[name].switches for name in "abc"] == [[], ["cycle"], ["cycle"]]


def test_a_host_whose_power_is_off_is_started() -> None:
    inventory = site(web("a", "b"))
    toy = Toy(inventory)
    dark(toy, "b", power="off")
    played = play(recovering(inventory, b="down"), toy)
    assert played.exit_code == 0
    assert toy.hosts["b"].switches == ["on"]


@pytest.mark.parametrize("back_at_s", [20.0, 100.0, 140.0])
def test_a_returning_host_that_comes_back_is_done_without_an_act(back_at_s: float) -> None:
    inventory = site(web("a", "b", "c"))
    toy = Toy(inventory)
    dark(toy, "b", back_at_s=back_at_s)
    played = play(recovering(inventory, b="returning"), toy)
    assert played.exit_code == 0
    assert (acted(played), toy.hosts["b"].switches, toy.hosts["b"].reboots) == (set(), [], 0)
    assert [fact.host for fact in played.told(facts.RETURNED)] == ["b"]
    assert played.engine.outcome is not None
    assert "1 came back by themselves" in played.engine.outcome.why
    assert played.told(facts.MOVE_DONE)[0].data["by_itself"] is True


def test_nothing_is_done_to_a_returning_host_before_its_time_and_then_its_ladder_starts() -> None:
    inventory = site(web("a", "b", "c"))
    toy = Toy(inventory)
    dark(toy, "b")
    played = play(recovering(inventory, b="returning"), toy)
    assert played.exit_code == 0
    assert toy.hosts["b"].switches == ["cycle"]
    (start,) = played.told(facts.MOVE_STARTED)
    assert start.at_s >= RETURNING_S
    assert any(fact.data.get("rule") == "returning" for fact in played.told(facts.HELD))


def test_a_stuck_host_that_came_back_meanwhile_is_not_restarted() -> None:
    inventory = site(web("a", "b", "c"))
    toy = Toy(inventory)
    toy.hosts["b"].boots = 2
    played = play(recovering(inventory, b="stuck"), toy)
    assert (played.exit_code, acted(played)) == (0, set())


def test_a_sick_host_that_rebooted_by_itself_meanwhile_is_not_restarted_if_it_is_well() -> None:
    inventory = site(web("a", "b", "c"))
    toy = Toy(inventory)
    toy.hosts["b"].boots = 2
    played = play(recovering(inventory, b="unhealthy"), toy)
    assert (played.exit_code, acted(played)) == (0, set())


def test_one_that_came_back_sick_is_restarted_after_all() -> None:
    inventory = site(web("a", "b", "c"))
    toy = Toy(inventory)
    toy.hosts["b"].boots = 2
    toy.hosts["b"].warm_s = 1e9
    played = play(recovering(inventory, b="stuck"), toy)
    assert acted(played) == {"b"}
    assert toy.hosts["b"].reboots >= 1


def test_consumers_wait_for_the_providers_that_are_brought_back() -> None:
    db = Service(name="db", hosts=("d1", "d2"), min_available=Amount(number=1))
    inventory = site(db, web("a", "b", depends_on=(Dependency(provider="db"),)))
    toy = Toy(inventory)
    dark(toy, "d1", "d2", "a", "b")
    played = play(recovering(inventory, d1="stuck", d2="stuck", a="stuck", b="stuck"), toy)
    assert played.exit_code == 0
    ends = {fact.host: fact.at_s for fact in played.told(facts.MOVE_DONE)}
    starts = {fact.host: fact.at_s for fact in played.told(facts.MOVE_STARTED)}
    assert min(starts["a"], starts["b"]) >= max(ends["d1"], ends["d2"])
    assert toy.trouble == []


def test_in_a_rolling_run_a_host_that_rebooted_since_it_was_seen_is_not_restarted_again() -> None:
    inventory = site(web("a", "b", "c"))
    toy = Toy(inventory)
    toy.hosts["b"].boots = 2
    plan = make_plan(inventory, observation=seen(inventory), made_at=AT)
    played = play(plan, toy)
    assert (played.exit_code, acted(played)) == (0, {"a", "c"})


@pytest.mark.parametrize("die_after", range(1, 60, 7))
def test_a_crash_at_any_point_restarts_nobody_twice(die_after: int) -> None:
    inventory = site(web("a", "b", "c", "d"))
    toy = Toy(inventory)
    dark(toy, "b")
    dark(toy, "c", back_at_s=90.0)
    played = play(recovering(inventory, b="stuck", c="returning"), toy, die_after=die_after)
    assert played.exit_code == 0
    assert toy.hosts["b"].switches in (["cycle"], ["cycle", "on"])
    assert (toy.hosts["c"].switches, toy.hosts["c"].reboots) == ([], 0)


def test_the_kernel_before_and_after_is_evidence() -> None:
    inventory = site(web("a", "b"))
    toy = Toy(inventory)
    answer = toy.late

    def late(request: object) -> Answer:
        found = answer(request)
        if isinstance(found, Claimed):
            return replace(found, kernel=f"6.1.0-{toy.hosts['a'].boots}")
        return found

    toy.late = late  # type: ignore[method-assign]
    played = play(make_plan(inventory, selection=("a",), made_at=AT), toy)
    (done,) = played.told(facts.MOVE_DONE)
    assert (done.data["was_kernel"], done.data["kernel"]) == ("6.1.0-1", "6.1.0-2")


def rebooted(host: str) -> Callable[[Toy], None]:
    """Somebody else reboots the host."""
    return lambda toy: toy.go_down(host)


def test_a_host_that_somebody_restarts_before_its_turn_is_not_restarted_again_though_nobody_surveyed() -> None:
    inventory = site(web("a", "b", "c"))
    toy = Toy(inventory)
    toy.script = [(1.0, rebooted("c"))]
    played = play(make_plan(inventory, made_at=AT), toy)
    assert (played.exit_code, acted(played)) == (0, {"a", "b"})
    assert [fact.host for fact in played.told(facts.RETURNED)] == ["c"]


def test_one_that_booted_while_the_run_began_is_known_by_its_uptime() -> None:
    inventory = site(web("a", "b", "c"))
    toy = Toy(inventory)
    dark(toy, "c", back_at_s=10.0)
    played = play(make_plan(inventory, made_at=AT), toy)
    assert (played.exit_code, acted(played)) == (0, {"a", "b"})
    assert toy.hosts["c"].reboots == 0


@pytest.mark.parametrize("die_after", range(2, 40, 5))
def test_nor_is_it_after_a_crash(die_after: int) -> None:
    inventory = site(web("a", "b", "c"))
    toy = Toy(inventory)
    toy.script = [(1.0, rebooted("c"))]
    played = play(make_plan(inventory, made_at=AT), toy, die_after=die_after)
    assert played.exit_code == 0
    assert played.reboots() == {"a": 1, "b": 1, "c": 0}


@pytest.mark.parametrize("surveyed", [True, False])
def test_a_host_that_an_operator_wants_restarted_again_is_whatever_boot_it_is_in(surveyed: bool) -> None:
    # It did boot, by our own act, and is not well: "again" means that it is restarted, not that it is looked at.
    inventory = site(web("a", "b", "c"))
    toy = Toy(inventory)
    toy.hosts["c"].warm_s = 5000.0
    toy.hosts["c"].uptime_from_s = -10000.0
    played = play(make_plan(inventory, observation=seen(inventory) if surveyed else None, made_at=AT), toy)
    assert [fact.host for fact in played.told(facts.QUARANTINED)] == ["c"]
    before = toy.hosts["c"].reboots
    toy.hosts["c"].warm_s = 0.0
    toy.words = [(toy.now_s + 0.5, Word(at_s=0.0, word="retry", target="c"))]
    resumed(played, crash=False)
    assert toy.hosts["c"].reboots == before + 1
    assert played.exit_code == 0


COMPARED = Check(kind="same_as_before", within_s=60.0)


def without(played: Played) -> dict[str | None, str]:
    return {fact.host: fact.why or "" for fact in played.told(facts.NOT_COMPARED)}


@pytest.mark.parametrize("well", [True, False])
def test_of_a_host_that_came_back_by_itself_it_is_told_that_it_is_not_compared(well: bool) -> None:
    inventory = site(web("a", "b", "c", same_as_before=COMPARED))
    toy = Toy(inventory)
    toy.hosts["b"].boots = 2
    toy.hosts["b"].warm_s = 0.0 if well else 1e9
    played = play(recovering(inventory, b="stuck"), toy)
    assert acted(played) == (set() if well else {"b"})
    assert "came back by itself" in without(played)["b"]


def test_of_silent_hosts_that_are_brought_back_it_is_told_too_and_of_nobody_where_it_is_off() -> None:
    for compared in (COMPARED, None):
        inventory = site(web("a", "b", "c", same_as_before=compared))
        toy = Toy(inventory)
        dark(toy, "b")
        dark(toy, "c", power="off")
        played = play(recovering(inventory, b="stuck", c="down"), toy)
        assert played.exit_code == 0
        told = without(played)
        assert set(told) == ({"b", "c"} if compared else set())
        assert all("was silent" in why for why in told.values())


def test_the_plan_says_of_hosts_that_are_back_by_themselves_that_only_their_checks_speak_for_them() -> None:
    inventory = site(web("a", "b", "c", same_as_before=COMPARED), Service(name="db", hosts=("d",)))
    plan = recovering(inventory, a="returned", b="stuck", d="returned")
    assert [note for note in plan.notes if "came back by itself" in note] == [
        "same_as_before is not asked of what came back by itself (a): nobody had looked at it before it went, "
        "so that only its checks say that it is well"
    ]
