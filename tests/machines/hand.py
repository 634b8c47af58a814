"""A root shell on one machine that stays open, by which defects are planted and mended. A log-in for each would cost seconds under emulation."""

from __future__ import annotations

import subprocess
from typing import Self

from tests.machines.lab import Lab


class Hand:
    """A context manager; its log-in ends with it."""

    def __init__(self, lab: Lab, name: str) -> None:
        words = lab.inside("ssh", "-F", lab.folder / "ssh_config", name, "exec bash")
        self._shell = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.close()
        try:
            self._shell.wait(20)
        except subprocess.TimeoutExpired:
            self._shell.kill()
            self._shell.wait()
        self._shell.stdout.close()

    def begin(self, text: str) -> None:
        """Let the machine do `text`; several may do so at once. What it began may go on after it."""
        assert self._shell.stdin is not None
        self._shell.stdin.write(f'(\nset -e\n{text}\n) </dev/null 2>&1\necho "=== $?"\n')
        self._shell.stdin.flush()

    def end(self) -> str:
        """What it printed. Raises `AssertionError` where it failed."""
        assert self._shell.stdout is not None
        said = []
        for line in self._shell.stdout:
            if line.startswith("=== "):
                assert line == "=== 0\n", "".join(said)
                return "".join(said)
            said.append(line)
        raise AssertionError(f"the log-in ended: {''.join(said)}")

    def do(self, text: str) -> str:
        """`begin` and `end`."""
        self.begin(text)
        return self.end()
