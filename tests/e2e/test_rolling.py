"""Whole runs over real SSH: everything restarted once, in order, within its budgets, through a jump host."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.fleet import Fleet
from tests.e2e.inventories import http_ready, quick
from tests.e2e.tool import Tool

DBS = [f"db-{number}" for number in range(1, 4)]
CACHES = [f"cache-{number}" for number in range(1, 3)]
APPS = [f"app-{number:02}" for number in range(1, 26)]


def test_thirty_hosts_behind_a_jump_host_restart_once_each_in_order_and_within_their_budgets(tmp_path: Path) -> None:
    inner = [*DBS, *CACHES, *APPS]
    with Fleet(["jump", *inner], gateway="jump", service_s=0.2) as fleet:
        inventory = fleet.inventory(
            tmp_path / "inventory.yml",
            {
                "postgres": {"hosts": "db-*", "min_available": "quorum", "ready": http_ready()},
                "cache": {"hosts": "cache-*", "ready": http_ready()},
                "chat": {
                    "hosts": "app-*",
                    "max_unavailable": "30%",
                    "depends_on": {"postgres": {"kind": "requires"}, "cache": {"kind": "after"}},
                    "ready": http_ready(),
                },
            },
            limits={"fleet": {"max_in_flight": 8}},
        )
        tool = Tool(tmp_path / "laptop")
        with tool.run(inventory, "--yes-path", "jump", hosts=31) as run:
            assert run.end() == 0, run.account()
        assert fleet.restarts() == dict.fromkeys(["jump", *inner], 1)
        assert all(len(set(fleet.boots(host))) == 2 for host in inner)
        assert fleet.most_down(DBS) == 1
        assert fleet.most_down(CACHES) == 1
        assert 2 <= fleet.most_down(APPS) <= 7
        assert fleet.most_down(inner) <= 8

        def asked(hosts: list[str]) -> list[float]:
            return [fleet.log(host, "asked")[0].at for host in hosts]

        def back(hosts: list[str]) -> list[float]:
            return [fleet.log(host, "serving")[1].at for host in hosts]

        assert min(asked(APPS)) > max(back(DBS))
        assert min(asked(APPS)) > max(back(CACHES))
        assert min(asked(["jump"])) > max(back(inner))
        done = run.of("run_ended")[-1]
        assert done["data"]["exit_code"] == 0
        assert len(run.of("move_done")) == 31
        again = tool.call("run", str(inventory), "--dry-run", "--reason", "look only")
        assert again.returncode == 0, again.stderr
        assert fleet.restarts() == dict.fromkeys(["jump", *inner], 1)


def test_a_service_restart_restarts_the_unit_once_and_boots_nothing(tmp_path: Path) -> None:
    hosts = ["app-1", "app-2", "app-3"]
    with Fleet(hosts, service_s=0.2) as fleet:
        (tmp_path / "playbooks").mkdir()
        (tmp_path / "playbooks" / "units.yml").write_text(
            "version: 1\nname: units\nrestart:\n  - service_restart: {units: [app.service, worker.service], ready_within: 30s}\n",
            encoding="utf-8",
        )
        service = {"hosts": "app-*", "playbook": "units", "ready": http_ready()}
        inventory = fleet.inventory(tmp_path / "inventory.yml", {"app": service}, policy=quick())
        with Tool(tmp_path / "laptop").run(inventory, hosts=3) as run:
            assert run.end() == 0, run.account()
        restarted = [(one.host, one.more["unit"]) for one in fleet.log(what="restarted")]
        assert sorted(restarted) == [(host, unit) for host in hosts for unit in ("app.service", "worker.service")]
        assert fleet.restarts() == dict.fromkeys(hosts, 0)
        assert fleet.most_down(hosts) == 1


def test_a_user_who_is_not_root_reboots_through_sudo(tmp_path: Path) -> None:
    with Fleet(["app-1", "app-2"], service_s=0.2) as fleet:
        ssh = {**fleet.ssh_defaults(), "user": "ops", "sudo": True}
        inventory = fleet.inventory(
            tmp_path / "inventory.yml",
            {"app": {"hosts": "app-*", "ready": http_ready()}},
            defaults={"ssh": ssh, "expect": {"boot": "3s"}},
            policy=quick(),
        )
        with Tool(tmp_path / "laptop").run(inventory, hosts=2) as run:
            assert run.end() == 0, run.account()
        assert fleet.restarts() == {"app-1": 1, "app-2": 1}
        assert fleet.log("app-1", "sudo")


def test_drain_and_undrain_run_on_the_host_they_name_before_and_after_the_reboot(tmp_path: Path) -> None:
    with Fleet(["lb", "app-1", "app-2"], service_s=0.2) as fleet:
        (tmp_path / "playbooks").mkdir()
        (tmp_path / "playbooks" / "drained.yml").write_text(
            "version: 1\nname: drained\ndrain:\n"
            '  - {run: "echo off {host} >>/run/drains", on: lb, undo: "echo on {host} >>/run/drains", timeout: 30s}\n'
            "restart:\n  - reboot: {down_within: 60s, back_within: 2m}\n",
            encoding="utf-8",
        )
        app = {"hosts": "app-*", "playbook": "drained", "ready": http_ready()}
        services = {"lb": {"hosts": "lb", "ready": http_ready()}, "app": app}
        inventory = fleet.inventory(tmp_path / "inventory.yml", services, policy=quick())
        with Tool(tmp_path / "laptop").run(inventory, "--limit", "app-*", hosts=2) as run:
            assert run.end() == 0, run.account()
        drains = fleet.ssh("lb", "cat /run/drains").stdout.splitlines()
        assert sorted(drains[:2]) in (["off app-1", "on app-1"], ["off app-2", "on app-2"])
        assert sorted(drains) == ["off app-1", "off app-2", "on app-1", "on app-2"]
        assert fleet.restarts() == {"lb": 0, "app-1": 1, "app-2": 1}
