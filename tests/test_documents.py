"""The documents tell the truth: their examples run, their links lead somewhere, their lists are whole."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from restart.cli.main import cli

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


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_readme_runs(example: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RESTART_STORE", str(folder / "store.db"))
    program, *words = shlex.split(example)
    assert program == "restart"
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output


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


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    missing = [link for link in links if not (ROOT / link).exists()]
    assert missing == []
    if name == "ARCHITECTURE.md":
        assert len(links) > 20
