"""The command line in this process and in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from restart.cli.main import call

INVENTORY = """\
version: 1
fleet: shop
defaults: {ssh: {user: ops}, expect: {boot: 3m}}
hosts:
  gate-1: {address: 10.0.0.1}
  db-[1-3]: {address: "10.0.1.[1-3]"}
  web-[01-06]: {address: "10.0.2.[1-6]", ssh: {user: ops, gateway: gate-1}}
services:
  db: {hosts: db-*, min_available: quorum, ready: [{tcp: 5432}]}
  web: {hosts: web-*, max_unavailable: 2, depends_on: {db: {kind: requires}}}
policy: {confirm_above: 50%}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command line came to."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _own_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, a store of its own, a fixed time, no terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESTART_STORE", str(tmp_path / "store" / "store.db"))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795306200")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("RESTART_DEBUG", raising=False)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A small fleet's inventory, in the current folder."""
    file = tmp_path / "shop.yml"
    file.write_text(INVENTORY, encoding="utf-8")
    return file


@pytest.fixture
def restart(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """`restart("plan", "shop.yml")` in this process."""

    def run(*arguments: str) -> Said:
        capsys.readouterr()
        code = call(arguments)
        out, err = capsys.readouterr()
        return Said(code=code, out=out, err=err)

    return run


@pytest.fixture
def process() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`process("plan", "shop.yml")` in a process of its own, without a terminal."""

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "restart", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **more},
        )

    return run
