"""`restart run` where no host would move: either all are well, or it says that nobody knows."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

Restart = Callable[..., Any]


def test_a_fleet_of_which_nobody_can_say_how_it_is_is_no_fleet_with_nothing_to_do(
    restart: Restart, tmp_path: Path
) -> None:
    with socket.socket() as taken:  # bound and not listening: the port is refused
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        hosts = f"web-[1-2]: {{address: 127.0.0.1, ssh: {{port: {port}}}}}"
        services = "web: {hosts: web-*, max_unavailable: 1}"
        file = tmp_path / "dark.yml"
        file.write_text(f"version: 1\nfleet: dark\nhosts:\n  {hosts}\nservices:\n  {services}\n", encoding="utf-8")
        said = restart("run", "dark.yml", "--reason", "x")
    assert said.code == 4
    assert "Nothing to restart" not in said.out
    told = " ".join(said.err.split())
    assert "nothing would be restarted in dark, and nobody can say how 2 hosts are: web-1, web-2" in told
    assert "--since TIME tells silent hosts from stuck ones" in told
