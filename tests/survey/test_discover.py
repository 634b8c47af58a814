"""Connections and names put in their place: who uses whom, what is nobody's, and what cannot be told."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from restart.model.answer import NoAnswer
from restart.model.check import Check
from restart.model.discovery import Link
from restart.model.inventory import Host, Service
from restart.probes.section import Lines
from restart.probes.sweep import Swept
from restart.reports.discovery_text import discovery_text
from restart.survey.discover import compared
from restart.survey.discover.file import discovery_json
from tests.survey.told import seen, service, shop, told

DB = ('listen 0.0.0.0:5432 "postgres",pid=10', 'in 10.0.0.21:5432 10.0.0.11 2 0 40000,40001 "postgres",pid=11')
APP = ('out 10.0.0.11 10.0.0.21:5432 2 0 40000,40001 "python3",pid=7',)


def only(links: tuple[Link, ...]) -> Link:
    assert len(links) == 1, links
    return links[0]


def test_the_listening_side_is_the_provider_and_both_processes_are_named() -> None:
    link = only(seen(shop(), {"app-1": told(*APP), "db-1": told(*DB)}).links)
    assert link == Link(
        consumer="app-1", provider="db-1", port=5432, consumer_services=("app",), provider_services=("db",),
        clients=("python3",), server="postgres", open=2, looks=1, sides="both",
    )  # fmt: skip


def test_one_end_is_enough() -> None:
    silent = NoAnswer(reason="refused")
    by_client = only(seen(shop(), {"app-1": told(*APP), "db-1": silent}).links)
    by_server = only(seen(shop(), {"app-1": silent, "db-1": told(*DB)}).links)
    assert (by_client.sides, by_client.clients, by_client.server) == ("consumer", ("python3",), "")
    assert (by_server.sides, by_server.clients, by_server.server) == ("provider", (), "postgres")
    assert (by_client.consumer_services, by_client.provider_services) == (("app",), ("db",))
    assert (by_server.consumer_services, by_server.provider_services) == (("app",), ("db",))


@pytest.mark.parametrize(
    "row",
    [
        'out 10.0.0.11 10.0.0.21:5432 1 0 40000 "python3",pid=7',
        'out [::ffff:10.0.0.11] [::ffff:10.0.0.21]:5432 1 0 40000 "python3",pid=7',
        # As the kernel writes it: v4, and v4 mapped into v6.
        'out 0B00000A 1500000A:1538 1 0 9C40 "python3",pid=7',
        'out 0000000000000000FFFF00000B00000A 0000000000000000FFFF00001500000A:1538 1 0 9C40 "python3",pid=7',
        'out fd00::11 [fd00::21]:5432 1 0 40000 "python3",pid=7',
        'out fe80::11%eth0 [fd00:0:0::21%eth0]:5432 1 0 40000 "python3",pid=7',
    ],
)
def test_an_address_is_the_same_however_it_is_written(row: str) -> None:
    looks = {"app-1": told(row, "address fd00::11"), "db-1": told("address fd00::21/64", DB[0], "address fd00::21")}
    link = only(seen(shop(), looks).links)
    assert (link.consumer, link.provider, link.port) == ("app-1", "db-1", 5432)


def test_loopback_and_the_hosts_own_addresses_are_no_edges() -> None:
    rows = (
        'listen 127.0.0.1:6379 "redis-server",pid=5',
        'out 127.0.0.1 127.0.0.1:6379 3 0 - "python3",pid=7',
        'in 127.0.0.1:6379 127.0.0.1 3 0 - "redis-server",pid=5',
        'out ::1 [::1]:6379 1 0 50000 "python3",pid=7',
        'out 10.0.0.11 10.0.0.11:8000 1 0 50001 "curl",pid=8',
        'out 172.17.0.1 172.17.0.1:9000 1 0 50002 "x",pid=8',
    )
    found = seen(shop(), {"app-1": told(*rows, "address 172.17.0.1")})
    assert found.links == found.outside == found.unmatched == ()
    assert found.hosts["app-1"].inside == 6


def test_a_service_on_the_same_host_is_told_and_no_edge() -> None:
    inventory = shop(service("app", "app-1", 8000), service("cache", "app-1 app-2", 6379))
    rows = (
        'listen *:8000 "python3",pid=7',
        'listen 127.0.0.1:6379 "redis-server",pid=5',
        'out 127.0.0.1 127.0.0.1:6379 1 0 50000 "python3",pid=7',
    )
    found = seen(inventory, {"app-1": told(*rows)})
    assert found.links == ()
    assert (only(found.inside).consumer_services, only(found.inside).provider_services) == (("app",), ("cache",))
    assert compared(inventory, found).lacking == ()


def test_our_own_sessions_are_left_out_on_the_host_in_the_gateway_and_on_the_controller() -> None:
    inventory = shop()
    looks = {
        # Known by the environment where there is no sudo, by the process's ancestors where there is.
        "db-1": told('listen *:22 "sshd",pid=1', 'in 10.0.0.21:22 10.0.0.1 1 0 41000 ""', "own 10.0.0.1 41000 10.0.0.21 22"),
        "app-1": told('listen *:22 "sshd",pid=1', "session 10.0.0.11:22 10.0.0.99:42000"),
        "web-1": told('listen *:22 "sshd",pid=1', 'out 10.0.0.1 10.0.0.21:22 1 0 41000 "sshd",pid=9', "session 10.0.0.1:22 10.0.0.99:43000"),
        "ops-1": told('out 10.0.0.99 10.0.0.11:22 1 0 42000 "python3",pid=3', 'out 10.0.0.99 10.0.0.1:22 1 0 43000 "python3",pid=3'),
    }  # fmt: skip
    found = seen(inventory, looks)
    assert found.links == found.outside == ()
    assert found.own == 3
    # A colleague's session is another thing, and stays.
    looks["web-1"] = told(
        'listen *:22 "sshd",pid=1',
        'out 10.0.0.1 10.0.0.21:22 2 0 41000,41001 "ssh",pid=9',
        "session 10.0.0.1:22 10.0.0.99:43000",
    )
    link = only(seen(inventory, looks).links)
    assert (link.consumer, link.provider, link.port, link.open) == ("web-1", "db-1", 22, 1)


def test_earlier_sessions_and_checks_of_ours_that_have_closed_are_left_out_too() -> None:
    looks = {
        "db-1": told('listen *:22 "sshd",pid=1', "own 10.0.0.1 41000 10.0.0.21 22", "in 10.0.0.21:22 10.0.0.1 1 1 39000,41000 "),
        "web-1": told('out 10.0.0.1 10.0.0.21:22 0 3 39001,39002,39003 ', "session 10.0.0.1:22 192.0.2.9:40000", "in 10.0.0.1:22 192.0.2.9 0 1 3 "),
        "app-1": told("out 10.0.0.11 10.0.0.21:22 0 1 39001 "),
        "ops-1": told("out 10.0.0.99 10.0.0.21:5432 0 1 39000 ", 'out 10.0.0.99 10.0.0.11:8000 1 0 39001 "prometheus",pid=3'),
    }  # fmt: skip
    inventory = shop()
    hosts = {**inventory.hosts, "ops-1": replace(inventory.hosts["ops-1"], controller=True)}
    found = seen(replace(inventory, hosts=hosts), looks)
    # A stranger's, from where none of ours come, stays; so does what runs on the controller's host besides.
    assert {(link.consumer, link.provider, link.port) for link in found.links} == {
        ("app-1", "db-1", 22),
        ("ops-1", "app-1", 8000),
    }
    assert found.outside == ()


def test_addresses_outside_are_listed_and_counted_apart() -> None:
    many = [f'in 10.0.0.1:443 192.0.2.{number} 1 0 5000 "nginx",pid=2' for number in range(1, 201)]
    found = seen(
        shop(),
        {"web-1": told('listen *:443 "nginx",pid=2', 'out 10.0.0.1 198.51.100.7:636 1 0 4000 "sssd",pid=3', *many)},
    )
    assert found.links == ()
    out, customers = found.outside
    assert (out.address, out.port, out.processes, out.inbound) == ("198.51.100.7", 636, ("sssd",), False)
    assert (customers.addresses, customers.port, customers.inbound, customers.open) == (200, 443, True, 200)


def test_an_address_that_several_hosts_have_is_matched_with_none_and_said() -> None:
    looks = {
        "app-1": told('out 10.0.0.11 10.0.0.200:5432 1 0 4000 "python3",pid=7'),
        "db-1": told("address 10.0.0.200"),
        "web-1": told("address 10.0.0.200"),
    }
    found = seen(shop(), looks)
    assert found.links == ()
    assert found.unmatched[0].host == "app-1"
    assert "db-1, web-1 all have this address" in found.unmatched[0].why


def test_a_container_is_said_and_not_guessed() -> None:
    looks = {"app-1": told("elsewhere 2"), "db-1": told(*DB)}
    found = seen(shop(), looks)
    assert only(found.links).clients == ()
    assert "no such socket" in found.unmatched[0].why
    assert (found.hosts["app-1"].containers, found.hosts["app-1"].notes) == (2, ())
    text = " ".join(discovery_text(found, compared(shop(), found)).split())
    assert "app-1: 2 containers (network namespaces) with connections of their own, which are only counted." in text
    assert "nsenter -t PID -n ss -tnp" in text
    # Forwarded into a container there: the host itself does not listen.
    found = seen(shop(), {"app-1": told(*APP), "db-1": told()})
    assert "does not listen there itself" in found.unmatched[0].why
    assert only(found.links).provider == "db-1"


def test_a_connection_whose_listener_is_gone_has_no_direction_unless_a_check_names_its_port() -> None:
    def looks(port: int) -> dict[str, object]:
        return {
            "app-1": told(f'out 10.0.0.11 10.0.0.21:{port} 1 0 40000 "a",pid=7'),
            "db-1": told(f'out 10.0.0.21 10.0.0.11:40000 1 0 {port} "b",pid=8'),
        }

    assert seen(shop(), looks(5433)).links == ()  # type: ignore[arg-type]
    assert "nobody listens" in seen(shop(), looks(5433)).unmatched[0].why  # type: ignore[arg-type]
    link = only(seen(shop(), looks(5432)).links)  # type: ignore[arg-type]
    assert (link.consumer, link.provider) == ("app-1", "db-1")


def test_the_port_tells_which_of_several_services_provides() -> None:
    http = Check(kind="http", params={"url": "http://{address}:9090/-/ready"})
    metrics = Service(name="metrics", hosts=("db-1",), ready=(http,))
    inventory = shop(service("app", "app-1", 8000), service("db", "db-1", 5432), metrics)
    rows = ('out 10.0.0.11 10.0.0.21:5432 1 0 4000 "a",pid=7', 'out 10.0.0.11 10.0.0.21:9090 1 0 4001 "a",pid=7')
    found = seen(inventory, {"app-1": told(*rows), "db-1": told("listen *:5432 ", "listen *:9090 ")})
    assert {link.port: link.provider_services for link in found.links} == {5432: ("db",), 9090: ("metrics",)}
    assert {(edge.consumer, edge.provider) for edge in compared(inventory, found).lacking} == {
        ("app", "db"),
        ("app", "metrics"),
    }


def test_a_port_that_no_check_names_is_between_hosts_only() -> None:
    inventory = shop()
    found = seen(
        inventory, {"app-1": told('out 10.0.0.11 10.0.0.21:9100 1 0 4000 "prom",pid=7'), "db-1": told("listen *:9100 ")}
    )
    held = compared(inventory, found)
    assert only(held.host_level).provider_services == ()
    assert held.lacking == ()


def test_a_unit_that_a_systemd_check_names_tells_too() -> None:
    inventory = shop(
        service("app", "app-1", 8000), service("db", "db-1", units=["postgresql"]), service("queue", "db-1", 5672)
    )
    rows = (
        'listen *:5432 "postgres",pid=10',
        "cgroup 10 /system.slice/system-postgresql.slice/postgresql@15-main.service",
    )
    found = seen(inventory, {"app-1": told(*APP), "db-1": told(*rows)})
    assert only(found.links).provider_services == ("db",)


def test_the_clients_process_tells_which_of_several_services_uses_it() -> None:
    inventory = shop(
        service("web", "web-1", 80), service("jobs", "web-1", units=["jobs.service"]), service("db", "db-1", 5432)
    )
    listens = ('listen *:80 "nginx",pid=2', "cgroup 5 /system.slice/jobs.service")

    def consumers(process: str) -> tuple[str, ...]:
        row = f"out 10.0.0.1 10.0.0.21:5432 1 0 4000 {process}"
        return only(
            seen(inventory, {"web-1": told(*listens, row), "db-1": told("listen *:5432 ")}).links
        ).consumer_services

    assert consumers('"nginx",pid=3') == ("web",)
    assert consumers('"python3",pid=5') == ("jobs",)
    assert consumers('"curl",pid=9') == ("web", "jobs")
    assert consumers("") == ("web", "jobs")


def test_who_may_be_one_of_several_is_no_edge_and_said() -> None:
    inventory = shop(service("web", "web-1", 80), service("jobs", "web-1", 81), service("db", "db-1", 5432))
    found = seen(
        inventory, {"web-1": told('out 10.0.0.1 10.0.0.21:5432 1 0 4000 "curl",pid=9'), "db-1": told("listen *:5432 ")}
    )
    held = compared(inventory, found)
    assert held.lacking == ()
    assert only(held.host_level).consumer_services == ("web", "jobs")


def test_members_of_one_service_among_themselves_are_counted_and_no_edge() -> None:
    inventory = shop()
    rows = 'out 10.0.0.11 10.0.0.12:8000 1 0 4000 "python3",pid=7'
    held = compared(inventory, seen(inventory, {"app-1": told(rows), "app-2": told("listen *:8000 ")}))
    assert held.lacking == held.host_level == ()
    assert held.within == {"app": 1}


def test_short_connections_show_in_one_look_of_several_and_the_most_at_once_counts() -> None:
    listens = told("listen *:5432 ", files=None)
    looks = [
        {"app-1": told('out 10.0.0.11 10.0.0.21:5432 1 0 4000 "a",pid=7'), "db-1": listens},
        {"app-1": told(files=None), "db-1": listens},
        {"app-1": told('out 10.0.0.11 10.0.0.21:5432 5 2 - "a",pid=7', files=None), "db-1": listens},
        {"app-1": NoAnswer(reason="timeout"), "db-1": listens},
    ]
    found = seen(shop(), *looks)
    link = only(found.links)
    assert (link.open, link.looks, found.looks) == (7, 2, 4)
    # Once it answered it is known, though it was silent at the end.
    assert found.hosts["app-1"].answered
    assert found.hosts["app-1"].looks == 3


def test_a_host_that_did_not_answer_is_unknown_and_not_without_edges() -> None:
    inventory = shop(service("web", "web-1", 80), service("db", "db-1", 5432, on=["web"]))
    silent = NoAnswer(reason="auth")
    found = seen(inventory, {"web-1": silent, "db-1": silent})
    assert not found.hosts["db-1"].answered
    assert found.hosts["db-1"].why
    assert compared(inventory, found).not_seen[0].silent == ("db-1", "web-1")
    assert compared(inventory, seen(inventory, {"web-1": told(), "db-1": told()})).not_seen[0].silent == ()


def test_without_root_it_says_that_processes_are_not_named() -> None:
    found = seen(shop(), {"app-1": told("out 10.0.0.11 10.0.0.21:5432 1 0 4000 ", root=False), "db-1": told(*DB)})
    assert "not root" in found.hosts["app-1"].notes[0]
    assert only(found.links).clients == ()


def test_a_host_with_no_way_to_read_its_connections_says_so() -> None:
    blind = Swept(sections={"connections": Lines(text=("uid 0",))})
    assert "cannot be read" in seen(shop(), {"app-1": blind}).hosts["app-1"].notes[0]


FILES = (
    "host 10.0.0.99 files.internal files",
    "mount /etc/fstab hard nfs4 files.internal:/export /srv",
    "mount /proc/mounts live nfs4 10.0.0.99:/export /srv",
    "resolver /etc/resolv.conf 127.0.0.53",
    "resolver /etc/resolv.conf 10.0.0.99",
    "ntp /etc/chrony.conf ops-1.shop.example",
    "ntp /etc/chrony.conf pool.ntp.org",
    "ldap /etc/sssd/sssd.conf ldaps://ops-1",
    "syslog /etc/rsyslog.conf ops-1:6514",
    "package /etc/apt/sources.list http://ops-1:8080",
    "image /etc/docker/daemon.json https://ops-1:5000",
    "unit /etc/systemd/system/app.service db-1:5432",
    "unit /etc/systemd/system/app.service app-1",
    "unit /etc/systemd/system/app.service no-such-host",
)


def test_what_the_files_of_a_host_name_are_edges_at_boot() -> None:
    inventory = shop(service("app", "app-1", 8000), service("db", "db-1", 5432), service("ops", "ops-1"))
    found = seen(inventory, {"app-1": told(files=FILES)})
    hows = {link.how: link for link in found.links}
    assert set(hows) == {"mount", "resolver", "ntp", "ldap", "syslog", "package", "image", "unit"}
    assert (hows["mount"].is_live, hows["mount"].is_needed, hows["mount"].detail) == (True, True, "/srv")
    assert hows["ldap"].port == 636
    assert hows["unit"].provider_services == ("db",)
    assert {one.address for one in found.outside} == {"pool.ntp.org"}
    edges = {(edge.consumer, edge.provider): (edge.kind, edge.at) for edge in compared(inventory, found).lacking}
    assert edges == {("app", "ops"): ("requires", "both"), ("app", "db"): ("after", "boot")}


def test_a_unit_s_settings_name_hosts_and_whatever_else_they_hold_is_told_to_nobody() -> None:
    inventory = shop(
        service("app", "app-1", 8000), service("jobs", "app-1", units=["jobs"]), service("db", "db-1", 5432)
    )
    lines = [
        "env jobs.service /etc/default/jobs db-1:5432",
        "env jobs.service /etc/default/jobs pass.word:1234",
        "env jobs.service /etc/default/jobs hunter2",
        "env",
        "env jobs.service",
    ]
    found = seen(inventory, {"app-1": told(files=lines)})
    link = only(found.links)
    assert (link.how, link.file, link.detail) == ("unit", "/etc/default/jobs", "jobs.service")
    # Of the two services there it is the one whose unit reads the file.
    assert (link.consumer_services, link.provider_services) == (("jobs",), ("db",))
    assert found.outside == found.unmatched == ()
    kept = json.dumps(discovery_json(found)) + discovery_text(found, compared(inventory, found))
    assert "names in a unit db-1:5432 (/etc/default/jobs, jobs.service)" in " ".join(kept.split())
    assert "hunter2" not in kept
    assert "pass.word" not in kept


@pytest.mark.parametrize(
    ("file", "edge"),
    [
        ("mount /proc/mounts live nfs4 ops-1:/x /x", ("requires", "both")),
        ("mount /etc/fstab hard nfs ops-1:/x /x", ("requires", "boot")),
        ("mount /etc/fstab soft nfs ops-1:/x /x", ("after", "boot")),
        ("mount /etc/fstab hard cifs //ops-1/share /x", ("requires", "boot")),
        ("mount /etc/fstab hard ceph 10.0.0.99:6789,10.0.0.98:6789:/ /x", ("requires", "boot")),
        ("resolver /etc/resolv.conf 10.0.0.99", ("after", "boot")),
        ("ldap /etc/nslcd.conf ldap://ops-1", ("requires", "boot")),
        ("syslog /etc/rsyslog.conf ops-1", ("after", "boot")),
    ],
)
def test_what_a_boot_waits_for_is_required_and_the_rest_is_order(file: str, edge: tuple[str, str]) -> None:
    inventory = shop(service("app", "app-1", 8000), service("ops", "ops-1"))
    lacking = compared(inventory, seen(inventory, {"app-1": told(files=[file])})).lacking
    assert [(one.kind, one.at) for one in lacking] == [edge]


def test_a_host_that_carries_two_services_needs_its_boot_for_both() -> None:
    inventory = shop(service("a", "app-1", 1), service("b", "app-1", 2), service("ops", "ops-1"))
    found = seen(inventory, {"app-1": told(files=["mount /etc/fstab hard nfs ops-1:/x /x"])})
    assert {edge.consumer for edge in compared(inventory, found).lacking} == {"a", "b"}


def test_a_host_known_to_the_inventory_by_name_only_is_matched_by_what_it_says_of_itself() -> None:
    inventory = shop()
    hosts = {**inventory.hosts, "db-1": Host(name="db-1", address="db-1.shop.example")}
    found = seen(replace(inventory, hosts=hosts), {"app-1": told(*APP), "db-1": told(*DB, "address 10.0.0.21")})
    assert only(found.links).provider == "db-1"
