"""Maintenance windows in played runs: they are kept, and the referee sees an engine that does not keep them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from restart.engine import Engine
from restart.inventory.windows import spans
from restart.model.inventory import Service, Window
from restart.model.plan import Override, Plan
from restart.model.playbook import Playbook, Rung
from restart.model.simulation import Result
from restart.planner import in_windows, make_plan
from restart.simulator import play as stage
from restart.simulator.physics.figures import HostFigures, Physics
from restart.simulator.referee import Referee
from restart.simulator.scenario_file import read_scenario
from restart.simulator.staged import staged
from tests.inventory.reading import GATES
from tests.simulator import mutants
from tests.simulator.random_fleets import ask, fixed, fleet

WEB = Service(name="web", hosts=("w1", "w2", "w3", "w4"), ready=(ask(within_s=60.0),))
BOOK = Playbook(name="reboot", restart=(Rung(kind="reboot", back_within_s=240.0),))
NIGHT = Window(opens="23:00", closes="23:10", zone="Europe/Berlin")
MADE_AT = "2026-11-22T12:00:00Z"


def plan() -> Plan:
    inventory = fleet(WEB, policy=replace(fixed(), windows=(NIGHT,)), playbooks={"reboot": BOOK})
    return in_windows(make_plan(inventory, made_at=MADE_AT), spans(inventory.policy, MADE_AT))


def played(made: Plan) -> Result:
    physics = Physics(hosts={host: HostFigures(boot_s=120.0) for host in WEB.hosts}, latency_s=0.2)
    return stage.play(made, physics, 7, gates=GATES, referee=partial(Referee, seed=7), horizon_s=200_000.0)


def test_a_played_run_begins_as_the_window_opens_and_ends_when_no_move_fits_any_more() -> None:
    result = played(plan())
    assert result.violations == ()
    assert result.outcome is not None
    assert result.outcome.exit_code == 6
    assert "the next opens at 2026-11-23T22:00:00Z" in result.outcome.why
    assert sum(result.restarts.values()) == 3
    assert result.duration_s < 600.0


@pytest.mark.parametrize("engine", [mutants.IgnoresLadders, mutants.ForgetsWindows])
def test_the_referee_catches_an_engine_that_ignores_the_window(
    monkeypatch: pytest.MonkeyPatch, engine: type[Engine]
) -> None:
    assert played(plan()).violations == ()
    monkeypatch.setattr(stage, "Engine", engine)
    found = played(plan()).violations
    assert {violation.rule for violation in found} == {4}
    assert "window" in found[0].what


def test_the_referee_catches_an_engine_that_ignores_a_blackout_where_no_window_is_stated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shut = Window(opens="2026-11-22T12:05", closes="2026-11-22T13:00", zone="UTC")
    inventory = fleet(WEB, policy=replace(fixed(), blackouts=(shut,)), playbooks={"reboot": BOOK})
    made = in_windows(make_plan(inventory, made_at=MADE_AT), spans(inventory.policy, MADE_AT))
    result = played(made)
    assert result.violations == ()
    assert result.outcome is not None
    assert result.outcome.exit_code == 6
    assert "the next opens at 2026-11-22T13:00:00Z" in result.outcome.why
    monkeypatch.setattr(stage, "Engine", mutants.ForgetsWindows)
    assert {violation.rule for violation in played(made).violations} == {4}


def test_the_overridden_rule_is_no_violation() -> None:
    result = played(replace(plan(), overrides=(Override(rule="window", reason="agreed"),)))
    assert result.violations == ()
    assert result.outcome is not None
    assert result.outcome.exit_code == 0


SCENARIO = """\
version: 1
scenario: night
start: {start}
fleet:
  version: 1
  fleet: night
  hosts: {{"w[1-4]": {{}}}}
  services: {{web: {{hosts: "w*", ready: [{{tcp: 80}}]}}}}
  policy: {{canaries: 0, pace: fixed, windows: [{{from: "23:00", to: "{to}", zone: Europe/Berlin}}]}}
physics: {{hosts: {{"*": {{boot: 2m}}}}}}
staged: {{expect: {{exit_code: {code}}}}}
"""


@pytest.mark.parametrize(
    ("start", "to", "code"), [("2026-11-22T22:00:00Z", "23:59", 0), ("2026-11-22T22:00:00Z", "23:20", 6)]
)
def test_a_scenario_states_when_it_begins(tmp_path: Path, start: str, to: str, code: int) -> None:
    file = tmp_path / "night.yml"
    file.write_text(SCENARIO.format(start=start, to=to, code=code), encoding="utf-8")
    result = staged(read_scenario(file, GATES), gates=GATES, referee=Referee)
    assert result.violations == ()
    assert result.outcome is not None
    assert result.outcome.exit_code == code
