from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from restart.cli import rooms

Restart = Callable[..., Any]
Golden = Callable[[str, str], None]


def test_init_writes_what_validates_and_never_writes_over_anything(restart: Restart, tmp_path: Path) -> None:
    assert restart("init", "--dry-run").out.startswith("Would write inventory.yml\n")
    assert not (tmp_path / "inventory.yml").exists()
    assert restart("init").code == 0
    assert restart("validate").code == 0
    assert restart("plan").code == 0
    again = restart("init")
    assert again.code == 2
    assert "exists already: nothing was written" in again.err
    assert json.loads(restart("init", "other", "--format", "json").out)["written"] is True


def test_validate_says_what_it_found(restart: Restart, shop: Path) -> None:
    assert restart("validate", "shop.yml").out == "shop.yml is valid: shop, 10 hosts, 2 services.\n"
    data = json.loads(restart("validate", "shop.yml", "--format", "json").out)
    assert (data["valid"], data["hosts"]) == (True, 10)


def test_a_ring_of_services_is_a_problem_to_validate_and_a_refusal_to_plan(restart: Restart, tmp_path: Path) -> None:
    services = "services: {a: {hosts: h1, depends_on: {b: {}}}, b: {hosts: h2, depends_on: {a: {}}}}\n"
    (tmp_path / "ring.yml").write_text("version: 1\nfleet: ring\nhosts: {h1: {}, h2: {}}\n" + services)
    said = restart("validate", "ring.yml")
    assert (said.code, said.err.count("ring.yml:4:")) == (3, 1)
    assert restart("plan", "ring.yml").code == 4


def test_every_problem_is_told_with_its_place(restart: Restart, shop: Path, golden: Golden) -> None:
    text = shop.read_text(encoding="utf-8").replace("hosts: db-*", "hosts: dbb-*").replace("fleet: shop", "flee: shop")
    shop.write_text(text, encoding="utf-8")
    said = restart("validate", "shop.yml")
    assert said.code == 3
    golden("invalid.txt", said.err)
    as_data = restart("validate", "shop.yml", "--format", "json")
    assert as_data.code == 3
    problems = json.loads(as_data.out)["problems"]
    assert len(problems) == len(said.err.splitlines())
    assert all(problem["line"] >= 1 for problem in problems)


@pytest.mark.parametrize("command", ["validate", "graph", "plan", "run"])
def test_an_inventory_that_cannot_be_opened_is_told_cleanly(restart: Restart, tmp_path: Path, command: str) -> None:
    more = ("--dry-run",) if command == "run" else ()
    (tmp_path / "empty").mkdir()
    for arguments in (("nowhere.yml",), (), ("empty",), ("/dev/null",), ("nul\0name",)):
        said = restart(command, *arguments, *more)
        assert said.code in (2, 3), said
        assert said.err.startswith(("restart: ", "empty:1:1: ", "/dev/null:1:1: ")), said.err
        assert "bug" not in said.err


def test_the_usual_file_is_found_without_naming_it(restart: Restart, shop: Path, tmp_path: Path) -> None:
    shop.rename(tmp_path / "inventory.yml")
    assert restart("validate").out.startswith("inventory.yml is valid")


def test_the_plan_and_its_refusal_read_as_agreed(restart: Restart, shop: Path, golden: Golden) -> None:
    golden("plan.txt", restart("plan", "shop.yml").out)
    text = shop.read_text(encoding="utf-8").replace("min_available: quorum", "min_available: 3")
    shop.write_text(text, encoding="utf-8")
    said = restart("plan", "shop.yml")
    assert said.code in (3, 4)
    golden("plan-refused.txt", said.err)


def test_the_same_input_gives_the_same_plan_byte_for_byte(
    restart: Restart, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = restart("plan", "shop.yml", "--format", "json").out
    assert restart("plan", "shop.yml", "--format", "json").out == first
    assert json.loads(first)["made_at"] == "2026-11-22T00:10:00Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    other = json.loads(restart("plan", "shop.yml", "--format", "json").out)
    assert other["digest"] == json.loads(first)["digest"]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")
    assert restart("plan", "shop.yml").code == 2


def test_planning_makes_no_store(restart: Restart, shop: Path, tmp_path: Path) -> None:
    for command in ("plan", "graph", "validate"):
        restart(command, "shop.yml")
    restart("status")
    restart("history")
    assert not (tmp_path / "store").exists()


def test_a_saved_plan_is_the_plan(restart: Restart, shop: Path, tmp_path: Path) -> None:
    said = restart("plan", "shop.yml", "-o", "p.json", "--format", "json")
    assert (tmp_path / "p.json").read_text(encoding="utf-8") == said.out
    assert restart("plan", "p.json", "--format", "json").out == said.out
    assert restart("plan", "shop.yml", "-o", "p.txt").code == 2
    assert restart("plan", "shop.yml", "-o", "no/where/p.json").code == 2
    assert not list(tmp_path.glob(".*part"))


def test_a_saved_plan_takes_no_options_that_shape_it(restart: Restart, shop: Path) -> None:
    restart("plan", "shop.yml", "-o", "p.json")
    said = restart("plan", "p.json", "--limit", "db-1")
    assert said.code == 2
    assert "is a saved plan" in said.err


def test_a_plan_that_was_edited_is_drift(restart: Restart, shop: Path, tmp_path: Path) -> None:
    restart("plan", "shop.yml", "-o", "p.json")
    plan = tmp_path / "p.json"
    plan.write_text(plan.read_text(encoding="utf-8").replace('"db-1"', '"db-2"', 1), encoding="utf-8")
    assert restart("run", "p.json", "--reason", "x", "--yes-hosts", "9").code == 8
    plan.write_text("{}", encoding="utf-8")
    assert restart("plan", "p.json").code == 2
    plan.write_text("not json", encoding="utf-8")
    said = restart("plan", "p.json")
    assert (said.code, "is no plan" in said.err) == (2, True)


def test_a_part_of_the_fleet_is_planned(restart: Restart, shop: Path) -> None:
    data = json.loads(restart("plan", "shop.yml", "--limit", "web-*,!web-03", "--format", "json").out)
    hosts = {move["host"] for wave in data["waves"] for move in wave["moves"]}
    assert hosts == {"web-01", "web-02", "web-04", "web-05", "web-06"}
    assert restart("plan", "shop.yml", "--limit", "nobody-*").code in (2, 4)


def test_whole_site_maintenance_is_planned_as_shutdown_and_cold_start(restart: Restart, shop: Path) -> None:
    said = restart("plan", "shop.yml", "--mode", "stop-start", "--format", "json")
    assert said.code == 0
    waves = json.loads(said.out)["waves"]
    assert list(dict.fromkeys(wave.get("mode") for wave in waves)) == ["shutdown", "cold-start"]
    unknown = restart("plan", "shop.yml", "--mode", "stop-and-go")
    assert (unknown.code, "there is no mode stop-and-go" in unknown.err) == (4, True)


def test_barriers_are_compared(restart: Restart, shop: Path) -> None:
    data = json.loads(restart("plan", "shop.yml", "--compare-barriers", "--format", "json").out)
    assert data["makespan_s"]["service"] <= data["makespan_s"]["fleet"]
    assert "times as long" in restart("plan", "shop.yml", "--compare-barriers").out


def test_explain_tells_the_wave_and_knows_what_was_meant(restart: Restart, shop: Path) -> None:
    assert "wave" in restart("explain", "shop.yml", "web-04").out
    assert json.loads(restart("explain", "shop.yml", "db-2", "--format", "json").out)["why"]
    said = restart("explain", "shop.yml", "web-4")
    assert said.code == 2
    assert "did you mean web-04?" in said.err


def test_the_graph_is_drawn_in_every_form(restart: Restart, shop: Path, tmp_path: Path) -> None:
    assert "requires  db" in restart("graph", "shop.yml").out
    assert restart("graph", "shop.yml", "--format", "mermaid").out.startswith("flowchart LR\n")
    assert restart("graph", "shop.yml", "--format", "dot").out.startswith('digraph "shop" {')
    assert json.loads(restart("graph", "shop.yml", "--format", "json").out)["fleet"] == "shop"
    assert restart("graph", "shop.yml", "--format", "dot", "-o", "g.dot").out == ""
    assert (tmp_path / "g.dot").read_text(encoding="utf-8").startswith("digraph")


def test_without_graphviz_it_says_so(restart: Restart, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    said = restart("graph", "shop.yml", "--format", "svg")
    assert said.code == 2
    assert "Graphviz" in said.err


def test_the_schema_is_json(restart: Restart) -> None:
    assert json.loads(restart("schema").out)["$schema"].startswith("https://json-schema.org/")


def test_the_runbook_is_printed(restart: Restart, shop: Path) -> None:
    assert restart("plan", "shop.yml", "--format", "markdown").out.startswith("# Runbook: rolling restart of shop\n")


@pytest.mark.parametrize("form", ["text", "jsonl"])
def test_who_will_not_be_off_in_time_is_said_before_a_shutdown_begins(restart: Restart, shop: Path, form: str) -> None:
    shutdown = (
        "run",
        "shop.yml",
        "--mode",
        "shutdown",
        "--no-survey",
        "--reason",
        "on battery",
        "--yes",
        "--format",
        form,
    )
    said = restart(*shutdown, "--within", "90s")
    assert said.code == 4  # the number of hosts is not confirmed: nothing has begun
    shown = " ".join((said.out if form == "text" else said.err).split())
    assert "TIME 4 of 10 hosts will not be off within 1m30s: db-1, db-2, db-3, gate-1" in shown
    assert "TIME" not in restart(*shutdown, "--within", "12m").out


def test_of_a_saved_shutdown_the_time_that_is_left_counts(
    restart: Restart, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for age_s, late in ((0, False), (600, True), (100_000, True)):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(time.time()) - age_s))
        made = restart("plan", "shop.yml", "--mode", "shutdown", "--within", "12m", "-o", "off.json")
        assert (made.code, "will not be off" in made.out) == (0, False)
        said = restart("run", "off.json", "--reason", "on battery", "--yes")
        shown = " ".join(said.out.split())
        assert ("hosts will not be off in time" in shown) is late, shown
        if age_s == 600:
            assert "TIME 4 of 10 hosts will not be off in time: of the 12m that this plan was made with 10m" in shown
            assert "are left: db-[1-3], gate-1" in shown


def test_the_look_before_a_shutdown_takes_its_time_of_what_is_left(shop: Path) -> None:
    inventory = rooms.read_inventory(shop, rooms.gates())
    shape = rooms.Shape(mode="shutdown", within="12m")
    assert rooms.make_plan(inventory, shape, None).within_s == 720.0
    assert rooms.make_plan(inventory, shape, None, looked_s=40.9).within_s == 680.0
    assert rooms.make_plan(inventory, shape, None, looked_s=800.0).within_s == 1.0
