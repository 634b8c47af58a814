"""The command line in this process and in one of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from restart.cli.main import call
from restart.model.answer import NoAnswer
from restart.model.inventory import Inventory
from restart.model.question import Shell, ShellReply
from restart.transports import ssh

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


Hangs = Callable[[str, ShellReply | NoAnswer], None]


@pytest.fixture
def ctrl_c_while_it_hangs(monkeypatch: pytest.MonkeyPatch) -> Hangs:
    """Called with the name of a host that hangs and with what every other one answers at once; a Ctrl-C comes two seconds later."""

    def begin(hanging: str, answer: ShellReply | NoAnswer) -> None:
        never = threading.Event()

        class Pool:
            def __init__(self, inventory: Inventory) -> None:
                pass

            def run(self, shell: Shell) -> ShellReply | NoAnswer:
                if shell.host == hanging:
                    never.wait(60)
                return answer

            def close(self) -> None:
                threading.Timer(1.0, never.set).start()

        def interrupt() -> None:
            time.sleep(2.0)
            signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(ssh, "SshPool", Pool)
        threading.Thread(target=interrupt, daemon=True).start()

    return begin
