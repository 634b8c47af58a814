"""`restart simulate`: what it says, what it exits with, that it is the same each time, and what it does with what cannot be."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from restart.cli.rehearsing import is_scenario
from restart.model.event import Event, Fact, Outcome
from restart.model.plan import Plan
from restart.model.request import Request
from restart.model.simulation import Violation
from restart.simulator.truth import Truth

Restart = Callable[..., Any]
Process = Callable[..., "subprocess.CompletedProcess[str]"]

SCENARIO = """\
version: 1
scenario: little
about: Three hosts of a web site.
seed: 4
fleet:
  hosts: {"web-[1-3]": {}}
  services: {web: {hosts: "web-*", ready: [{tcp: 80}]}}
physics:
  hosts: {"*": {boot: 60s}}
naive:
  act: reboot
  expect: {reached: true, ready: {web: 3}}
staged:
  expect: {reached: true, under_floor: 0s, exit_code: 0}
"""


@pytest.fixture
def little(tmp_path: Path) -> Path:
    file = tmp_path / "little.yml"
    file.write_text(SCENARIO, encoding="utf-8")
    return file


def changed(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


# --- one play -------------------------------------------------------------------------------------------------------------


def test_an_inventory_is_planned_and_played(restart: Restart, shop: Path) -> None:
    said = restart("simulate", "shop.yml")
    assert said.code == 0
    assert said.out.startswith("shop, simulated with seed 0: DONE\n")
    assert "found nothing unsafe" in said.out
    data = json.loads(restart("simulate", "shop.yml", "--format", "json").out)
    assert (data["state"], data["exit_code"], data["score"]["reached"]) == ("done", 0, True)
    assert len(data["restarts"]) == 10
    assert data["journal"][-1]["event"] == "run_ended"


def test_a_part_of_a_fleet_and_a_saved_plan_are_played_too(restart: Restart, shop: Path) -> None:
    data = json.loads(restart("simulate", "shop.yml", "--limit", "service:db", "--format", "json").out)
    assert sorted(data["restarts"]) == ["db-1", "db-2", "db-3"]
    assert restart("plan", "shop.yml", "--limit", "service:db", "-o", "db.json").code == 0
    again = json.loads(restart("simulate", "db.json", "--format", "json").out)
    assert again["journal"] == data["journal"]
    assert restart("simulate", "db.json", "--limit", "db-1").code == 2


@pytest.mark.parametrize(
    "options", [(), ("--runs", "5"), ("--n-1",), ("--naive",), ("--what-if", "controller dies at event 20")]
)
def test_the_same_seed_gives_the_same_output_byte_for_byte(
    process: Process, shop: Path, options: tuple[str, ...]
) -> None:
    for form in ("text", "json"):
        runs = [
            process(
                "simulate",
                "shop.yml",
                "--seed",
                "3",
                "--format",
                form,
                "--processes",
                processes,
                *options,
                PYTHONHASHSEED=seed,
            )
            for processes, seed in (("1", "1"), ("2", "2"))
        ]
        assert runs[0].returncode == 0, runs[0].stderr
        assert runs[0].stdout == runs[1].stdout
        assert runs[0].stderr == runs[1].stderr == ""


def test_another_seed_is_another_run(restart: Restart, shop: Path) -> None:
    outs = {restart("simulate", "shop.yml", "--seed", seed).out.split(";")[0] for seed in ("1", "2", "3")}
    assert len(outs) == 3


def test_a_fault_in_words_happens_and_its_outcome_is_the_exit_code(restart: Restart, shop: Path) -> None:
    said = restart(
        "simulate", "shop.yml", "--what-if", "db-2 never returns", "--what-if", "controller dies at event 30"
    )
    assert said.code == 5
    assert said.out.startswith("shop, simulated with seed 0: HALTED\n")
    for part in ("What if: db-2 never returns.", "1 host does not function: db-2", "resumed 1 time"):
        assert part in " ".join(said.out.split())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("db2 never returns", "did you mean db-2?"),
        ("db-2 nevr returns", "did you mean: db-2 never returns?"),
        ("db-2 goes down at 5", "is not a duration"),
    ],
)
def test_a_fault_that_is_none_is_a_mistake_of_usage_with_its_way_out(
    restart: Restart, shop: Path, text: str, told: str
) -> None:
    said = restart("simulate", "shop.yml", "--what-if", text)
    assert said.code == 2
    assert told in said.err
    assert said.out == ""


def test_all_at_once_stands_beside_the_plan(restart: Restart, shop: Path) -> None:
    said = restart("simulate", "shop.yml", "--naive")
    assert said.code == 0
    assert "With this plan, and all at once" in said.out
    data = json.loads(restart("simulate", "shop.yml", "--naive", "--format", "json").out)
    assert data["score"]["under_floor_s"] == 0
    assert data["naive"]["score"]["under_floor_s"] > 0


def test_what_can_be_said_is_listed(restart: Restart) -> None:
    said = restart("simulate", "--faults")
    assert said.code == 0
    assert "HOSTS never returns" in said.out
    assert len(json.loads(restart("simulate", "--faults", "--format", "json").out)["faults"]) > 15


# --- many -----------------------------------------------------------------------------------------------------------------


def test_many_runs_tell_the_chance_and_what_took_the_time(restart: Restart, shop: Path) -> None:
    said = restart("simulate", "shop.yml", "--runs", "6", "--never-return", "0%")
    assert said.code == 0
    assert "6 of 6 ended well: a chance of 100%" in said.out
    assert "What took the time" in said.out
    data = json.loads(restart("simulate", "shop.yml", "--runs", "6", "--never-return", "20%", "--format", "json").out)
    assert (data["runs"], len(data["trials"])) == (6, 6)
    bad = next(trial for trial in data["trials"] if not trial["succeeded"])
    # The command that the report gives plays that very run.
    alone = restart("simulate", "shop.yml", "--never-return", "20%", "--seed", str(bad["seed"]), "--format", "json")
    assert json.loads(alone.out)["duration_s"] == bad["duration_s"]
    assert alone.code == bad["exit_code"]


def test_the_loss_of_each_host_is_told_by_service_and_host(restart: Restart, shop: Path) -> None:
    said = restart("simulate", "shop.yml", "--n-1")
    assert said.code == 0
    assert "This plan does not survive the loss of:" in said.out
    data = json.loads(restart("simulate", "shop.yml", "--n-1", "--format", "json").out)
    assert [loss["host"] for loss in data["losses"]] == [
        "gate-1",
        *(f"db-{n}" for n in (1, 2, 3)),
        *(f"web-0{n}" for n in range(1, 7)),
    ]
    assert set(data["survives_not"]) >= {"db-1", "db-2", "db-3"}
    assert all(loss["violations"] == [] for loss in data["losses"])


def test_plan_says_the_verdict_where_that_is_quick(restart: Restart, shop: Path) -> None:
    assert (
        "does not survive the loss of:\n    db-[1-3]: db falls to 1 of 3, 2 needed" in restart("plan", "shop.yml").out
    )
    hosts = shop.read_text(encoding="utf-8").replace(
        'web-[01-06]: {address: "10.0.2.[1-6]"', 'web-[01-90]: {address: "10.0.2.[1-90]"'
    )
    shop.write_text(hosts, encoding="utf-8")
    said = restart("plan", "shop.yml")
    assert said.code == 0
    assert "one host is lost" not in said.out


@pytest.mark.parametrize("options", [(), ("--runs", "3"), ("--n-1",)])
def test_a_stop_and_start_is_rehearsed_with_a_person_who_answers_and_is_told_of(
    restart: Restart, shop: Path, options: tuple[str, ...]
) -> None:
    ran = restart("simulate", str(shop), "--mode", "stop-start", *options)
    assert ran.code == 0, ran.said
    assert "NO PROGRESS" not in ran.out
    if options != ("--n-1",):
        told = " ".join(ran.out.split())
        assert "Assumed: a person switches on" in told
        assert "Assumed: a person who is asked to agree does so after 5m." in told


def test_a_plot_is_one_sound_file(restart: Restart, shop: Path, tmp_path: Path) -> None:
    for options in ((), ("--runs", "4"), ("--n-1",)):
        said = restart("simulate", "shop.yml", "--plot", "run.svg", *options)
        assert said.err == "Drawn: run.svg\n"
        assert ElementTree.fromstring((tmp_path / "run.svg").read_text(encoding="utf-8")).tag.endswith("svg")
    assert restart("simulate", "shop.yml", "--plot", "run.png").code == 2
    assert restart("simulate", "shop.yml", "--plot", "nowhere/run.svg").code == 2


@pytest.mark.parametrize(
    "options",
    [
        ("--runs", "3", "--n-1"),
        ("--naive", "--n-1"),
        ("--runs", "0"),
        ("--runs", "many"),
        ("--seed", "-1"),
        ("--processes", "0"),
        ("--never-return", "10"),
        ("--never-return", "110%"),
    ],
)
def test_what_cannot_be_meant_is_a_mistake_of_usage(restart: Restart, shop: Path, options: Sequence[str]) -> None:
    said = restart("simulate", "shop.yml", *options)
    assert said.code == 2
    assert said.out == ""


# --- scenarios ------------------------------------------------------------------------------------------------------------


def test_a_scenario_is_told_as_expected_against_reached(restart: Restart, little: Path) -> None:
    said = restart("simulate", "little.yml")
    assert said.code == 0
    assert said.out.startswith("little: as expected\n")
    data = json.loads(restart("simulate", "little.yml", "--format", "json").out)
    assert [(side["side"], side["as_expected"]) for side in data["sides"]] == [("naive", True), ("staged", True)]
    only = json.loads(restart("simulate", "little.yml", "--naive", "--format", "json").out)
    assert [side["side"] for side in only["sides"]] == ["naive"]


def test_a_scenario_that_comes_out_otherwise_is_exit_10(restart: Restart, little: Path) -> None:
    changed(little, "ready: {web: 3}", "ready: {web: 2}")
    said = restart("simulate", "little.yml")
    assert said.code == 10
    assert "NOT MET" in said.out


def test_a_scenario_that_needs_what_there_is_not_yet_has_not_passed(
    restart: Restart, little: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from restart.simulator import scenario

    monkeypatch.setattr(scenario, "CAPABILITIES", {**scenario.CAPABILITIES, "rolling": False})
    changed(little, "staged:\n", "staged:\n  needs: [rolling]\n")
    said = restart("simulate", "little.yml")
    assert said.code == 4
    assert said.out.startswith("little: NOT YET PLAYABLE; the naive side is as expected\n")
    assert restart("simulate", "little.yml", "--runs", "2").code == 4
    assert restart("simulate", "little.yml", "--naive").code == 0


def test_a_scenario_that_cannot_be_is_exit_3_with_every_place(restart: Restart, little: Path) -> None:
    changed(little, '"*": {boot: 60s}', '"db-*": {boot: 60s}')
    changed(little, "ready: {web: 3}", "ready: {db: 3}")
    said = restart("simulate", "little.yml")
    assert said.code == 3
    lines = said.err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("little.yml:") and line.split(":")[1].isdigit() for line in lines)


def test_a_scenario_can_be_played_often_and_with_each_host_lost(restart: Restart, little: Path) -> None:
    assert "3 of 3 ended well" in restart("simulate", "little.yml", "--runs", "3").out
    said = restart("simulate", "little.yml", "--n-1")
    assert said.code == 0
    assert said.out.startswith("little: each of 3 hosts lost in turn")


def test_a_scenario_says_itself_what_is_restarted_and_what_is_stuck(restart: Restart, little: Path) -> None:
    assert restart("simulate", "little.yml", "--limit", "web-1").code == 2
    assert restart("simulate", "little.yml", "--never-return", "5%").code == 2


def test_with_other_faults_a_scenario_expects_nothing(restart: Restart, little: Path) -> None:
    data = json.loads(restart("simulate", "little.yml", "--what-if", "web-2 never returns", "--format", "json").out)
    assert [side["as_expected"] for side in data["sides"]] == [None, None]
    assert data["sides"][1]["score"]["failed"] == ["web-2"]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("version: 1\nscenario: a\n", True),
        ('"scenario" : a\n', True),
        ("{version: 1, scenario: a}", True),
        ("fleet: a\nhosts: {a: {labels: {scenario: night}}}\n", False),
        ("fleet: a\nhosts:\n  scenario: {}\n", False),
        ("{fleet: a, hosts: {a: {labels: {scenario: night}}}}", False),
    ],
)
def test_a_scenario_is_known_by_its_key_at_the_top(tmp_path: Path, text: str, is_one: bool) -> None:
    file = tmp_path / "file.yml"
    file.write_text(text, encoding="utf-8")
    assert is_scenario(file) is is_one


def test_the_schema_of_scenarios_is_printed_and_takes_the_shipped_ones(restart: Restart, little: Path) -> None:
    schema = json.loads(restart("schema", "--scenario").out)
    assert "scenario" in schema["properties"]


# --- exit 10 --------------------------------------------------------------------------------------------------------------


class Suspicious:
    """A referee that calls a rule broken at the tenth event."""

    def __init__(self, plan: Plan, truth: Truth) -> None:
        self.violations: list[Violation] = []
        self._events = 0

    def appended(self, event: Event, facts_before: Sequence[Fact]) -> None:
        self._events += 1
        if self._events == 10:
            self.violations.append(
                Violation(rule=2, what="3 of 3 db would be down", at_s=event.at_s, seq=10, host="db-1")
            )

    def judge(self, event: Event, requests: Sequence[Request], facts: Sequence[Fact]) -> None:
        pass

    def end(self, outcome: Outcome | None, why: str = "") -> None:
        pass


@pytest.mark.parametrize("options", [(), ("--runs", "2"), ("--n-1",)])
def test_a_broken_rule_is_exit_10_with_event_rule_numbers_and_seed(
    restart: Restart, shop: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.setattr("restart.simulator.rehearsal.Referee", Suspicious)
    said = restart("simulate", "shop.yml", "--seed", "6", *options)
    assert said.code == 10
    flat = " ".join(said.out.split())
    assert "rule 2 is broken" in flat
    assert "event 10: 3 of 3 db would be down (seed 6)" in flat
    assert "To see it again: restart simulate shop.yml" in flat
    assert "--seed 6" in flat


@pytest.mark.parametrize("options", [(), ("--runs", "2"), ("--n-1",)])
def test_no_progress_is_exit_10(restart: Restart, little: Path, options: tuple[str, ...]) -> None:
    changed(little, "seed: 4", "seed: 4\nhorizon: 30s")
    said = restart("simulate", "little.yml", *options)
    assert said.code == 10, said
    assert "no progress" in said.out.lower()


# --- on both cores --------------------------------------------------------------------------------------------------------


def test_ctrl_c_ends_a_long_rehearsal_at_once_and_leaves_no_process_behind(shop: Path) -> None:
    simulating = subprocess.Popen(
        [sys.executable, "-m", "restart", "simulate", "shop.yml", "--runs", "100000", "--processes", "2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    listing = Path(f"/proc/{simulating.pid}/task/{simulating.pid}/children")
    try:
        until_s = time.monotonic() + 60
        while len(children := listing.read_text().split()) < 2:
            assert time.monotonic() < until_s, "it never used two processes"
            time.sleep(0.01)
        simulating.send_signal(signal.SIGINT)
        out, err = simulating.communicate(timeout=30)
    finally:
        simulating.kill()
    assert (simulating.returncode, out, err) == (130, "", "restart: interrupted\n")
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def test_a_terminal_sees_how_far_it_is_and_blocks(shop: Path) -> None:
    terminal, end = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "PYTHONUTF8": "1", "LANG": "C.UTF-8"}
    simulating = subprocess.Popen(
        [sys.executable, "-m", "restart", "simulate", "shop.yml", "--runs", "30", "--never-return", "0%"],
        stdin=end, stdout=end, stderr=end, env=environment,
    )  # fmt: skip
    os.close(end)
    said = b""
    try:
        while chunk := os.read(terminal, 65536):
            said += chunk
    except OSError:
        # On Linux the terminal of a process that has ended cannot be read.
        pass
    finally:
        os.close(terminal)
        simulating.wait(timeout=60)
    text = said.decode()
    assert simulating.returncode == 0, text
    assert "simulating |" in text
    assert "30 of 30" in text
    assert "█" in text.split("What took the time")[1]


def test_a_scenario_tells_what_took_the_time_of_its_planned_run(restart: Restart, little: Path) -> None:
    told = restart("simulate", "little.yml").out
    staged = told.split("little, simulated")[1]
    assert "What took the time, along the longest chain of moves" in staged
    sides = json.loads(restart("simulate", "little.yml", "--format", "json").out)["sides"]
    (played,) = (side for side in sides if side["side"] == "staged")
    assert sum(played["takes"].values()) == pytest.approx(played["duration_s"])
    assert played["planned_s"] > 0


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("{batch: 2, every: 30s}", "restarted 2 at a time, every 30s"),
        ("{act: stop, batch: 1, wait_for: port}", "stopped 1 at a time, the next once a port is open"),
        ("{act: start, batch: 1, wait_for: ready}", "started 1 at a time, the next once a check passes"),
    ],
)
def test_a_scenario_says_what_is_done_without_a_plan(restart: Restart, little: Path, how: str, said: str) -> None:
    text = little.read_text(encoding="utf-8").split("naive:")[0]
    little.write_text(f"{text}naive: {how}\n", encoding="utf-8")
    assert said in restart("simulate", "little.yml").out
