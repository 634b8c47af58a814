"""What a machine finds of itself and of its way to the fleet, from local files alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from restart.model.check import Check
from restart.model.inventory import Host, Inventory, Service, Ssh
from restart.rules.path import path_alone, path_hosts
from restart.runner.whereabouts import Whereabouts, here, with_path_found

ROUTES = """\
Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth0 00000000 0100000A 0003 0 0 0 00000000 0 0 0
eth0 0000000A 00000000 0001 0 0 0 00FFFFFF 0 0 0
"""
TRIE = """\
        |-- 10.0.0.9
           /32 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
        |-- 10.0.0.255
           /32 link BROADCAST
"""


def fleet(**hosts: Host) -> Inventory:
    made = {
        "ops-1": Host(name="ops-1", address="10.0.0.9"),
        "dns-1": Host(name="dns-1", address="10.0.0.2"),
        "dns-2": Host(name="dns-2", address="10.0.0.3"),
        "router": Host(name="router", address="10.0.0.1"),
        "prom": Host(name="prom", address="prom.site"),
        "web-1": Host(name="web-1", address="10.0.0.20"),
        **hosts,
    }
    return Inventory(fleet="site", hosts=made, services={"web": Service(name="web", hosts=("web-1",))})


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    files = {
        "etc/hosts": "127.0.0.1 localhost\n10.0.0.9 ops.site ops # us\n10.0.0.5 prom.site\n",
        "etc/resolv.conf": "search site\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 127.0.0.53\n",
        "proc/net/route": ROUTES,
        "proc/net/fib_trie": TRIE,
        "proc/net/if_inet6": "fd000000000000000000000000000009 02 40 00 80 eth0\n",
        "proc/sys/kernel/random/boot_id": "0e6a1a52-1111-4a39-8f3a-7f1d1a2b3c4d\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_machine_is_known_from_its_own_files(machine: Path) -> None:
    found = here(machine)
    assert found.addresses == {"10.0.0.9", "fd00::9"}
    assert {"ops.site", "ops"} <= found.names
    assert found.resolvers == {"10.0.0.2", "10.0.0.3"}
    assert found.routers == {"10.0.0.1"}
    assert found.boot_id == "0e6a1a52-1111-4a39-8f3a-7f1d1a2b3c4d"


def test_where_there_is_nothing_to_read_nothing_is_found(tmp_path: Path) -> None:
    found = here(tmp_path)
    assert found.addresses == found.resolvers == found.routers == frozenset()
    assert found.boot_id == ""


@pytest.mark.parametrize(
    "host",
    [
        Host(name="a", address="10.0.0.9"),
        Host(name="a", address="fd00:0:0::9"),
        Host(name="a", address="ops.site"),
        Host(name="OPS", address="192.0.2.1"),
        Host(name="ops.site", address="192.0.2.1"),
    ],
)
def test_the_controller_is_found_by_address_name_and_full_name(machine: Path, host: Host) -> None:
    inventory = Inventory(fleet="site", hosts={host.name: host}, services={})
    (found,) = with_path_found(inventory, here(machine)).hosts.values()
    assert found.controller
    assert "is this machine's" in found.on_path
    assert (
        "the controller runs here (its"
        in path_hosts(Inventory(fleet="x", hosts={found.name: found}, services={}))[found.name]
    )


def test_loopback_addresses_and_other_hosts_are_not_the_controller(machine: Path) -> None:
    inventory = fleet(near=Host(name="near", address="127.0.0.1"), opsy=Host(name="ops-12", address="192.0.2.7"))
    found = with_path_found(inventory, here(machine)).hosts
    assert [name for name, host in found.items() if host.controller] == ["ops-1"]


def test_name_servers_the_default_gateway_and_what_the_checks_ask_are_on_the_path(machine: Path) -> None:
    url = {"url": "http://prom.site:9090", "query": "up", "expect": "== 1"}
    inventory = replace(fleet(), watch=(Check(kind="prometheus", params=url),))
    found = with_path_found(inventory, here(machine))
    why = path_hosts(found)
    assert "asks it for names" in why["dns-1"]
    assert "default gateway" in why["router"]
    assert "a watch asks it" in why["prom"]
    assert "web-1" not in why
    assert path_alone(found) == {"ops-1", "router", "prom"}, "the second name server stands in for the first"


def test_a_gate_that_asks_a_member_of_its_own_service_puts_nobody_on_the_path() -> None:
    inventory = fleet()
    gate = Check(kind="http", params={"url": "http://10.0.0.20/health"})
    other = Service(name="db", hosts=("prom",), gate=(gate,))
    own = replace(inventory.services["web"], gate=(gate,))
    assert path_hosts(with_path_found(replace(inventory, services={"web": own}), Whereabouts())) == {}
    assert set(path_hosts(with_path_found(replace(inventory, services={"db": other}), Whereabouts()))) == {"web-1"}


def test_a_check_that_names_its_service_and_a_place_to_be_filled_in_find_nobody() -> None:
    checks = (
        Check(kind="prometheus", params={"url": "http://10.0.0.20:9090"}, service="web"),
        Check(kind="http", params={"url": "http://{address}/health"}),
    )
    inventory = replace(fleet(), watch=checks)
    assert all(not host.on_path for host in with_path_found(inventory, Whereabouts()).hosts.values())


def test_a_host_that_ssh_config_jumps_through_is_on_the_path(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host 10.0.1.*\n  ProxyJump ann@10.0.0.20:2222,none\n", encoding="utf-8")
    found = with_path_found(replace(fleet(), ssh=Ssh(config=str(config))), Whereabouts())
    assert "ProxyJump" in path_hosts(found)["web-1"]


def test_what_a_watch_asks_on_the_loopback_is_not_a_host_that_has_its_address_there() -> None:
    watch = Check(kind="prometheus", params={"url": "http://127.0.0.1:9090", "query": "up", "expect": "== 1"})
    inventory = replace(fleet(near=Host(name="near", address="127.0.0.1")), watch=(watch,))
    assert with_path_found(inventory, Whereabouts()) is inventory


def test_where_nothing_is_found_the_inventory_is_the_same() -> None:
    inventory = fleet()
    assert with_path_found(inventory, Whereabouts()) is inventory


def test_a_host_is_known_by_the_watches_and_gates_that_ask_it(machine: Path) -> None:
    inventory = fleet()
    gate = Check(kind="http", params={"url": "http://dns-1/health"})
    own = Check(kind="http", params={"url": "http://10.0.0.20/health"})
    web = replace(inventory.services["web"], gate=(gate, own))
    watch = (
        Check(kind="prometheus", params={"url": "http://prom.site:9090"}),
        Check(kind="tcp", params={"port": 53, "address": "10.0.0.3"}),
        Check(kind="http", params={"url": "http://router/"}, service="web"),
        Check(kind="http", params={"url": "http://{address}/"}),
        Check(kind="http", params={"url": "http://elsewhere.example/"}),
    )
    found = with_path_found(replace(inventory, services={"web": web}, watch=watch), here(machine))
    asked_by = {name: host.asked_by for name, host in found.hosts.items() if host.asked_by}
    # A gate that asks a member of its own service asks about it, and a `service:` is what was declared.
    assert asked_by == {"dns-1": ("gate.web",), "prom": ("watch.1",), "dns-2": ("watch.2",)}
    assert {"prom", "dns-2"} <= path_hosts(found).keys()
