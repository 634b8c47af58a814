"""The documents tell the truth: their examples run, their links lead somewhere, their lists are whole."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from restart.cli.main import cli
from restart.demo import demo
from restart.demo.layout import Shape

ROOT = Path(__file__).parent.parent
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = [
    line.removeprefix("$ ")
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a reader of the README has it: the inventories and playbooks of the repository, and nothing else."""
    folder = tmp_path_factory.mktemp("readme")
    for name in ("inventories", "playbooks"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


def test_every_example_of_the_readme_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RESTART_STORE", str(folder / "store.db"))
    # In their order: one uses what another has written.
    for example in EXAMPLES:
        program, *words = shlex.split(example)
        assert program == "restart"
        result = CliRunner().invoke(cli, words)
        assert result.exit_code == 0, f"{example}: {result.exception!r}\n{result.output}"


def test_the_readme_has_examples() -> None:
    assert len(EXAMPLES) >= 6


def test_the_readme_lists_every_command() -> None:
    table = README.split("## Commands")[1].split("##")[0]
    listed = re.findall(r"^\| `([a-z]+)` \|", table, re.MULTILINE)
    assert sorted(listed) == sorted(cli.list_commands(click.Context(cli)))


def test_the_smallest_inventory_of_the_readme_is_the_one_that_is_shipped(folder: Path) -> None:
    shown = README.split("```yaml\n")[1].split("```")[0].split("\n", 1)[1]
    shipped = (ROOT / "inventories/minimal.yml").read_text(encoding="utf-8")
    assert shown.strip() == shipped.strip()


NIGHT = [
    line.removeprefix("$ ")
    for line in README.split("```shell-session\n")[1].split("```")[0].splitlines()
    if line.startswith("$ ")
]


@pytest.mark.e2e
def test_the_night_after_a_power_cut_goes_as_the_readme_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with demo.start(tmp_path, shape=Shape(db=1, queue=0, cache=0, app=2, lb=0)) as fleet:
        # app-1 is up with a dead service: its check says so until the host has booted anew.
        young = "read u x <$RESTART_PROC/uptime && [ ${u%%.*} -lt 3600 ] || [ {host} != app-1 ]"
        quick = {"healthy_for": "100ms", "every": "100ms", "within": "15s"}
        data = yaml.safe_load(fleet.inventory_path.read_text(encoding="utf-8"))
        data["services"] = {
            "db": {"hosts": "db-*", "ready": [{"ssh": dict(quick)}]},
            "app": {"hosts": "app-*", "ready": [{"command": {"run": young, **quick}}], "depends_on": {"db": {}}},
        }
        data.pop("watch", None)
        (fleet.inventory_path.parent / "site.yml").write_text(json.dumps(data), encoding="utf-8")
        monkeypatch.chdir(fleet.inventory_path.parent)
        monkeypatch.setenv("RESTART_STORE", str(tmp_path / "store.db"))
        assert len(NIGHT) == 6
        for command in NIGHT:
            result = CliRunner().invoke(cli, shlex.split(command)[1:])
            assert result.exit_code == 0, (command, result.output)
        assert {host for host, count in demo.boots(fleet).items() if count} == {"app-1"}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    missing = [link for link in links if not (ROOT / link).exists()]
    assert missing == []
    if name == "ARCHITECTURE.md":
        assert len(links) > 20
