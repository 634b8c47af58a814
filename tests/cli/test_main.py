from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from restart.cli import rooms

Restart = Callable[..., Any]
Process = Callable[..., subprocess.CompletedProcess[str]]


def test_a_bug_is_one_line_and_a_file(
    restart: Restart, shop: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("wave")

    monkeypatch.setattr("restart.reports.plan_text.plan_text", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    said = restart("plan", "shop.yml")
    assert said.code == 1
    assert len(said.err.splitlines()) == 1
    assert "this is a bug in restart" in said.err
    (file,) = tmp_path.glob("restart-bug-*.txt")
    assert str(file) in said.err
    assert "Traceback" in file.read_text(encoding="utf-8")
    monkeypatch.setenv("RESTART_DEBUG", "1")
    assert "Traceback" in restart("plan", "shop.yml").err


def test_ctrl_c_outside_a_run_is_quiet(restart: Restart, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("restart.reports.plan_text.plan_text", interrupted)
    said = restart("plan", "shop.yml")
    assert (said.code, said.err) == (130, "restart: interrupted\n")


def test_a_gate_that_cannot_be_loaded_is_named(restart: Restart, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint(name="moon", value="nowhere.moon:gate", group="restart.gates")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: (broken,))
    said = restart("validate", "shop.yml")
    assert said.code == 2
    assert "moon" in said.err
    assert "nowhere.moon:gate" in said.err
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: ())
    assert "no gates are installed" in restart("validate", "shop.yml").err


def test_every_gate_of_ours_is_on_the_shelf() -> None:
    assert set(rooms.gates()) >= {"ssh", "tcp", "http", "command", "systemd", "boot", "prometheus", "approve"}


def test_a_reader_that_leaves_early_is_no_error(shop: Path) -> None:
    piped = subprocess.Popen(
        [sys.executable, "-m", "restart", "plan", "shop.yml"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert piped.stdout is not None
    assert piped.stderr is not None
    piped.stdout.close()
    err = piped.stderr.read()
    piped.stderr.close()
    assert (piped.wait(30), err) == (0, "")


def test_a_full_disk_is_told(shop: Path) -> None:
    if not os.path.exists("/dev/full"):
        return
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "restart", "plan", "shop.yml"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "restart: the output cannot be written: No space left on device (make room and try again)\n"


def test_output_in_a_pipe_is_plain(process: Process, shop: Path) -> None:
    done = process("plan", "shop.yml", TERM="xterm-256color", FORCE_COLOR="1")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout


def test_a_terminal_that_knows_only_ascii_crashes_nothing(process: Process, shop: Path) -> None:
    text = shop.read_text(encoding="utf-8").replace("fleet: shop", "fleet: lädchen")
    shop.write_text(text, encoding="utf-8")
    done = process("validate", "shop.yml", PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    assert done.returncode in (0, 3)
    assert "Traceback" not in done.stderr


def test_the_module_and_the_command_are_the_same(process: Process) -> None:
    done = process("--version")
    assert (done.returncode, done.stdout.startswith("restart, version ")) == (0, True)


@pytest.mark.parametrize("no_color", ["", "1"])
def test_colours_only_on_a_terminal_that_wants_them(shop: Path, no_color: str) -> None:
    master, slave = os.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": no_color, "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "restart", "validate", "shop.yml"]
    try:
        done = subprocess.run(command, stdout=slave, stderr=slave, stdin=slave, env=env, timeout=60, check=False)
        os.close(slave)
        shown = os.read(master, 65536).decode()
    finally:
        os.close(master)
    assert done.returncode == 0, shown
    assert "is valid" in shown
    assert ("\x1b[1m" in shown) is (no_color == "")
