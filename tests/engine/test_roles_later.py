"""Leaders where hosts are stopped, and in a plan's later stages: last of their service, asked live before each member, never kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from restart.engine import facts
from restart.errors import Exit
from restart.model.answer import Answer, NoAnswer, StepRan
from restart.model.event import Word
from restart.model.inventory import Amount, Dependency, Host, Inventory, Limit, Service
from restart.model.plan import Override, Plan
from restart.model.playbook import Playbook, PowerControl, Rung
from restart.planner import make_plan
from tests.engine.test_cold_start import cold
from tests.engine.test_roles import DB, led_by
from tests.engine.test_stand_ins import STAND_IN
from tests.engine.toy import Played, Toy, fixed, fleet, play

BOOK = Playbook(
    name="reboot",
    restart=(Rung(kind="reboot"),),
    stop=(Rung(kind="poweroff"),),
    start=(Rung(kind="power", reset="on", back_within_s=60.0),),
)
FIVE = replace(DB, hosts=("db-1", "db-2", "db-3", "db-4", "db-5"), max_unavailable=None)


def site(*services: Service, at_once: int = 10, **given: object) -> Inventory:
    limits = {"fleet": Limit(name="fleet", max_in_flight=at_once)}
    inventory = fleet(*services, policy=fixed(), playbooks={"reboot": BOOK}, limits=limits, **given)
    hosts: dict[str, Host] = {
        name: replace(host, power=PowerControl(method="toy")) for name, host in inventory.hosts.items()
    }
    return replace(inventory, hosts=hosts)


def stopped(
    inventory: Inventory, roles: Callable[[Toy, str], Answer], *overrides: Override, selection: tuple[str, ...] = ()
) -> tuple[Played, Toy]:
    plan = make_plan(inventory, mode="shutdown", selection=selection or None, overrides=overrides, made_at="")
    return run(plan, roles)


def run(plan: Plan, roles: Callable[[Toy, str], Answer], **given: object) -> tuple[Played, Toy]:
    toy = Toy(plan.inventory)
    toy.roles = roles
    toy.words.append((2000.0, Word(at_s=0.0, word="approve", target="stage-2", by="ann")))
    return play(plan, toy, **given), toy  # type: ignore[arg-type]


def order(played: Played) -> list[str | None]:
    return [fact.host for fact in played.told(facts.MOVE_STARTED)]


def with_a_quorum(leader: str, service: Service = FIVE) -> Callable[[Toy, str], Answer]:
    """Members of a group that needs a majority: without one nobody leads, and `mute` of them cannot even say."""

    def says(toy: Toy, host: str) -> Answer:
        up = [name for name in service.hosts if toy.up(name)]
        if 2 * len(up) <= len(service.hosts):
            return StepRan(exit_status=1, output="no leader") if host == up[0] else led_by()(toy, host)
        return led_by(leader)(toy, host)

    return says


@pytest.mark.parametrize("at_once", [1, 2, 10])
@pytest.mark.parametrize("leader", ["db-1", "db-3", "db-5"])
def test_in_a_shutdown_of_the_whole_service_the_leader_goes_off_last(leader: str, at_once: int) -> None:
    played, _ = stopped(site(FIVE, at_once=at_once), with_a_quorum(leader))
    assert played.exit_code == Exit.DONE
    off = {fact.host: fact.at_s for fact in played.told(facts.OFF)}
    assert sorted(map(str, off)) == list(FIVE.hosts)
    begun = {fact.host: fact.at_s for fact in played.told(facts.MOVE_STARTED)}
    # Once three of five are on their way nobody leads any more, by the run's own doing, and who goes last is all the same.
    assert begun[leader] >= sorted(begun.values())[3]


def test_in_a_shutdown_members_that_are_off_are_not_asked_who_leads() -> None:
    _, toy = stopped(site(FIVE, at_once=1), with_a_quorum("db-1"))
    asked = [toy.read.count(host) for host in FIVE.hosts]
    assert asked == sorted(asked, reverse=True) or max(asked) <= 2 * len(FIVE.hosts)
    assert toy.read.count("db-2") < len(FIVE.hosts)


def test_in_a_shutdown_each_member_has_its_own_asking() -> None:
    moves = lambda toy, host: led_by("db-1" if toy.up("db-2") else "db-3")(toy, host)  # noqa: E731
    played, _ = stopped(site(FIVE, at_once=1), moves)
    assert played.exit_code == Exit.DONE
    assert order(played)[:3] == ["db-2", "db-1", "db-4"], "db-3 came to lead when db-2 was off"
    assert order(played)[3:] == ["db-5", "db-3"]


@pytest.mark.parametrize(
    ("roles", "why"),
    [
        (led_by(), "no member of db leads"),
        (led_by("db-1", "db-3"), "db-1, db-3 all say that they lead db"),
        (lambda toy, host: NoAnswer(reason="timeout"), "nobody can say whether db-1 leads db (timeout)"),
    ],
    ids=["none", "two", "no answer"],
)
def test_in_a_shutdown_a_role_that_nobody_can_tell_holds_and_ends_the_run_by_name(
    roles: Callable[[Toy, str], Answer], why: str
) -> None:
    played, toy = stopped(site(FIVE), roles)
    assert played.exit_code == Exit.HALTED
    assert all(toy.up(host) for host in FIVE.hosts)
    outcome = played.engine.outcome
    assert outcome is not None
    assert outcome.why.startswith("role.db: ")
    assert why in outcome.why
    assert outcome.why.endswith("plan --from RUN --override role.db)")


def test_in_a_shutdown_the_role_can_be_let_go_by_name() -> None:
    played, toy = stopped(site(FIVE), led_by(), Override(rule="role.db", reason="the battery is nearly empty"))
    assert played.exit_code == Exit.DONE
    assert not any(toy.up(host) for host in FIVE.hosts)
    assert {fact.data["rule"] for fact in played.told(facts.OVERRIDDEN)} == {"role.db"}


def test_of_a_service_that_stays_up_the_leader_is_the_last_of_those_that_go() -> None:
    service = replace(FIVE, min_available=Amount(number=2))
    played, _ = stopped(site(service), led_by("db-1"), selection=("db-1", "db-2", "db-3"))
    assert played.exit_code == Exit.DONE
    assert order(played)[-1] == "db-1"


def test_of_a_service_that_stays_up_and_states_no_budget_the_leader_changes_places() -> None:
    played, _ = stopped(site(FIVE), led_by("db-1"), selection=("db-1", "db-2", "db-3"))
    assert played.exit_code == Exit.DONE
    assert order(played)[-1] == "db-1"
    off = [fact.host for fact in played.told(facts.OFF)]
    assert off[-1] == "db-1"


@pytest.mark.parametrize("die_after", range(1, 60, 7))
def test_after_a_crash_in_a_shutdown_the_leader_still_goes_last(die_after: int) -> None:
    plan = make_plan(site(FIVE, at_once=2), mode="shutdown", made_at="")
    played, toy = run(plan, with_a_quorum("db-2"), die_after=die_after)
    assert played.exit_code == Exit.DONE
    assert all(host.offs == 1 for host in toy.hosts.values())
    off = {fact.host: fact.at_s for fact in played.told(facts.OFF)}
    assert off["db-2"] >= sorted(off.values())[2]


def test_a_stop_start_asks_before_each_stop_and_not_before_a_start() -> None:
    plan = make_plan(site(FIVE, at_once=2), mode="stop-start", made_at="")
    played, _ = run(plan, with_a_quorum("db-1"))
    assert played.exit_code == Exit.DONE
    assert [fact.host for fact in played.told(facts.OFF)][-1] == "db-1"
    assert len(played.told(facts.BOOTED)) == len(FIVE.hosts)
    held = [fact for fact in played.told(facts.HELD) if fact.data["rule"] == "role.db"]
    assert all(fact.at_s < 2000.0 for fact in held), "who leads a service that is off nobody asks"


def second_pass() -> tuple[Plan, Toy]:
    """Two services that need each other; the removal of the stand-in restarts each member of db once more."""
    db = replace(DB, depends_on=(Dependency(provider="dns", stand_in=STAND_IN),))
    inventory, toy = cold(db, Service(name="dns", hosts=("n1",), depends_on=(Dependency(provider="db"),)))
    return make_plan(inventory, mode="cold-start", made_at=""), toy


def restarted(played: Played) -> list[str | None]:
    """In the second stage, in the order of their acts."""
    begun_s = next(fact.at_s for fact in played.told(facts.STAGE_STARTED) if fact.data["stage"] == 2)
    return [fact.host for fact in played.told(facts.MOVE_STARTED) if fact.at_s >= begun_s]


@pytest.mark.parametrize("leader", DB.hosts)
def test_in_the_second_pass_of_a_cold_start_the_leader_goes_last(leader: str) -> None:
    plan, toy = second_pass()
    toy.roles = led_by(leader)
    played = play(plan, toy)
    assert played.exit_code == Exit.DONE
    assert sorted(map(str, restarted(played))) == list(DB.hosts)
    assert restarted(played)[-1] == leader
    assert [what for what in toy.trouble if "takes db" in what] == []
    assert [toy.read.count(host) for host in DB.hosts] == [3, 3, 3], "asked anew before each, and before no start"


def test_in_the_second_pass_a_role_that_nobody_can_tell_holds_and_ends_the_run_by_name() -> None:
    plan, toy = second_pass()
    toy.roles = led_by()
    played = play(plan, toy)
    assert played.exit_code == Exit.HALTED
    assert restarted(played) == []
    assert played.engine.outcome is not None
    assert "role.db: db-1 could not begin for 300s: no member of db leads" in played.engine.outcome.why
