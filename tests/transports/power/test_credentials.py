"""Passwords: where they may come from, and that they leave in no message and no child's environment."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from restart.model.answer import NoAnswer
from restart.model.inventory import Host
from restart.model.playbook import PowerControl
from restart.transports.power.credentials import Secret, password, take_over


def asked(**params: Any) -> Secret | NoAnswer:
    host = Host(name="web-1", address="127.0.0.1", power=PowerControl(method="ipmi", params=params))
    return password(host, 5.0)


def refusal(**params: Any) -> str:
    answer = asked(**params)
    assert isinstance(answer, NoAnswer)
    assert answer.reason == "auth"
    return answer.detail


def test_from_the_environment_which_no_child_inherits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMC_TEST_1", "pa ss")
    assert asked(password_env="BMC_TEST_1") == Secret("pa ss")
    assert "BMC_TEST_1" not in os.environ
    seen = subprocess.run(["env"], capture_output=True, text=True, check=True).stdout
    assert "BMC_TEST_1" not in seen
    # It is kept for the next call, and a new one replaces it.
    assert asked(password_env="BMC_TEST_1") == Secret("pa ss")
    monkeypatch.setenv("BMC_TEST_1", "other")
    take_over(["BMC_TEST_1", "BMC_TEST_NEVER_SET"])
    assert asked(password_env="BMC_TEST_1") == Secret("other")


def test_a_variable_that_is_not_set_is_named() -> None:
    assert refusal(password_env="BMC_TEST_UNSET") == "the environment variable BMC_TEST_UNSET is not set"


def test_from_the_first_line_of_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    file = tmp_path / "pw"
    file.write_text("first\nsecond\n", encoding="utf-8")
    file.chmod(0o600)
    assert asked(password_file=str(file)) == Secret("first")
    file.chmod(0o400)
    assert asked(password_file=str(file)) == Secret("first")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "pw"
    file.write_text("first\n", encoding="utf-8")
    file.chmod(mode)
    said = refusal(password_file=str(file))
    assert said == f"password_file {file} may be read by others (mode {mode:o}): chmod 600 {file}"


def test_a_file_that_is_none_or_empty_is_told(tmp_path: Path) -> None:
    assert refusal(password_file=str(tmp_path / "gone")).endswith("gone: No such file or directory")
    assert refusal(password_file=str(tmp_path)).endswith("is not a file")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    assert refusal(password_file=str(fifo)).endswith("is not a file")
    empty = tmp_path / "empty"
    empty.touch(0o600)
    assert refusal(password_file=str(empty)).endswith("gives no password in its first line")


def test_from_a_command_in_which_the_host_is_filled() -> None:
    assert asked(password_command="echo pw-of-{host}; echo more") == Secret("pw-of-web-1")


def test_what_a_failing_command_printed_is_not_told() -> None:
    said = refusal(password_command="echo half-a-secret; echo half-a-secret >&2; exit 4")
    assert said == "password_command ended with 4"


def test_a_command_that_hangs_is_given_up() -> None:
    host = Host(name="a", address="a", power=PowerControl(method="ipmi", params={"password_command": "sleep 60"}))
    answer = password(host, 0.3)
    assert isinstance(answer, NoAnswer)
    assert "still running after 0.3 s" in answer.detail


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret("mark-er")
    assert "mark-er" not in f"{secret!r} {secret} {[secret]}"
    assert secret.struck_from("401: user mark-er is unknown") == "401: user *** is unknown"
