"""Whose claims are looked for beside a plan's own hosts, and when."""

from __future__ import annotations

import threading

import pytest

from restart.model.answer import HeldBy, NoAnswer
from restart.model.inventory import Host, Inventory, Service
from restart.model.question import Shell, ShellReply
from restart.runner import peers as rooms
from restart.runner.peers import Peers

HOSTS = ("web-1", "web-2", "web-3", "db-1", "db-2", "mail-1")
MEMBERS = {"web": HOSTS[:3], "db": HOSTS[3:5], "mail": HOSTS[5:], "node": ("web-1", "db-1")}
INVENTORY = Inventory(
    fleet="shop",
    hosts={name: Host(name=name, address="10.0.0.1") for name in HOSTS},
    services={name: Service(name=name, hosts=members) for name, members in MEMBERS.items()},
)


class Fleet:
    """Hosts with claims, by run; the others are silent or free."""

    def __init__(self, claims: dict[str, str], silent: tuple[str, ...] = ()) -> None:
        self.claims = claims
        self.silent = silent
        self.asked: list[str] = []

    def run(self, shell: Shell) -> ShellReply | NoAnswer:
        self.asked.append(shell.host)
        if shell.host in self.silent:
            return NoAnswer(reason="connect", detail="no route")
        run = self.claims.get(shell.host)
        said = "free" if run is None else f"held left=60 run={run} controller=desk user=bob since=then"
        return ShellReply(exit_status=0, stdout=f"restart-claim 1 {said}\n", stderr="")


def peers(*moving: str) -> Peers:
    return Peers(INVENTORY, moving, passed=lambda run: run == "r1")


def test_every_member_of_a_hosts_services_that_the_plan_leaves_alone_is_looked_at_once() -> None:
    fleet, looking = Fleet({}), peers("web-1", "web-2")
    assert looking.foreign("web-1", fleet.run) is None
    assert sorted(fleet.asked) == ["db-1", "web-3"]
    assert looking.foreign("web-2", fleet.run) is None
    assert looking.foreign("web-1", fleet.run) is None
    assert len(fleet.asked) == 2


def test_a_foreign_claim_on_a_peer_is_told_with_its_host_for_every_host_from_then_on() -> None:
    fleet, looking = Fleet({"web-3": "r9"}), peers("web-1", "mail-1")
    held = HeldBy(controller="desk", user="bob", run="r9", since="then", for_s=60.0, on="web-3")
    assert looking.foreign("web-1", fleet.run) == held
    assert looking.foreign("mail-1", fleet.run) == held


def test_claims_of_runs_that_are_known_to_have_ended_and_silent_peers_are_passed_over() -> None:
    fleet = Fleet({"web-3": "r1"}, silent=("db-1",))
    assert peers("web-1").foreign("web-1", fleet.run) is None
    assert "db-1" in fleet.asked


def test_a_plan_of_whole_services_looks_at_nobody() -> None:
    fleet = Fleet({"web-3": "r9"})
    assert peers("mail-1").foreign("mail-1", fleet.run) is None
    assert fleet.asked == []


def test_hosts_that_are_claimed_side_by_side_wait_for_the_look_of_the_first() -> None:
    fleet, looking, go = Fleet({"web-3": "r9"}), peers("web-1", "web-2"), threading.Event()

    def slow(shell: Shell) -> ShellReply | NoAnswer:
        go.wait(10)
        return fleet.run(shell)

    found: list[HeldBy | NoAnswer | None] = []
    threads = [
        threading.Thread(target=lambda host=host: found.append(looking.foreign(host, slow)))
        for host in ("web-1", "web-2")
    ]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
    assert [held.on for held in found if isinstance(held, HeldBy)] == ["web-3", "web-3"]


def test_what_could_not_be_looked_at_in_time_is_no_yes_and_the_next_look_goes_on_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet, looking = Fleet({"web-3": "r9"}), peers("web-1")
    monkeypatch.setattr(rooms, "LOOK_S", 0.0)
    missed = looking.foreign("web-1", fleet.run)
    assert isinstance(missed, NoAnswer)
    assert missed.detail.startswith("3 of 3 other members of its services could not be looked at for claims")
    assert fleet.asked == []
    monkeypatch.setattr(rooms, "LOOK_S", 30.0)
    held = looking.foreign("web-1", fleet.run)
    assert isinstance(held, HeldBy)
    assert held.on == "web-3"
