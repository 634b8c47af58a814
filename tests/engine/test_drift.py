"""The world moves away from the plan while a run goes on: exit 8 with the differences, and 5 where the run itself is the cause."""

from __future__ import annotations

from collections.abc import Callable

from restart.engine import facts
from restart.model.inventory import Amount, Dependency, Service
from restart.model.plan import Plan
from tests.engine.toy import Played, Toy, fixed, fleet, plan_of, play, resumed


def web(*hosts: str, **given: object) -> Service:
    return Service(name="web", hosts=hosts, **given)  # type: ignore[arg-type]


def dies(host: str) -> Callable[[Toy], None]:
    """The host loses its power, and stays off."""

    def die(toy: Toy) -> None:
        toy.go_down(host)
        toy.hosts[host].up_at_s = None

    return die


def site(*waves: str, max_failures: int = 0, **given: object) -> tuple[Toy, Plan]:
    """Four web servers of which one may be down, and the plan of these waves."""
    inventory = fleet(
        web("a", "b", "c", "d", max_unavailable=Amount(number=1)), policy=fixed(max_failures=max_failures, **given)
    )
    return Toy(inventory), plan_of(inventory, *waves)


def differences(played: Played) -> dict[str, str]:
    return {str(fact.host): str(fact.why) for fact in played.told(facts.DRIFT)}


def ended(played: Played) -> tuple[str, int]:
    assert played.engine.outcome is not None
    return played.engine.outcome.state, played.engine.outcome.exit_code


def test_a_host_of_the_plan_that_lost_its_power_before_its_turn_is_drift() -> None:
    toy, plan = site("a", "b", "c")
    toy.script = [(10.0, dies("b"))]
    played = play(plan, toy)
    assert ended(played) == ("drift", 8)
    assert list(differences(played)) == ["b"]
    assert "planned for as up" in differences(played)["b"]
    assert "unreachable" in differences(played)["b"]
    assert played.engine.outcome is not None
    assert "b" in played.engine.outcome.why
    assert (toy.hosts["b"].reboots, toy.hosts["c"].reboots) == (0, 0)


def test_a_host_that_our_own_restart_lost_is_a_failure() -> None:
    toy, plan = site("a", "b")
    toy.hosts["a"].fault = "never_returns"
    played = play(plan, toy)
    assert ended(played) == ("halted", 5)
    assert differences(played) == {}


def test_a_host_outside_the_plan_that_died_and_takes_the_budget_is_drift() -> None:
    toy, plan = site("a", "b")
    toy.script = [(10.0, dies("d"))]
    played = play(plan, toy)
    assert ended(played) == ("drift", 8)
    assert list(differences(played)) == ["d"]
    assert "planned for as ready" in differences(played)["d"]
    assert toy.hosts["b"].reboots == 0


def test_a_host_that_the_run_has_restarted_and_that_dies_then_is_a_failure() -> None:
    toy, plan = site("a", "b", "c")
    toy.script = [(40.0, dies("a"))]
    played = play(plan, toy)
    assert [fact.host for fact in played.told(facts.MOVE_DONE)] == ["a", "b"]
    assert toy.hosts["c"].reboots == 0
    assert ended(played) == ("halted", 5)
    assert differences(played) == {}


def test_consumers_that_fell_with_the_restart_of_their_provider_are_failures() -> None:
    database = Service(name="db", hosts=("x", "y"))
    app = Service(name="app", hosts=("a", "b", "c"), depends_on=(Dependency(provider="db", kind="requires"),))
    inventory = fleet(database, app, policy=fixed())
    toy = Toy(inventory)

    def break_b(toy: Toy) -> None:
        toy.hosts["b"].sick = True

    toy.script = [(2.0, break_b)]
    played = play(plan_of(inventory, "x", "y", "a"), toy)
    assert toy.hosts["x"].reboots == 1
    assert ended(played) == ("halted", 5)
    assert differences(played) == {}


def test_consumers_that_were_well_after_it_and_fell_later_are_drift() -> None:
    database = Service(name="db", hosts=("x",))
    app = Service(name="app", hosts=("a", "b", "c"), depends_on=(Dependency(provider="db", kind="requires"),))
    inventory = fleet(database, app, policy=fixed())
    toy = Toy(inventory)
    toy.script = [(60.0, dies("c"))]
    played = play(plan_of(inventory, "x", "a", "b"), toy)
    assert [toy.hosts[name].reboots for name in "xab"] == [1, 1, 0]
    assert ended(played) == ("drift", 8)
    assert list(differences(played)) == ["c"]


def test_what_max_failures_bears_is_no_reason_to_stop() -> None:
    toy, plan = site("a", "b", "c", max_failures=1)
    toy.inventory.services["web"]  # one may be down; b is, so that c cannot go
    toy.script = [(10.0, dies("b"))]
    played = play(plan, toy)
    # It was borne, and is told; but b's budget is used up by what happened to it, and by nothing that the run did.
    assert ended(played) == ("drift", 8)
    assert list(differences(played)) == ["b"]


def test_a_host_that_is_borne_where_the_budget_allows_it_ends_the_run_with_5() -> None:
    inventory = fleet(web("a", "b", "c", "d", max_unavailable=Amount(number=2)), policy=fixed(max_failures=1))
    toy = Toy(inventory)
    toy.script = [(10.0, dies("b"))]
    played = play(plan_of(inventory, "a", "b", "c"), toy)
    assert ended(played) == ("ended", 5)
    assert list(differences(played)) == ["b"]
    assert toy.hosts["c"].reboots == 1


def test_a_failure_of_the_run_that_halts_it_stays_5_whatever_drifted_before() -> None:
    inventory = fleet(web("a", "b", "c", "d", max_unavailable=Amount(number=3)), policy=fixed(max_failures=1))
    toy = Toy(inventory)
    toy.script = [(10.0, dies("b"))]
    toy.hosts["c"].fault = "never_returns"
    played = play(plan_of(inventory, "a", "b", "c", "d"), toy)
    assert ended(played) == ("halted", 5)
    assert list(differences(played)) == ["b"]


def test_once_the_world_is_mended_the_run_can_be_resumed() -> None:
    toy, plan = site("a", "b")
    toy.script = [(10.0, dies("d"))]
    played = play(plan, toy)
    assert ended(played) == ("drift", 8)
    toy.hosts["d"].up_at_s = toy.now_s
    resumed(played, crash=False)
    assert ended(played) == ("done", 0)
    assert played.reboots() == {"a": 1, "b": 1, "c": 0, "d": 0}


def test_a_resume_into_the_same_trouble_is_drift_again() -> None:
    toy, plan = site("a", "b")
    toy.script = [(10.0, dies("d"))]
    played = play(plan, toy)
    resumed(played, crash=False)
    assert ended(played) == ("drift", 8)
