"""restart survey: looks, sorts, keeps what it saw, and ends with 0 whatever it found."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from restart.cli.surveying import told_moment
from restart.errors import UsageMistake
from restart.model.answer import NoAnswer
from tests.cli.conftest import Hangs, Said

Restart = Callable[..., Said]
NOW = 1_795_306_200.0


@pytest.fixture
def dark(tmp_path: Path) -> Iterator[Path]:
    """A fleet of one host whose SSH port refuses, and whose web port answers nothing."""
    with socket.socket() as held:
        # Bound and not listening: it refuses, and nobody else takes it.
        held.bind(("127.0.0.1", 0))
        file = tmp_path / "dark.yml"
        file.write_text(
            "version: 1\nfleet: dark\ndefaults: {ssh: {user: ops, config: /dev/null}}\n"
            f"hosts: {{a: {{address: 127.0.0.1, ssh: {{user: ops, config: /dev/null, port: {held.getsockname()[1]}}}}}}}\n"
            "services: {web: {hosts: a}}\n"
        )
        yield file


def test_a_survey_ends_with_0_whatever_it_found(restart: Restart, dark: Path) -> None:
    said = restart("survey", str(dark))
    assert (said.code, said.err) == (0, "")
    assert "1  unknown" in said.out
    assert "SSH is refused" in said.out
    assert "OUTAGE" in said.out


@pytest.mark.parametrize("form", ["text", "json"])
def test_ctrl_c_ends_it_early_with_what_was_seen_and_keeps_nothing_to_plan_on(
    restart: Restart, tmp_path: Path, ctrl_c_while_it_hangs: Hangs, form: str
) -> None:
    two = tmp_path / "two.yml"
    two.write_text(
        "version: 1\nfleet: dark\nhosts: {'a-[1-2]': {address: 127.0.0.1}}\nservices: {web: {hosts: 'a-*'}}\n"
    )
    ctrl_c_while_it_hangs("a-1", NoAnswer(reason="refused"))
    said = restart("survey", str(two), "--format", form, "--save", "seen.json")
    assert said.code == 130
    if form == "json":
        told = json.loads(said.out)
        assert told["summary"]["not_looked_at"] == ["a-1"]
        assert list(told["hosts"]) == ["a-2"]
    else:
        flat = " ".join(said.out.split())
        assert "looked at 1 of 2 hosts" in flat
        assert "Ended early; not looked at: a-1. Nothing is kept to plan on" in flat
        assert "Saved" not in said.out
    assert not (tmp_path / "seen.json").exists()
    assert not (tmp_path / "store/observations/dark.json").exists()


def test_with_the_events_time_a_silent_host_is_judged(restart: Restart, dark: Path) -> None:
    assert "1  stuck" in restart("survey", str(dark), "--since", "1h").out
    assert "1  returning" in restart("survey", str(dark), "--since", "1m").out


def test_what_was_seen_is_kept_beside_the_store_and_where_it_is_wanted(
    restart: Restart, dark: Path, tmp_path: Path
) -> None:
    said = restart("survey", str(dark), "--save", "seen.json", "--format", "json")
    told = json.loads(said.out)
    assert told["summary"]["counts"]["unknown"] == 1
    kept = json.loads((tmp_path / "store/observations/dark.json").read_text())
    saved = json.loads((tmp_path / "seen.json").read_text())
    assert kept == saved
    assert kept["digest"] == told["digest"]


def test_no_store_is_made_to_look(restart: Restart, dark: Path, tmp_path: Path) -> None:
    restart("survey", str(dark))
    assert not (tmp_path / "store/store.db").exists()


def test_what_the_tool_has_written_itself_is_told_from_an_inventory(restart: Restart, dark: Path) -> None:
    restart("survey", str(dark), "--save", "seen.json")
    restart("plan", str(dark), "-o", "plan.json")
    for file, what in (("seen.json", "what a survey or another look saw"), ("plan.json", "a saved plan")):
        for command in ("survey", "validate"):
            said = restart(command, file)
            assert said.code == 2, said
            assert said.err.startswith(f"restart: {file} is {what}, and an inventory is wanted (name the inventory")
            assert len(said.err.splitlines()) == 1


def test_a_selection_that_names_nobody_is_a_mistake(restart: Restart, dark: Path) -> None:
    assert restart("survey", str(dark), "--limit", "nobody").code == 2


def test_a_time_is_said_in_three_ways() -> None:
    assert told_moment("2026-11-22T00:00:00Z", NOW) == 1_795_305_600.0
    assert told_moment("45m", NOW) == told_moment("45m ago", NOW) == NOW - 2700
    assert 0 <= NOW - told_moment("23:41", NOW) < 86_400
    assert 0 <= NOW - told_moment("00:00:01", NOW) < 86_400


@pytest.mark.parametrize("text", ["", "soon", "25:00", "2030-01-01T00:00:00Z", "2026-11-22T00:00:00"])
def test_what_is_no_time_is_a_mistake(text: str) -> None:
    with pytest.raises(UsageMistake):
        told_moment(text, NOW)


def test_a_plan_on_what_was_seen_leaves_alone_what_is_well_and_says_what_it_chose(
    restart: Restart, dark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    restart("survey", str(dark), "--since", "1h", "--save", "seen.json")
    said = restart("plan", str(dark), "--observation", "seen.json", "--format", "json")
    plan = json.loads(said.out)
    assert plan["mode"] == "cold-start"
    assert "none of the 1 selected hosts is up" in plan["notes"][0]
    recovered = json.loads(
        restart("plan", str(dark), "--survey", "--since", "1h", "--mode", "recover", "--format", "json").out
    )
    assert (recovered["mode"], recovered["waves"][0]["moves"][0]["host"]) == ("recover", "a")
    assert recovered["observation_digest"].startswith("sha256:")


def test_without_the_events_time_a_silent_host_is_left_alone_and_a_run_of_nothing_else_is_not_called_done(
    restart: Restart, dark: Path
) -> None:
    said = restart("plan", str(dark), "--survey", "--mode", "recover")
    assert said.code == 0
    assert "unknown, so not touched" in said.out
    ran = restart("run", str(dark), "--mode", "recover", "--reason", "night", "--yes")
    assert (ran.code, "nobody can say how 1 host" in ran.err) == (4, True)


def test_no_command_of_a_survey_inherits_the_password_of_a_bmc_not_even_before_a_saved_plan(
    restart: Restart, dark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    seen = tmp_path / "environment"
    inventory = yaml.safe_load(dark.read_text())
    bmc = {"url": "https://127.0.0.1:1", "user": "ops", "password_env": "BMC_OF_DARK"}
    inventory["hosts"]["a"]["power"] = {"redfish": bmc}
    inventory["services"]["web"]["ready"] = [
        {"command": {"run": f"(echo looked; env) >> {seen}; exit 1", "on": "controller"}}
    ]
    dark.write_text(yaml.safe_dump(inventory))
    for command in (
        ("survey", str(dark), "--since", "1h", "--save", "seen.json"),
        ("plan", str(dark), "--observation", "seen.json", "--mode", "recover", "-o", "p.json"),
        ("run", "p.json", "--reason", "night", "--yes-hosts", "9"),  # looks again, and is refused
    ):
        monkeypatch.setenv("BMC_OF_DARK", "m4rker-of-dark")
        said = restart(*command)
        assert "m4rker" not in said.out + said.err
    assert "--yes-hosts says 9" in said.err
    environments = seen.read_text()
    assert environments.splitlines().count("looked") == 2
    assert "m4rker" not in environments


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan", "dark.yml", "--survey", "--observation", "x.json"),
        ("plan", "dark.yml", "--since", "1h"),
        ("plan", "dark.yml", "--only", "reboot-required"),
        ("plan", "dark.yml", "--mode", "recover"),
        ("run", "dark.yml", "--reason", "x", "--no-survey", "--since", "1h"),
    ],
)
def test_what_cannot_be_meant_together_is_a_mistake(restart: Restart, dark: Path, arguments: tuple[str, ...]) -> None:
    assert restart(*arguments).code == 2


def test_nobody_who_wants_a_reboot_is_a_refusal(restart: Restart, dark: Path) -> None:
    said = restart("plan", str(dark), "--survey", "--only", "reboot-required")
    assert said.code == 4
    assert "1 of 1 hosts do not tell whether they want a reboot" in said.err


def test_an_old_observation_is_drift(restart: Restart, dark: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    restart("survey", str(dark), "--save", "seen.json")
    monkeypatch.setattr("time.time", lambda: 2e9)
    said = restart("plan", str(dark), "--observation", "seen.json")
    assert (said.code, "look again" in said.err) == (8, True)
