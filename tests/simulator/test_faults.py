"""Every kind of fault, one at a time: no rule is broken while it strikes, and the run ends, well or with a true reason why not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restart.model.inventory import Amount, Dependency, Inventory, Service
from restart.model.simulation import Result
from restart.planner import make_plan
from restart.simulator.faults import KINDS, Fault
from restart.simulator.physics.figures import HostFigures, Physics
from restart.simulator.play import play
from restart.simulator.referee import Referee
from tests.inventory.reading import GATES
from tests.simulator.random_fleets import ask, fixed, fleet


def site() -> Inventory:
    db = Service(
        name="db",
        hosts=("db-1", "db-2", "db-3"),
        min_available=Amount(quorum=True),
        ready=(ask(),),
        gate=(ask("all", "controller"),),
    )
    web = Service(
        name="web",
        hosts=("web-1", "web-2", "web-3", "web-4"),
        depends_on=(Dependency(provider="db"),),
        max_unavailable=Amount(number=2),
        ready=(ask(),),
    )
    return fleet(db, web, policy=fixed(max_failures=1))


def played(*faults: Fault, seed: int = 1) -> Result:
    inventory = site()
    hosts = {name: HostFigures(boot_s=60.0) for name in inventory.hosts}
    physics = Physics(hosts=hosts, latency_s=0.05, strikes_after_s=1.0)
    plan = make_plan(inventory, made_at="")
    return play(plan, physics, seed, gates=GATES, faults=faults, referee=Referee, horizon_s=86400.0)


FAULTS = {
    "never_returns": (Fault(kind="never_returns", hosts=("db-2",)), 5),
    "returns_late": (Fault(kind="returns_late", hosts=("db-2",), by_s=300.0), 0),
    "returns_too_late": (Fault(kind="returns_late", hosts=("db-2",), by_s=1200.0), 5),
    "same_boot_id": (Fault(kind="same_boot_id", hosts=("db-2",)), 9),
    "ignores_reboot": (Fault(kind="ignores_reboot", hosts=("web-3",)), 9),
    "goes_down": (Fault(kind="goes_down", hosts=("db-3",), at_s=10.0, for_s=100.0), 0),
    "someone_reboots": (Fault(kind="someone_reboots", hosts=("web-2",), at_s=120.0), 0),
    "lies": (Fault(kind="lies", hosts=("db-1",), at_s=30.0, for_s=120.0), 0),
    "comes_back_corrupt": (Fault(kind="comes_back_corrupt", hosts=("db-1",)), 5),
    "comes_back_corrupt_for_a_while": (Fault(kind="comes_back_corrupt", hosts=("db-1",), for_s=60.0), 0),
    "loses_at_boot": (Fault(kind="loses_at_boot", hosts=("db-1",), target="tcp:443"), 5),
    "flaps": (Fault(kind="flaps", hosts=("db-1",), at_s=30.0, for_s=120.0, by_s=7.0), 0),
    "ssh_hangs": (Fault(kind="ssh_hangs", hosts=("web-1",), at_s=1.0, for_s=100.0, phase="auth"), 0),
    "unknown": (Fault(kind="unknown", services=("db",), at_s=0.0, for_s=100.0), 0),
    "alert": (Fault(kind="alert", hosts=("web-1",), target="DiskFull", at_s=30.0, for_s=100.0), 0),
    "hook_fails": (Fault(kind="hook_fails"), 0),
    # A host that does not answer its claim is tried again for some minutes.
    "answers_lost": (Fault(kind="answers_lost", hosts=("db-1",), at_s=1.0, for_s=100.0), 0),
    "answers_lost_for_good": (Fault(kind="answers_lost", hosts=("db-1",), at_s=1.0), 8),
    "foreign_claim": (Fault(kind="foreign_claim", hosts=("web-4",)), 7),
    "lease_lost": (Fault(kind="lease_lost", at_s=100.0), 7),
    "says": (Fault(kind="says", word="stop", at_s=100.0), 6),
    "unseals": (Fault(kind="unseals", services=("db",), at_s=30.0), 0),
    "clock_steps": (Fault(kind="clock_steps", by_s=-3600.0, at_s=50.0), 0),
    "controller_dies": (Fault(kind="controller_dies", at_s=77.0), 0),
    "disk_full": (Fault(kind="disk_full", at_s=50.0, for_s=30.0), 0),
    "power_unknown": (Fault(kind="power_unknown", hosts=("web-1",)), 0),
    "step_fails": (Fault(kind="step_fails", hosts=("web-1",)), 0),
}


def test_every_kind_of_fault_is_here() -> None:
    assert {fault.kind for fault, _ in FAULTS.values()} == set(KINDS)


@pytest.mark.parametrize("name", FAULTS)
def test_a_single_fault_breaks_no_rule_and_ends_as_it_should(name: str) -> None:
    fault, exit_code = FAULTS[name]
    result = played(fault)
    assert result.violations == ()
    assert result.outcome is not None, result.no_progress
    assert result.outcome.exit_code == exit_code, result.outcome
    assert max(result.restarts.values(), default=0) <= 1


def test_a_stepped_wall_clock_changes_no_decision() -> None:
    still, stepped = played(), played(Fault(kind="clock_steps", by_s=-3600.0, at_s=50.0))
    without = [{key: value for key, value in row.items() if key != "at"} for row in still.rows]
    assert without == [{key: value for key, value in row.items() if key != "at"} for row in stepped.rows]
    assert [row["at"] for row in still.rows] != [row["at"] for row in stepped.rows]


def test_a_reboot_that_came_to_nothing_unheard_is_asked_for_again_and_that_is_no_second_one() -> None:
    ignored = Fault(kind="ignores_reboot", hosts=("web-3",))
    at_s = next(row["at_s"] for row in played(ignored).rows if row["event"] == "rebooting" and row["host"] == "web-3")
    result = played(ignored, Fault(kind="answers_lost", hosts=("web-3",), at_s=at_s + 0.001, for_s=0.1))
    assert [row["event"] for row in result.rows if row.get("host") == "web-3"].count("rebooting") == 2
    assert result.violations == ()
    assert result.outcome is not None
    assert result.outcome.exit_code == 9


def test_a_host_that_restarted_unheard_with_its_old_boot_id_is_not_restarted_twice() -> None:
    kept = Fault(kind="same_boot_id", hosts=("web-3",))
    at_s = next(row["at_s"] for row in played(kept).rows if row["event"] == "rebooting" and row["host"] == "web-3")
    result = played(kept, Fault(kind="answers_lost", hosts=("web-3",), at_s=at_s + 0.001, for_s=0.1))
    assert [row["event"] for row in result.rows if row.get("host") == "web-3"].count("rebooting") == 1
    assert result.violations == ()
    assert result.restarts["web-3"] == 1
    assert result.outcome is not None
    assert result.outcome.exit_code == 9


def test_consumers_go_on_behind_a_provider_that_somebody_else_rebooted_just_before_our_reboot_reached_it() -> None:
    at_s = next(row["at_s"] for row in played().rows if row["event"] == "rebooting" and row["host"] == "db-3")
    result = played(Fault(kind="someone_reboots", hosts=("db-3",), at_s=at_s + 0.001))
    assert result.violations == ()
    assert "db-3" not in result.restarts
    assert result.outcome is not None
    assert result.outcome.exit_code == 0


@pytest.mark.parametrize("at_s", [77.0, 79.5, 82.0])
def test_a_word_said_while_no_controller_lives_waits_for_the_next(at_s: float) -> None:
    result = played(Fault(kind="controller_dies", at_s=77.0), Fault(kind="says", word="stop", at_s=at_s))
    assert result.violations == ()
    assert result.resumes == 1
    assert result.outcome is not None
    assert (result.outcome.state, result.outcome.exit_code) == ("stopped", 6)


@pytest.mark.parametrize("moment", ["appending", "appended", "begun"])
def test_a_word_is_heard_once_whenever_its_hearer_dies(moment: str) -> None:
    stop = Fault(kind="says", word="stop", at_s=20.0)
    without = played(stop)
    number = next(row["seq"] for row in without.rows if row["event"] == "word")
    before = sum("input" in row for row in without.rows if row["seq"] < number)
    for event in range(before - 2, before + 4):
        result = played(stop, Fault(kind="controller_dies", event=event, moment=moment))
        assert result.resumes == 1
        told = [row["event"] for row in result.rows if row["event"] in ("word", "resumed")]
        assert told.count("word") == 1
        assert result.outcome is not None
        # Who resumes a run that was stopped wants it to go on.
        assert result.outcome.exit_code == (6 if told[-1] == "word" else 0)


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 400), st.sampled_from(["appending", "appended", "begun"])),
        min_size=1,
        max_size=4,
        unique=True,
    )
)
def test_a_controller_may_die_between_any_two_events(deaths: list[tuple[int, str]]) -> None:
    faults = [Fault(kind="controller_dies", event=event, moment=moment) for event, moment in deaths]
    result = played(*faults)
    assert result.violations == ()
    assert result.outcome is not None
    assert result.outcome.exit_code == 0, result.outcome
    assert set(result.restarts.values()) == {1}


TRANSIENT = (
    "goes_down",
    "someone_reboots",
    "lies",
    "flaps",
    "ssh_hangs",
    "unknown",
    "answers_lost",
    "disk_full",
    "controller_dies",
)


@st.composite
def transient(draw: st.DrawFn) -> Fault:
    """A fault that stops by itself."""
    kind = draw(st.sampled_from(TRANSIENT))
    host = draw(st.sampled_from(sorted(site().hosts)))
    return Fault(
        kind=kind, hosts=(host,), at_s=float(draw(st.integers(1, 300))), for_s=float(draw(st.integers(5, 90))), by_s=5.0
    )


@settings(max_examples=15, deadline=None)
@given(st.lists(transient(), min_size=1, max_size=3), st.integers(0, 1000))
def test_when_faults_have_stopped_the_run_ends_with_a_reason(faults: list[Fault], seed: int) -> None:
    result = played(*faults, seed=seed)
    assert result.violations == ()
    assert result.outcome is not None, result.no_progress
    assert result.outcome.exit_code == 0 or result.outcome.why
    # What goes wrong at its very end, or after it, the run cannot know.
    if result.outcome.exit_code == 0 and max(fault.at_s + fault.for_s for fault in faults) < result.duration_s:
        assert result.score.reached
