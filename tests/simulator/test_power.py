"""Power rungs in the simulated world: hosts come back by the next way, and the referee catches an engine that misuses power."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest

from restart.errors import Refused
from restart.model.answer import PowerState
from restart.model.event import Answered, Event, Resumed
from restart.model.inventory import Amount, Inventory, Service
from restart.model.playbook import Playbook, PowerControl, Rung
from restart.model.request import ReadPower, Request, SwitchPower
from restart.planner import make_plan
from restart.simulator import play as stage
from restart.simulator.faults import Fault
from restart.simulator.referee import Referee
from tests.inventory.reading import GATES
from tests.simulator.mutants import Deaf, Talker
from tests.simulator.random_fleets import ask, draw, fixed, fleet
from tests.simulator.test_mutants import Case, caught, rules

LADDER = Playbook(
    name="reboot",
    restart=(
        Rung(kind="reboot", back_within_s=120.0),
        Rung(kind="power", reset="cycle", back_within_s=240.0),
    ),
)
WEB = Service(name="web", hosts=("w1", "w2", "w3", "w4"), max_unavailable=Amount(number=1), ready=(ask(),))


def powered(inventory: Inventory, ladder: Playbook = LADDER) -> Inventory:
    """The same fleet with a power control on every host, and a ladder that uses it."""
    hosts = {name: replace(host, power=PowerControl(method="ipmi")) for name, host in inventory.hosts.items()}
    return replace(inventory, hosts=hosts, playbooks={"reboot": ladder})


def case(*faults: Fault, ladder: Playbook = LADDER, max_failures: int = 1) -> Case:
    return Case(powered(fleet(WEB, policy=fixed(max_failures=max_failures)), ladder), faults)


STUCK_ONCE = Fault(kind="never_returns", hosts=("w2",), times=1)
STUCK = Fault(kind="never_returns", hosts=("w2",))


def test_a_host_that_sticks_once_comes_back_by_its_power_and_the_run_is_done() -> None:
    result = case(STUCK_ONCE).play()
    assert result.violations == ()
    assert result.outcome is not None
    assert result.outcome.exit_code == 0
    assert result.restarts == {"w1": 1, "w2": 2, "w3": 1, "w4": 1}


def test_a_host_whose_power_control_is_silent_is_given_up_without_a_cut() -> None:
    result = case(STUCK, Fault(kind="power_unknown", hosts=("w2",))).play()
    assert result.violations == ()
    assert result.outcome is not None
    assert result.outcome.exit_code == 5
    assert result.restarts["w2"] == 1


@pytest.mark.parametrize("moment", ["appending", "appended", "begun"])
def test_wherever_the_controller_dies_no_power_cycle_is_repeated_and_none_is_left_half_done(moment: str) -> None:
    whole = case(STUCK_ONCE).play()
    for event in range(1, whole.events + 1, 7):
        dies = Fault(kind="controller_dies", event=event, moment=moment)
        result = case(STUCK_ONCE, dies).play()
        assert result.violations == (), (event, [str(found) for found in result.violations])
        assert result.outcome is not None
        assert result.restarts["w2"] <= 2
        if result.outcome.exit_code == 0:
            assert result.score.reached, event


@pytest.mark.parametrize("first", range(300, 400, 20))
def test_the_referee_is_silent_whatever_goes_wrong_where_power_may_be_switched(first: int) -> None:
    called: list[str] = []
    for seed in range(first, first + 20):
        drawn = draw(seed, faults=True)
        hosts = list(drawn.inventory.hosts)
        faults = (
            *drawn.faults,
            Fault(kind="never_returns", hosts=(hosts[seed % len(hosts)],), times=1 + seed % 3),
            Fault(kind="power_unknown", hosts=(hosts[-1],), at_s=100.0, for_s=300.0),
        )
        ladder = (
            LADDER
            if seed % 3
            else replace(LADDER, restart=(*LADDER.restart, replace(LADDER.restart[1], reset="force", blind=True)))
        )
        try:
            plan = make_plan(powered(drawn.inventory, ladder), made_at="")
        except Refused:
            continue
        result = stage.play(
            plan, drawn.physics, seed, gates=GATES, faults=faults, referee=partial(Referee, seed=seed), keep_rows=False
        )  # fmt: skip
        called += [str(found) for found in result.violations]
    assert called == []


# --- broken engines ---------------------------------------------------------------------------------------------------


class RepeatsSwitches(Talker):
    """After a resume it switches the power once more of every host whose power it has ever switched."""

    def __init__(self, plan: object) -> None:
        super().__init__(plan)  # type: ignore[arg-type]
        self.sent: list[SwitchPower] = []

    def adds(self, event: Event, requests: tuple[Request, ...]) -> Sequence[Request]:
        again = [replace(old, id=f"{old.id}again") for old in self.sent] if isinstance(event, Resumed) else []
        self.sent += [request for request in requests if isinstance(request, SwitchPower)]
        return (*requests, *again)


class PowersAnotherHost(Talker):
    """With its first switch it switches a host that the plan leaves alone, too."""

    def adds(self, event: Event, requests: tuple[Request, ...]) -> Sequence[Request]:
        if self.extra or not any(isinstance(request, SwitchPower) for request in requests):
            return requests
        self.extra = 1
        return (*requests, SwitchPower(id="x1", host="w4", reset="cycle", within_s=60.0))


class TakesUnknownPowerForOn(Deaf):
    """Where nobody can say whether a host is on, it takes it for on."""

    def hears(self, event: Event) -> Event | None:
        if isinstance(event, Answered) and isinstance(event.answer, PowerState) and event.answer.state == "unknown":
            return replace(event, answer=PowerState(state="on"))
        return event


class SwitchesUnread(Talker):
    """It never asks a power control before it switches."""

    def adds(self, event: Event, requests: tuple[Request, ...]) -> Sequence[Request]:
        return [
            SwitchPower(id=found.id, host=found.host, reset="cycle", within_s=60.0)
            if isinstance(found, ReadPower)
            else found
            for found in requests
        ]


def test_the_referee_catches_a_resume_that_repeats_a_power_cycle(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = case(STUCK_ONCE).play()
    cycled = next(
        row["seq"] for row in whole.rows if row.get("event") == "rebooting" and row["data"]["rung"] == "power"
    )
    dies = Fault(kind="controller_dies", event=cycled + 3, moment="appended")
    assert 5 in caught(monkeypatch, case(STUCK_ONCE, dies), RepeatsSwitches)


def test_the_referee_catches_an_engine_that_powers_a_host_without_a_move(monkeypatch: pytest.MonkeyPatch) -> None:
    part = replace(case(STUCK_ONCE), selection=("w1", "w2", "w3"))
    assert rules_of(monkeypatch, part, PowersAnotherHost) == {7}


def test_the_referee_catches_an_engine_that_takes_unknown_power_for_on(monkeypatch: pytest.MonkeyPatch) -> None:
    # The control answers again by the time of the switch, so that the cut really happens.
    unknown = Fault(kind="power_unknown", hosts=("w2",))
    assert 9 in caught(monkeypatch, case(STUCK, unknown), TakesUnknownPowerForOn)


def test_the_referee_catches_an_engine_that_cuts_power_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 9 in caught(monkeypatch, case(STUCK_ONCE), SwitchesUnread)


def rules_of(monkeypatch: pytest.MonkeyPatch, broken: Case, engine: type[Talker]) -> set[int]:
    found = caught(monkeypatch, broken, engine)
    assert rules(broken.play())
    return found
