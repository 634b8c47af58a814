"""The demo's fleet as its owner sees it: start it, look at it, stop it. The servers themselves are in `__main__`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import restart
from restart.demo.ending import remove
from restart.demo.layout import ADDRESS, Files, Shape
from restart.demo.site import Physics
from restart.errors import RestartError

START_WITHIN_S = 30.0
STOP_WITHIN_S = 10.0


class DemoFleet:
    """A running fleet in a process of its own. It ends with `close`, and by itself when this process ends, however.

    `hosts` maps each host to its service; `inventory_path` is its inventory; `board_url` where its health pages are.
    """

    def __init__(
        self, *, shape: Shape | None = None, physics: Physics | None = None, parent: Path | None = None
    ) -> None:
        """Starts it and returns when every host answers; `parent`: where its folder is made (default: the system's).

        Raises `RestartError` when it does not come up within `START_WITHIN_S`.
        """
        shape = shape or Shape()
        self.hosts = shape.hosts()
        # mkdtemp makes it for its owner only: a private key will lie in it.
        self.files = Files(folder=Path(tempfile.mkdtemp(prefix="restart-demo-", dir=parent)).resolve())
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  it is open as long as the child may write to it
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "restart.demo",
                json.dumps(asdict(shape)),
                json.dumps(asdict(physics or Physics())),
                str(self.files.folder),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=_environment(),
            # Its own session: a Ctrl-C in the terminal is for the run, which must find its hosts still there.
            start_new_session=True,
        )
        try:
            ready = self._ready()
        except BaseException:
            self.close()
            raise
        self.inventory_path = self.files.inventory
        self._board_port = int(ready["board"])
        self.board_url = f"http://{ADDRESS}:{self._board_port}"

    @property
    def folder(self) -> Path:
        """Everything the fleet has on disk; removed when it ends."""
        return self.files.folder

    @property
    def pid(self) -> int:
        """The process that the servers live in."""
        return self._process.pid

    def state(self) -> dict[str, Any]:
        """The board's whole state at this moment; see `restart.demo.__main__`."""
        board = HTTPConnection(ADDRESS, self._board_port, timeout=10)
        try:
            board.request("GET", "/state")
            return dict(json.loads(board.getresponse().read()))
        except OSError as error:
            raise RestartError(f"the demo's fleet does not answer: {error}", remedy="start the demo again") from error
        finally:
            board.close()

    def wait(self) -> None:
        """Until the fleet ends; a Ctrl-C comes through as KeyboardInterrupt."""
        self._process.wait()

    def close(self) -> None:
        """Stop every server and process and remove the folder. May be called again."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()
        # The child has done that; this is for a child that could not. Its session has its number.
        remove(self.folder, self._process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ready(self) -> dict[str, Any]:
        """The child's one line; ends the child when it takes too long, which ends the reading."""
        alarm = threading.Timer(START_WITHIN_S, self._process.kill)
        alarm.start()
        try:
            line = self._process.stdout.readline() if self._process.stdout is not None else b""
        finally:
            alarm.cancel()
            alarm.join()
        if line:
            return dict(json.loads(line))
        self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        raise RestartError(
            f"the demo's fleet did not start: {said[-1] if said else f'exit status {self._process.returncode}'}",
            remedy="it needs free ports on 127.0.0.1 and a writable temporary folder",
        )


def _environment() -> dict[str, str]:
    """Ours, and where this very package is: the child must run the same one, installed or not."""
    home = str(Path(restart.__file__).resolve().parent.parent)
    known = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([home, known] if known else [home])}
