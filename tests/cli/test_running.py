"""The commands that change hosts, on the demo's fleet: real SSH servers on the loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from restart.demo import demo
from restart.demo.fleet import DemoFleet
from restart.demo.layout import Shape
from restart.demo.site import Physics

pytestmark = pytest.mark.e2e

Restart = Callable[..., Any]

FAST = Physics(
    boot_s=dict.fromkeys(("db", "app"), 0.2),
    crash_recovery_s=0.3,
    follow_s=0.1,
    sync_s=0.1,
    dep_timeout_s=5.0,
    login_rate=2500.0,
)
RUN = ("--reason", "kernel", "--yes-hosts", "3")


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[DemoFleet]:
    """One database and two applications."""
    shape = Shape(db=1, queue=0, cache=0, app=2, lb=0)
    with demo.start(tmp_path, shape=shape, physics=FAST) as running:
        yield running


@pytest.fixture
def inventory(fleet: DemoFleet) -> str:
    """The same hosts with quicker questions, so that a run takes seconds; beside the fleet's own, to share its playbooks."""
    data = yaml.safe_load(fleet.inventory_path.read_text(encoding="utf-8"))
    quick = [{"ssh": {"healthy_for": "100ms", "every": "100ms", "timeout": "5s", "within": "15s"}}]
    data["services"] = {
        "db": {"hosts": "db-*", "ready": quick},
        "app": {"hosts": "app-*", "ready": quick, "max_unavailable": 2, "depends_on": {"db": {"kind": "requires"}}},
    }
    data["policy"] = {"confirm_above": "10%", "canaries": 0, "pace": "fixed"}
    data.pop("watch", None)
    data["defaults"]["playbook"] = "quick"
    book = {"version": 1, "name": "quick", "restart": [{"reboot": {"down_within": "3s", "back_within": "20s"}}]}
    (fleet.inventory_path.parent / "playbooks" / "quick.yml").write_text(json.dumps(book), encoding="utf-8")
    file = fleet.inventory_path.with_name("quick.yml")
    file.write_text(json.dumps(data, indent=1), encoding="utf-8")
    return str(file)


class Running:
    """`restart ...` in a process of its own, its lines as they come."""

    def __init__(self, *arguments: str) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "restart", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def until(self, *words: str) -> str:
        """Read on to the line that holds one of `words`."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if any(word in line for word in words):
                return line
        raise AssertionError(f"it ended before {words}: {self.lines} {self.err()}")

    def err(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def end(self) -> tuple[int, str, str]:
        """Its exit code, all its output and its errors."""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, "\n".join(self.lines) + "\n" + out, err


def boots(fleet: DemoFleet) -> set[int]:
    return set(demo.boots(fleet).values())


def test_a_run_restarts_every_host_once_and_tells_how_it_went(
    restart: Restart, fleet: DemoFleet, inventory: str
) -> None:
    done = restart("run", inventory, *RUN)
    assert done.code == 0, done.out
    assert boots(fleet) == {1}
    assert "db-1: rebooting" in done.out
    assert "DONE" in done.out
    assert "CPU time for each host" in done.out
    report = restart("report")
    assert report.code == 0
    assert "3 of 3 hosts done" in report.out
    assert restart("report", "--format", "markdown").out.startswith("# Run ")
    assert "What to do next" not in report.out
    data = json.loads(restart("report", "--format", "json").out)
    assert (data["state"], data["exit_code"], data["reason"]) == ("done", 0, "kernel")
    assert [row["seq"] for row in data["journal"]] == list(range(1, len(data["journal"]) + 1))
    assert {host["phase"] for host in data["hosts"]} == {"done"}
    assert all(host["boot_before"] != host["boot_after"] for host in data["hosts"])
    assert all(host["down_s"] > 0 for host in data["hosts"])
    history = json.loads(restart("history", "--format", "json").out)
    assert history["runs"][0]["state"] == "done"
    assert len(history["samples"]) == 3
    assert "kernel" in restart("history").out
    assert restart("status").out.startswith(f"Run {data['run']} of ")
    assert restart("attach").code == 0
    for word in ("pause", "go", "stop"):
        refused = restart(word)
        assert (refused.code, "(" in refused.err) == (2, True)
    nothing_left = restart("resume", data["run"])
    assert nothing_left.code == 2
    assert "nothing is left of it" in nothing_left.err
    assert restart("resume").code == 2


def test_lines_of_json_are_the_journals_rows(
    restart: Restart, fleet: DemoFleet, inventory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = restart("run", inventory, *RUN, "--format", "jsonl")
    assert done.code == 0, done
    rows = [json.loads(line) for line in done.out.splitlines()]
    journal = json.loads(restart("report", "--format", "json").out)["journal"]
    assert rows == journal
    assert {"started", "run_started", "booted", "run_ended"} <= {row["event"] for row in rows}
    assert "This restarts 3 hosts" in done.err
    followed = restart("attach", "--format", "jsonl")
    assert [json.loads(line) for line in followed.out.splitlines()] == journal
    monkeypatch.setattr("restart.cli.rooms.is_drawable", lambda stream: True)
    monkeypatch.setenv("NO_COLOR", "1")
    drawn = restart("attach")
    assert "3 of 3 hosts" in drawn.out
    assert "\x1b[?25l" in drawn.out, "it draws: the cursor is hidden"
    assert "\x1b[3" not in drawn.out, "and without colours"


def test_nothing_is_touched_before_it_is_meant(restart: Restart, fleet: DemoFleet, inventory: str) -> None:
    for arguments, code in (
        (("--dry-run",), 0),
        ((), 2),
        (("--reason", " "), 2),
        (("--reason", "x"), 4),
        (("--reason", "x", "--yes"), 4),
        (("--reason", "x", "--yes-hosts", "4"), 4),
        (("--reason", "x", "--yes", "--until-wave", "99"), 2),
        (("--reason", "x", "--yes-hosts", "3", "--yes-path", "nobody"), 2),
        (("--reason", "x", "--yes-hosts", "3", "--mode", "sideways"), 4),
    ):
        assert restart("run", inventory, *arguments).code == code, arguments
    assert boots(fleet) == {0}
    assert not Path(os.environ["RESTART_STORE"]).exists()


def test_a_changed_inventory_beside_a_saved_plan_is_drift(
    restart: Restart, fleet: DemoFleet, inventory: str, tmp_path: Path
) -> None:
    restart("plan", inventory, "-o", "p.json", "--canaries", "0", "--barrier", "service")
    assert restart("run", "p.json", "--inventory", inventory, "--dry-run").code == 0
    file = Path(inventory)
    file.write_text(file.read_text(encoding="utf-8").replace('"10%"', '"20%"'), encoding="utf-8")
    said = restart("run", "p.json", "--inventory", inventory, *RUN)
    assert said.code == 8
    assert "is no longer the inventory" in said.err
    assert boots(fleet) == {0}


def test_ctrl_c_finishes_what_is_in_flight_and_resume_goes_on(
    restart: Restart, fleet: DemoFleet, inventory: str
) -> None:
    run = Running("run", inventory, *RUN)
    run.until("db-1: rebooting")
    run.process.send_signal(signal.SIGINT)
    code, out, err = run.end()
    assert code == 6, (out, err)
    assert "finishing what is in flight" in err
    assert "db-1: done" in out
    assert "restart resume" in out
    assert sorted(demo.boots(fleet).values()) == [0, 0, 1]
    dry = restart("resume", "--dry-run")
    assert dry.code == 0
    assert "Nothing was touched" in dry.out
    done = restart("resume")
    assert done.code == 0, done
    assert boots(fleet) == {1}
    assert "resumed 1 time" in done.out


def test_ctrl_c_twice_lets_go_at_once_and_no_host_is_restarted_twice(
    restart: Restart, fleet: DemoFleet, inventory: str
) -> None:
    run = Running("run", inventory, *RUN)
    run.until("db-1: rebooting")
    run.process.send_signal(signal.SIGINT)
    run.until("stopping")
    run.process.send_signal(signal.SIGINT)
    code, out, err = run.end()
    assert code == 6, (out, err)
    assert "letting go at once" in err
    assert restart("resume").code == 0
    assert boots(fleet) == {1}


def test_a_killed_run_is_interrupted_and_resumed(restart: Restart, fleet: DemoFleet, inventory: str) -> None:
    run = Running("run", inventory, *RUN)
    run.until("db-1: done")
    run.process.kill()
    run.end()
    assert "INTERRUPTED" in restart("status").out
    second = restart("run", inventory, *RUN)
    assert second.code == 7
    assert "was cut off" in second.err
    assert restart("resume").code == 0
    assert boots(fleet) == {1}


def test_what_was_cut_off_is_found_and_finished_without_its_name(
    restart: Restart, fleet: DemoFleet, inventory: str
) -> None:
    nothing = restart("resume", "--unfinished")
    assert (nothing.code, nothing.out) == (0, "No run was cut off.\n")
    run = Running("run", inventory, *RUN)
    run.until("db-1: done")
    run.process.kill()
    run.end()
    assert restart("resume", "--unfinished", "some-run").code == 2
    meant = restart("resume", "--yes-hosts", "3")
    assert (meant.code, "goes on with what was confirmed when it began" in meant.err) == (2, True), meant
    assert restart("resume", "--unfinished").code == 0
    assert boots(fleet) == {1}
    assert restart("resume", "--unfinished").out == "No run was cut off.\n"


def test_what_was_paused_before_it_was_cut_off_is_left_to_a_person(
    restart: Restart, fleet: DemoFleet, inventory: str
) -> None:
    run = Running("run", inventory, *RUN)
    run.until("its restart begins")
    assert restart("pause", "--reason", "lunch").code == 0
    run.until("paused")
    run.until("db-1: done")
    run.process.kill()
    run.end()
    said = restart("resume", "--unfinished")
    assert said.code == 2
    assert "was paused before it was cut off" in said.err


@pytest.mark.parametrize("mode", ["shutdown", "stop-start"])
def test_a_shutdown_that_was_cut_off_is_not_gone_on_with_now_that_there_is_power(
    restart: Restart, fleet: DemoFleet, inventory: str, mode: str
) -> None:
    run = Running("run", inventory, *RUN, "--no-survey", "--mode", mode)
    run.until("app-1:")
    run.process.kill()
    run.end()
    said = restart("resume", "--unfinished")
    assert said.code == 2, said
    assert "was switching hosts off when it was cut off, and this machine has power again" in said.err
    assert "--mode cold-start" in said.err


def test_a_run_that_was_killed_can_be_given_up(restart: Restart, fleet: DemoFleet, inventory: str) -> None:
    run = Running("run", inventory, *RUN)
    run.until("its restart begins")
    run.process.kill()
    run.end()
    assert "is given up now" in restart("stop", "--reason", "wrong fleet").out
    assert json.loads(restart("status", "--format", "json").out)["state"] == "stopped"


def test_another_process_watches_pauses_and_is_refused(restart: Restart, fleet: DemoFleet, inventory: str) -> None:
    run = Running("run", inventory, *RUN)
    run.until("its restart begins")
    said = restart("pause", "--reason", "lunch", "--format", "json")
    assert said.code == 0, said
    run.until("paused")
    # Nobody looks first: a host that the first run has down just then would be told before who holds the fleet.
    second = restart("run", inventory, *RUN, "--no-survey")
    assert second.code == 7
    assert "is held by" in second.err
    assert "since" in second.err
    status = json.loads(restart("status", "--format", "json").out)
    assert status["exit_code"] is None
    assert "Nothing was said" in restart("go", "--dry-run").out
    attached = Running("attach")
    attached.until("its restart begins")
    assert restart("go").code == 0
    assert attached.end()[0] == 0
    code, out, err = run.end()
    assert code == 0, (out, err)
    assert boots(fleet) == {1}


def test_a_part_of_the_waves_and_then_the_rest(restart: Restart, fleet: DemoFleet, inventory: str) -> None:
    assert restart("plan", inventory, "-o", "p.json").code == 0
    first = restart("run", "p.json", *RUN[:2], "--until-wave", "1", "--yes-hosts", "1")
    assert first.code == 6, first
    assert "stops after wave 1" in first.out
    assert sorted(demo.boots(fleet).values()) == [0, 0, 1]
    unasked = restart("resume")
    assert unasked.code == 4, unasked
    assert "2 hosts beyond wave 1 were not confirmed yet" in unasked.err
    assert "--yes-hosts NUMBER" in unasked.err
    assert restart("resume", "--yes-hosts", "3").code == 4
    assert sorted(demo.boots(fleet).values()) == [0, 0, 1]
    rest = restart("resume", "--yes-hosts", "2")
    assert rest.code == 0, rest
    assert "This restarts 2 hosts" in rest.out
    assert boots(fleet) == {1}


def test_a_reader_that_leaves_does_not_stop_the_run(restart: Restart, fleet: DemoFleet, inventory: str) -> None:
    run = Running("run", inventory, *RUN)
    run.until("its restart begins")
    assert run.process.stdout is not None
    assert run.process.stderr is not None
    run.process.stdout.close()
    err = run.process.stderr.read()
    run.process.stderr.close()
    assert (run.process.wait(60), err) == (0, "")
    assert boots(fleet) == {1}


def test_words_to_a_run_name_what_they_can_be_about(restart: Restart, fleet: DemoFleet, inventory: str) -> None:
    assert restart("run", inventory, *RUN[:2], "--until-wave", "1", "--yes-hosts", "1").code == 6
    run = json.loads(restart("status", "--format", "json").out)["run"]
    assert "waits for these approvals: none" in restart("approve", run).err
    assert "does not wait for an approval named 'db'" in restart("approve", run, "db").err
    done = restart("resolve", run, "db-1", "--retry", "--reason", "x")
    assert done.code == 2
    assert "db-1 is done" in done.err
    assert restart("resolve", run, "nobody", "--skip", "--reason", "x").code == 2
    assert restart("resolve", run, "app-1", "--reason", "x").code == 2
    dry = restart("resolve", run, "app-1", "--skip", "--reason", "x", "--dry-run")
    assert (dry.code, "Nothing was said" in dry.out) == (0, True)
    kept = restart("resolve", run, "app-1", "--skip", "--reason", "broken disk")
    assert "Kept for run" in kept.out
    assert restart("status", "no-such-run").code == 2
    ended = restart("resume", "--yes-hosts", "2")
    assert ended.code == 9, ended
    assert demo.boots(fleet)["app-1"] == 0
    assert "app-1: skipped" in ended.out


def test_a_host_that_is_not_well_halts_the_run_until_it_is_mended(
    restart: Restart, fleet: DemoFleet, inventory: str, tmp_path: Path
) -> None:
    well = tmp_path / "well"
    data = json.loads(Path(inventory).read_text(encoding="utf-8"))
    question = {"run": f"test -e {well}", "on": "controller", "healthy_for": "100ms", "every": "100ms", "within": "5s"}
    data["services"]["db"]["ready"] = [{"command": question}]
    Path(inventory).write_text(json.dumps(data), encoding="utf-8")
    halted = restart("run", inventory, *RUN, "--no-survey")
    assert halted.code == 5, halted.out
    assert "HALTED" in halted.out
    assert "db-1: quarantined" in halted.out
    run = json.loads(restart("status", "--format", "json").out)
    assert [host["host"] for host in run["quarantined"]] == ["db-1"]
    assert {command for step in run["next"] for command in step["commands"]} == {
        f"restart resolve {run['run']} db-1 --retry --reason '...'",
        f"restart resume {run['run']}",
    }
    well.touch()
    assert restart("resolve", run["run"], "db-1", "--done", "--reason", "made the file").code == 0
    done = restart("resume")
    assert done.code == 0, done.out
    assert boots(fleet) == {1}


def test_a_run_that_waits_for_a_person_is_seen_and_helped_from_outside(
    restart: Restart, fleet: DemoFleet, inventory: str
) -> None:
    data = json.loads(Path(inventory).read_text(encoding="utf-8"))
    data["services"]["db"]["playbook"] = "asking"
    Path(inventory).write_text(json.dumps(data), encoding="utf-8")
    book = {
        "version": 1,
        "name": "asking",
        "drain": [{"approve": "is the backup done?"}],
        "restart": [{"reboot": {"down_within": "3s", "back_within": "20s"}}],
    }
    (fleet.inventory_path.parent / "playbooks" / "asking.yml").write_text(json.dumps(book), encoding="utf-8")
    run = Running("run", inventory, *RUN)
    run.until("waits for a person: is the backup done?")
    # Its last facts are not stored before the next event: whoever looks draws them again from the journal.
    status = json.loads(restart("status", "--format", "json").out)
    assert status["approvals_wanted"] == [{"target": "db-1", "text": "is the backup done?"}]
    attached = Running("attach")
    attached.until("waits for a person")
    assert "does not wait for an approval named 'app-1'" in restart("approve", status["run"], "app-1").err
    assert "Nothing was said" in restart("approve", status["run"], "--dry-run").out
    approved = restart("approve", status["run"], "--reason", "saw it")
    assert (approved.code, "has heard it" in approved.out) == (0, True), approved
    code, out, err = run.end()
    assert code == 0, (out, err)
    code, followed, _ = attached.end()
    assert code == 0
    assert followed.count("waits for a person") == 1
    assert boots(fleet) == {1}


def test_the_rest_of_a_run_is_planned_from_its_journal(restart: Restart, fleet: DemoFleet, inventory: str) -> None:
    assert restart("plan", inventory, "-o", "p.json").code == 0
    assert restart("run", "p.json", *RUN[:2], "--until-wave", "1", "--yes-hosts", "1").code == 6
    run = json.loads(restart("status", "--format", "json").out)["run"]
    rest = restart("plan", "--from", run, "--format", "json", "-o", "rest.json")
    assert rest.code == 0, rest.err
    plan = json.loads(Path("rest.json").read_text(encoding="utf-8"))
    done = {host for host, count in demo.boots(fleet).items() if count}
    assert {move["host"] for wave in plan["waves"] for move in wave["moves"]} == set(fleet.hosts) - done
    assert f"the rest of run {run}: 1 hosts are done there, 2 are left" in plan["notes"]
    assert restart("plan", "--from", run, "--limit", "x").code == 2
    assert restart("run", "rest.json", *RUN[:2], "--yes-hosts", "2").code == 0
    assert boots(fleet) == {1}
    nothing = restart("plan", "--from", json.loads(restart("status", "--format", "json").out)["run"])
    assert (nothing.code, "left nothing to do" in nothing.err) == (4, True)
    later = json.loads(restart("status", "--format", "json").out)["run"]
    again = restart("plan", "--from", run)
    assert again.code == 4, again.out
    assert f"after run {run} came run {later}, which took up 2 of the 2 hosts that it left" in again.err
    assert f"restart plan --from {later}" in again.err


def test_a_later_run_of_other_hosts_does_not_stand_in_the_way_of_the_rest(
    restart: Restart, fleet: DemoFleet, inventory: str
) -> None:
    assert restart("run", inventory, *RUN[:2], "--until-wave", "1", "--yes-hosts", "1").code == 6
    run = json.loads(restart("status", "--format", "json").out)["run"]
    done = next(host for host, count in demo.boots(fleet).items() if count)
    assert restart("run", inventory, *RUN[:2], "--limit", done, "--no-survey", "--yes-hosts", "1").code == 0
    rest = restart("plan", "--from", run)
    assert rest.code == 0, rest.err
