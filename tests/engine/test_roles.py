"""The leader goes last: asked live before each member, never kept, never guessed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from restart.engine import facts
from restart.model.answer import Answer, NoAnswer, StepRan
from restart.model.inventory import Amount, Role, Service
from restart.model.plan import Override, Plan
from tests.engine.toy import Played, Toy, fixed, fleet, plan_of, play

DB = Service(
    name="db",
    hosts=("db-1", "db-2", "db-3"),
    max_unavailable=Amount(number=1),
    role=Role(run="ask-role {host}", leader="^leader$"),
)
WAVES = ("db-1", "db-2", "db-3")


def led_by(*leaders: str) -> Callable[[Toy, str], Answer]:
    return lambda toy, host: StepRan(exit_status=0, output="leader" if host in leaders else "follower")


def site(*waves: str, service: Service = DB, **given: object) -> tuple[Toy, Plan]:
    inventory = fleet(service, policy=fixed(**given))
    return Toy(inventory), plan_of(inventory, *(waves or WAVES))


def order(played: Played) -> list[str | None]:
    return [fact.host for fact in played.told(facts.MOVE_STARTED)]


@pytest.mark.parametrize("waves", [WAVES, ("db-1 db-2 db-3",)], ids=["in waves", "in one wave"])
def test_the_leader_goes_last_of_its_service(waves: tuple[str, ...]) -> None:
    toy, plan = site(*waves)
    toy.roles = led_by("db-1")
    played = play(plan, toy)
    assert played.exit_code == 0
    assert order(played)[-1] == "db-1"
    assert sorted(order(played)) == ["db-1", "db-2", "db-3"]  # type: ignore[type-var]
    assert toy.trouble == []


def test_in_waves_of_a_service_barrier_it_changes_places_too() -> None:
    toy, plan = site(barrier="service")
    toy.roles = led_by("db-1")
    played = play(plan, toy)
    assert played.exit_code == 0
    assert order(played)[-1] == "db-1"


def test_who_gives_way_is_told_with_whom_it_changes_places() -> None:
    toy, plan = site()
    toy.roles = led_by("db-1")
    told = play(plan, toy).told(facts.CHANGED_PLACES)
    assert [(fact.host, fact.wave, fact.data["other"], fact.data["to"]) for fact in told] == [
        ("db-1", 1, "db-2", 2),
        ("db-1", 2, "db-3", 3),
    ]


def test_leadership_that_moves_is_found_because_it_is_asked_before_each_member() -> None:
    toy, plan = site()
    toy.roles = lambda toy, host: StepRan(
        exit_status=0, output="leader" if host == ("db-1" if toy.hosts["db-2"].reboots == 0 else "db-3") else "follower"
    )
    played = play(plan, toy)
    assert order(played) == ["db-2", "db-1", "db-3"]


def test_every_member_is_asked_anew_before_each_move() -> None:
    toy, plan = site()
    toy.roles = led_by("db-3")
    assert play(plan, toy).exit_code == 0
    assert [toy.read.count(host) for host in DB.hosts] == [3, 3, 3]


@pytest.mark.parametrize(
    ("roles", "why"),
    [
        (led_by(), "no member of db leads"),
        (led_by("db-1", "db-3"), "db-1, db-3 all say that they lead db"),
        (
            lambda toy, host: NoAnswer(reason="timeout") if host == "db-3" else led_by("db-1")(toy, host),
            "nobody can say whether db-3 leads db (timeout)",
        ),
        (
            lambda toy, host: StepRan(exit_status=3, output="no tool") if host == "db-1" else led_by("db-2")(toy, host),
            "nobody can say whether db-1 leads db (exit 3 no tool)",
        ),
    ],
    ids=["none", "two", "no answer", "failing"],
)
def test_where_nobody_can_say_who_leads_nothing_starts_and_the_run_halts_by_name(
    roles: Callable[[Toy, str], Answer], why: str
) -> None:
    toy, plan = site()
    toy.roles = roles
    played = play(plan, toy)
    assert played.exit_code == 5
    assert sum(played.reboots().values()) == 0
    assert played.engine.outcome.why.startswith("role.db: ")
    assert why in played.engine.outcome.why
    assert any(why in (fact.why or "") for fact in played.told(facts.HELD))
    assert len(toy.read) < 3 * 100


def test_a_broken_role_command_can_be_overridden_by_name_and_each_host_it_would_have_held_is_told() -> None:
    toy, plan = site()
    toy.roles = led_by()
    plan = replace(plan, overrides=(Override(rule="role.db", reason="the command is broken"),))
    played = play(plan, toy)
    assert played.exit_code == 0
    assert {(fact.host, fact.data["rule"]) for fact in played.told(facts.OVERRIDDEN)} == {
        (host, "role.db") for host in DB.hosts
    }
    assert toy.trouble == []


def test_an_election_is_waited_for() -> None:
    toy, plan = site()
    toy.roles = lambda toy, host: led_by(*(["db-1"] if toy.now_s > 60 else []))(toy, host)
    played = play(plan, toy)
    assert played.exit_code == 0
    assert played.told(facts.MOVE_STARTED)[0].at_s >= 60
    assert order(played)[-1] == "db-1"


def test_a_member_that_is_down_and_cannot_say_its_role_does_not_hold_the_others() -> None:
    toy, plan = site("db-1", "db-2", service=replace(DB, max_unavailable=Amount(number=2)))
    toy.hosts["db-3"].sick = True
    toy.roles = lambda toy, host: NoAnswer(reason="timeout") if host == "db-3" else led_by("db-1")(toy, host)
    played = play(plan, toy)
    assert order(played) == ["db-2", "db-1"]


def test_a_leader_that_is_the_only_one_in_scope_goes() -> None:
    toy, plan = site("db-1")
    toy.roles = led_by("db-1")
    assert play(plan, toy).exit_code == 0


@pytest.mark.parametrize("die_after", range(1, 60, 4))
def test_after_a_crash_the_leader_is_asked_for_anew_and_still_goes_last(die_after: int) -> None:
    toy, plan = site()
    toy.roles = led_by("db-1")
    played = play(plan, toy, die_after=die_after)
    assert played.exit_code == 0
    assert order(played)[-1] == "db-1"
    assert set(played.reboots().values()) == {1}


@pytest.mark.parametrize("later_s", [step / 20 for step in range(-6, 7)])
def test_a_member_that_ends_while_another_is_asked_about_does_not_leave_it_waiting_for_ever(later_s: float) -> None:
    five = replace(DB, hosts=("db-1", "db-2", "db-3", "db-4", "db-5"), max_unavailable=Amount(number=2))
    toy, plan = site(" ".join(five.hosts), service=five)
    toy.hosts["db-3"].boot_s += later_s
    toy.hosts["db-5"].boot_s += later_s
    toy.roles = led_by("db-1")
    played = play(plan, toy)
    assert played.exit_code == 0
    assert order(played)[-1] == "db-1"


def test_where_the_role_is_overridden_members_begin_while_others_are_asked_about() -> None:
    five = replace(DB, hosts=("db-1", "db-2", "db-3", "db-4", "db-5"), max_unavailable=Amount(number=5))
    toy, plan = site(" ".join(five.hosts), service=five)
    toy.roles = led_by()
    played = play(replace(plan, overrides=(Override(rule="role.db", reason="the command is broken"),)), toy)
    assert played.exit_code == 0
