"""Runs of the command line under hooks, with real SSH servers and a real Alertmanager's API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from restart.demo.fleet import DemoFleet
from tests.cli.test_flags import Restart
from tests.cli.test_running import RUN, boots, fleet, inventory
from tests.monitoring import Monitoring, serving

__all__ = ["fleet", "inventory"]


def with_hooks(inventory: str, monitoring: Monitoring, folder: Path, **changes: Any) -> None:
    """Write hooks and a watch into the inventory: a shell hook on the controller, one on a host, and a silence."""
    data = json.loads(Path(inventory).read_text(encoding="utf-8"))
    data["hooks"] = [
        {
            "name": "scaler",
            "run": f"touch {folder}/paused",
            "undo": f"rm {folder}/paused",
            "why": "it would start others",
        },
        {"name": "remote", "run": "true", "undo": "true", "on": "db-1"},
        {"silence": {"alertmanager": monitoring.url, "matchers": ["team=db"], "comment": "patch night", "for": "1h"}},
    ]
    quick = {"timeout": "5s", "every": "200ms", "healthy_for": "100ms", "within": "3s"}
    data["watch"] = [{"alertmanager": {"url": monitoring.url, "alive": ["alertname=Watchdog"], **quick}}]
    data.update(changes)
    Path(inventory).write_text(json.dumps(data, indent=1), encoding="utf-8")


@pytest.mark.usefixtures("fleet")
def test_a_run_sets_its_hooks_first_and_takes_them_back_when_it_is_done(
    restart: Restart,
    fleet: DemoFleet,
    inventory: str,
    tmp_path: Path,
) -> None:
    with serving() as monitoring:
        monitoring.alerts.append({"alertname": "OldTrouble", "instance": "nas-1"})
        with_hooks(inventory, monitoring, tmp_path)
        planned = restart("plan", inventory)
        assert "before anything is touched, in this order: scaler" in " ".join(planned.out.split())
        done = restart("run", inventory, *RUN)
        assert done.code == 0, done.out
        assert boots(fleet) == {1}
        (silence,) = monitoring.silences.values()
        assert silence["status"]["state"] == "expired"
        assert silence["createdBy"].startswith("staged-restart/")
    assert not (tmp_path / "paused").exists()
    lines = done.out.splitlines()
    told = [line for line in lines if "hook " in line or "rebooting" in line]
    assert ["is set" in line for line in told[:3]] == [True] * 3
    assert ["is undone" in line for line in told[-3:]] == [True] * 3
    assert "OldTrouble on nas-1 known from before the run" in " ".join(done.out.split())


@pytest.mark.usefixtures("fleet")
def test_a_hook_that_fails_restarts_nothing_and_leaves_nothing_behind(
    restart: Restart,
    fleet: DemoFleet,
    inventory: str,
    tmp_path: Path,
) -> None:
    with serving() as monitoring:
        with_hooks(inventory, monitoring, tmp_path)
        data = json.loads(Path(inventory).read_text(encoding="utf-8"))
        data["hooks"][1]["run"] = "exit 7"
        Path(inventory).write_text(json.dumps(data), encoding="utf-8")
        done = restart("run", inventory, *RUN)
        assert monitoring.silences == {}
    assert done.code == 5
    assert "the hook remote could not be set: exit 7" in " ".join((done.out + done.err).split())
    assert boots(fleet) == {0}
    assert not (tmp_path / "paused").exists()


@pytest.mark.usefixtures("fleet")
def test_a_new_alert_halts_the_run_and_the_report_names_what_it_set(
    restart: Restart,
    inventory: str,
    tmp_path: Path,
) -> None:
    with serving() as monitoring:
        with_hooks(inventory, monitoring, tmp_path)
        data = json.loads(Path(inventory).read_text(encoding="utf-8"))
        # The last hook makes an alert fire that nobody knows.
        data["hooks"].append({"name": "trouble", "run": f"touch {tmp_path}/trouble"})
        Path(inventory).write_text(json.dumps(data), encoding="utf-8")
        answer = monitoring.answer

        def troubled(method: str, target: str, body: bytes) -> tuple[int, Any]:
            if (tmp_path / "trouble").exists() and len(monitoring.alerts) == 1:
                monitoring.alerts.append({"alertname": "QuorumLost", "severity": "page"})
            return answer(method, target, body)

        monitoring.answer = troubled  # type: ignore[method-assign]
        done = restart("run", inventory, *RUN)
        assert done.code == 5, done.out
        assert len(monitoring.standing()) == 1
        report = restart("report")
    told = " ".join(report.out.split())
    assert "QuorumLost (page)" in told
    assert "what it set stays in place: scaler, remote, hook-3" in told
    assert f"rm {tmp_path}/paused (on the controller)" in told
    assert "amtool silence expire s1" in told
    assert (tmp_path / "paused").exists()
