from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_the_kept_demo_says_what_to_try_and_goes_with_ctrl_c() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "restart", "demo", "--keep"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line.strip())
            if "Ctrl-C here" in line:
                break
        (tried,) = (line.split()[2] for line in lines if line.startswith("restart validate "))
        assert Path(tried).is_file()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert "The fleet is gone." in out
    assert process.returncode == 0
    assert not Path(tried).exists()


def test_two_demos_at_once_are_not_offered(restart: Callable[..., Any]) -> None:
    assert restart("demo", "--naive", "--keep").code == 2
    assert restart("demo", "--naive", "--format", "jsonl").code == 2
