"""One fleet, one hand-made plan of it and one hand-made run, for every report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from restart.model.check import Check, Verdict
from restart.model.event import Fact
from restart.model.inventory import Amount, Dependency, Host, Inventory, Limit, Policy, Service, Ssh
from restart.model.plan import Estimate, Impact, LeftAlone, Move, Plan, Wave
from restart.model.playbook import Playbook, Rung, Step


def _hosts() -> dict[str, Host]:
    hosts = [
        Host(name="bastion-1", address="10.0.0.2", labels={"rack": "r1"}),
        Host(name="metrics-1", address="10.0.0.3", labels={"rack": "r1"}),
        Host(name="lb-1", address="10.0.0.4", labels={"rack": "r1"}),
        *(Host(name=f"db-{n}", address=f"10.0.1.{n}", labels={"rack": f"r{n}", "image": "v7"}) for n in (1, 2, 3)),
        *(Host(name=f"queue-{n}", address=f"10.0.3.{n}", labels={"rack": f"r{n}"}) for n in (1, 2, 3)),
        *(
            Host(name=f"app-{n:02d}", address=f"10.0.2.{n}", labels={"rack": "r4"}, playbook="drain-haproxy")
            for n in range(1, 13)
        ),
    ]
    return {host.name: host for host in hosts}


@pytest.fixture
def inventory() -> Inventory:
    hosts = _hosts()
    reboot = (Rung(kind="reboot", down_within_s=60.0, back_within_s=600.0),)
    drain = Step(run="haproxyctl disable {host}", on="lb-1", undo="haproxyctl enable {host}", timeout_s=60.0)
    services = [
        Service(
            name="postgres",
            hosts=("db-1", "db-2", "db-3"),
            min_available=Amount(quorum=True),
            ready=(
                Check(kind="tcp", params={"port": 5432}),
                Check(kind="command", params={"run": "pg_isready -q"}, healthy_for_s=10.0, within_s=300.0),
            ),
            gate=(Check(kind="http", params={"url": "http://status.internal/postgres", "status": [200]}),),
            settle_s=30.0,
            admission=4,
        ),
        Service(
            name="queue",
            hosts=("queue-1", "queue-2", "queue-3"),
            min_available=Amount(quorum=True),
            ready=(Check(kind="tcp", params={"port": 5672}),),
        ),
        Service(name="metrics", hosts=("metrics-1",), ready=(Check(kind="ssh"),)),
        Service(
            name="chat",
            hosts=tuple(name for name in hosts if name.startswith("app-")),
            depends_on=(
                Dependency(provider="postgres"),
                Dependency(provider="queue", needs=2),
                Dependency(provider="metrics", kind="after"),
            ),
            max_unavailable=Amount(percent=25.0),
            ready=(Check(kind="http", params={"url": "http://{address}:8080/health", "status": [200]}),),
        ),
    ]
    return Inventory(
        fleet="chat-prod",
        hosts=hosts,
        services={service.name: service for service in services},
        limits={"fleet": Limit(name="fleet", max_in_flight=20)},
        policy=Policy(max_failures=1),
        playbooks={
            "reboot": Playbook(name="reboot", restart=reboot),
            "drain-haproxy": Playbook(name="drain-haproxy", drain=(drain,), restart=reboot),
        },
        ssh=Ssh(user="ops", port=22, identity_file="~/.ssh/id_ed25519", gateway="bastion-1", sudo=True),
    )


def _move(host: str, service: str, start_s: float, length_s: float, canary: bool = False, **more: Any) -> Move:
    playbook = "drain-haproxy" if service == "chat" else "reboot"
    why = (f"{service} waits for nothing",)
    return Move(
        host=host, services=(service,), playbook=playbook, canary=canary,
        start_s=start_s, finish_s=start_s + length_s, why=why, **more,
    )  # fmt: skip


@pytest.fixture
def plan(inventory: Inventory) -> Plan:
    waves = (
        Wave(
            number=1,
            why="the first of each kind of host goes alone, before anything that needs it",
            moves=(
                _move("metrics-1", "metrics", 0.0, 190.0),
                _move("db-1", "postgres", 0.0, 190.0, canary=True),
                _move("queue-1", "queue", 0.0, 190.0, canary=True),
            ),
            gates=("postgres",),
        ),
        Wave(
            number=2,
            why="one member of each quorum at a time",
            moves=(_move("db-2", "postgres", 230.0, 190.0), _move("queue-2", "queue", 230.0, 190.0)),
            gates=("postgres",),
        ),
        Wave(
            number=3,
            why="one member of each quorum at a time",
            moves=(_move("db-3", "postgres", 460.0, 190.0), _move("queue-3", "queue", 460.0, 190.0)),
            gates=("postgres",),
        ),
        *(
            Wave(
                number=4 + index,
                why="at most 25% of chat at once; postgres and queue are done",
                moves=tuple(
                    _move(f"app-{n:02d}", "chat", 690.0 + index * 200.0, 190.0, canary=index == 0) for n in numbers
                ),
            )
            for index, numbers in enumerate(((1,), (2, 3), (4, 5, 6), (7, 8, 9), (10, 11)))
        ),
    )
    return Plan(
        fleet="chat-prod",
        mode="rolling",
        inventory=inventory,
        inventory_digest="sha256:" + "1" * 64,
        selection=tuple(inventory.hosts),
        waves=waves,
        impact=(
            Impact(service="postgres", hosts=3, budget=2, lowest_available=2, outage_s=0.0),
            Impact(service="queue", hosts=3, budget=2, lowest_available=2, outage_s=0.0),
            Impact(service="metrics", hosts=1, budget=None, lowest_available=0, outage_s=190.0),
            Impact(service="chat", hosts=12, budget=9, lowest_available=9, outage_s=0.0),
        ),
        estimate=Estimate(
            makespan_s=1680.0, lower_bound_s=1330.0, critical_path=("db-1", "db-2", "db-3", "app-01", "app-10")
        ),
        left_alone=(
            LeftAlone(host="bastion-1", why="this is the controller's own host (--include-controller restarts it too)"),
            LeftAlone(host="app-12", why="returned by itself at 23:58, healthy"),
        ),
        notes=(
            "not surveyed: every host assumed up",
            "metrics states no budget, so its hosts go one at a time; max_unavailable: 1 would say the same aloud",
        ),
        made_at="2026-11-22T00:10:00Z",
        digest="sha256:" + "a" * 64,
    )


BOOTS = ("3f1c9a52-6b0e-4a55-9a2e-0d6f7b1f5a01", "8a77e0f4-2d5b-4c1f-8f6d-6a1f0c9b7e02")


def move_facts(host: str, service: str, wave: int, at_s: float) -> list[Fact]:
    """A move that goes well: 60 s from the request to the new boot id, 100 s in all."""
    return [
        Fact(at_s=at_s, fact="move_started", host=host, wave=wave, data={"services": [service], "canary": False}),
        Fact(at_s=at_s + 1, fact="claimed", host=host, data={"boot_id": BOOTS[0], "uptime_s": 4000.0}),
        Fact(at_s=at_s + 2, fact="rebooting", host=host, data={"rung": "reboot", "number": 1, "boot_id": BOOTS[0]}),
        Fact(at_s=at_s + 4, fact="available", service=service, data={"available": 2, "of": 3, "budget": 2}),
        Fact(
            at_s=at_s + 62, fact="booted", host=host, evidence="uptime 21s",
            data={"boot_id": BOOTS[1], "was": BOOTS[0], "took_s": 60.0},
        ),
        Fact(
            at_s=at_s + 85, fact="ready", host=host, service=service, verdict=Verdict.PASS,
            evidence="tcp 5432: connected in 1ms",
        ),
        Fact(at_s=at_s + 85, fact="soaking", host=host, data={"for_s": 10.0}),
        Fact(at_s=at_s + 100, fact="available", service=service, data={"available": 3, "of": 3, "budget": 2}),
        Fact(
            at_s=at_s + 100, fact="move_done", host=host, wave=wave,
            data={"took_s": 100.0, "boot_s": 60.0, "ready_s": 23.0},
        ),
    ]  # fmt: skip


@pytest.fixture
def facts() -> list[Fact]:
    """A run that halts in wave 2: db-2 never comes back and the gate of postgres closes."""
    return [
        Fact(at_s=0.0, fact="run_started", why="kernel 6.1.99", data={"hosts": 18, "waves": 8}),
        Fact(at_s=0.0, fact="wave_started", wave=1, why="the first of each kind", data={"moves": 3}),
        *move_facts("metrics-1", "metrics", 1, 0.0),
        *move_facts("queue-1", "queue", 1, 0.0),
        *move_facts("db-1", "postgres", 1, 0.0),
        Fact(
            at_s=112.0, fact="gate", service="postgres", verdict=Verdict.PASS,
            evidence="http http://status.internal/postgres: 200",
        ),
        Fact(
            at_s=112.0, fact="held", wave=2, why="postgres settles for 30s after wave 1, 30s left (by itself)",
            data={"rule": "settle.postgres", "way_out": "by itself"},
        ),
        Fact(at_s=142.0, fact="wave_done", wave=1),
        Fact(at_s=142.0, fact="wave_started", wave=2, data={"moves": 2}),
        *move_facts("queue-2", "queue", 2, 142.0),
        *move_facts("db-2", "postgres", 2, 142.0)[:4],
        Fact(
            at_s=744.0, fact="rung_failed", host="db-2", why="nothing answered within 10m",
            data={"rung": "reboot", "number": 1},
        ),
        Fact(
            at_s=744.0, fact="quarantined", host="db-2", wave=2,
            why="its playbook has no further way: reboot: nothing answered within 10m",
        ),
        Fact(
            at_s=750.0, fact="gate", service="postgres", verdict=Verdict.FAIL,
            evidence="http http://status.internal/postgres: 503, 200 wanted",
        ),
        Fact(
            at_s=750.0, fact="halted", why="the gate of postgres FAILs: 503, 200 wanted",
            data={"rule": "gate.postgres"},
        ),
        Fact(
            at_s=750.0, fact="run_ended", why="the gate of postgres FAILs: 503, 200 wanted",
            data={"state": "halted", "exit_code": 5, "done": 4, "quarantined": 1, "left": 13},
        ),
    ]  # fmt: skip


@pytest.fixture
def many(plan: Plan) -> Callable[[int], Plan]:
    """The same plan with a service of `n` hosts in one wave: for widths and folding."""

    def make(n: int) -> Plan:
        hosts = {f"web-{i:04d}": Host(name=f"web-{i:04d}", address="10.9.0.1") for i in range(1, n + 1)}
        service = Service(name="web", hosts=tuple(hosts), ready=(Check(kind="ssh"),))
        wave = Wave(number=1, why="all", moves=tuple(_move(name, "web", 0.0, 60.0) for name in hosts))
        return replace(
            plan,
            inventory=replace(plan.inventory, hosts=hosts, services={"web": service}),
            waves=(wave,),
            impact=(Impact(service="web", hosts=n, budget=None, lowest_available=0, outage_s=60.0),),
        )

    return make
