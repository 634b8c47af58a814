"""A gateway never goes through itself (design: rule 10)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.inventory.reading import inventory_of, told

FLEET = "version: 1\nfleet: x\ndefaults: {{ssh: {{user: ops, gateway: {default}}}}}\nhosts:\n{hosts}"


def fleet(default: str, *hosts: str) -> str:
    return FLEET.format(default=default, hosts="".join(f"  {host}\n" for host in hosts))


def test_the_default_gateway_itself_is_reached_directly(tmp_path: Path) -> None:
    inventory = inventory_of(tmp_path, fleet("gw", "gw: {}", "web-1: {}"))
    assert inventory.ssh_of("gw").gateway is None
    assert inventory.ssh_of("gw").user == "ops"
    assert inventory.ssh_of("web-1").gateway == "gw"


def test_so_is_the_outer_one_of_two_gateways(tmp_path: Path) -> None:
    inventory = inventory_of(tmp_path, fleet("inner", "outer: {}", "inner: {ssh: {gateway: outer}}", "web-1: {}"))
    assert [inventory.ssh_of(host).gateway for host in ("outer", "inner", "web-1")] == [None, "outer", "inner"]


def test_a_gateway_of_null_is_none(tmp_path: Path) -> None:
    inventory = inventory_of(tmp_path, fleet("gw", "gw: {}", "near: {ssh: {gateway: null}}"))
    assert inventory.ssh_of("near").gateway is None


@pytest.mark.parametrize(
    "gateway", ["gate.example.net", "192.0.2.1", "2001:db8::1", "ops@gate", "gate:2222", "entrance"]
)
def test_a_gateway_may_be_a_machine_outside_of_the_inventory(tmp_path: Path, gateway: str) -> None:
    inventory = inventory_of(tmp_path, fleet(f'"{gateway}"', "web-1: {}"))
    assert inventory.ssh_of("web-1").gateway == gateway


def test_a_gateway_that_is_almost_a_host_is_a_slip_of_the_pen(tmp_path: Path) -> None:
    (line,) = told(tmp_path, fleet("bastion-2", "bastion-1: {}", "web-[1-9]: {}"))
    assert "bastion-2 is not in the inventory (did you mean bastion-1? " in line


@pytest.mark.parametrize(
    ("hosts", "way"),
    [
        (("a: {ssh: {gateway: a}}",), "a -> a"),
        (("a: {ssh: {gateway: b}}", "b: {ssh: {gateway: a}}"), "a -> b -> a"),
        (("z: {ssh: {gateway: a}}", "a: {ssh: {gateway: b}}", "b: {ssh: {gateway: a}}"), "a -> b -> a"),
    ],
)
def test_gateways_in_a_ring_are_told_once(tmp_path: Path, hosts: tuple[str, ...], way: str) -> None:
    (line,) = told(tmp_path, fleet("192.0.2.1", *hosts))
    assert f"a gateway through itself: {way}" in line


def test_a_chain_of_thousands_of_gateways_is_no_ring(tmp_path: Path) -> None:
    hosts = [f"h{number}: {{ssh: {{gateway: h{number + 1}}}}}" for number in range(20_000)]
    assert told(tmp_path, fleet("192.0.2.1", *hosts, "h20000: {}")) == []
