from __future__ import annotations

from restart.model.check import Check
from restart.model.inventory import Host, Inventory, Service, Ssh
from restart.rules.path import path_alone, path_hosts


def host(name: str, **fields: object) -> Host:
    return Host(name=name, address=name, **fields)  # type: ignore[arg-type]


def inventory(*hosts: Host, services: tuple[Service, ...] = (), watch: tuple[Check, ...] = ()) -> Inventory:
    return Inventory(
        fleet="toy",
        hosts={each.name: each for each in hosts},
        services={each.name: each for each in services},
        watch=watch,
    )


def test_nothing_is_on_the_path_of_a_plain_fleet() -> None:
    assert path_hosts(inventory(host("a"), services=(Service(name="s", hosts=("a",)),))) == {}


def test_services_go_before_gateways_and_the_controller_last() -> None:
    fleet = inventory(
        host("ctl", controller=True),
        host("gate"),
        host("m"),
        host("a", ssh=Ssh(gateway="gate")),
        services=(Service(name="metrics", hosts=("m", "gate"), path=True),),
    )
    assert list(path_hosts(fleet)) == ["m", "gate", "ctl"]
    assert path_hosts(fleet)["gate"] == "a gateway, other hosts are reached through it"


def test_a_service_that_a_check_asks_through_is_on_the_path() -> None:
    watch = (Check(kind="prometheus", service="metrics"),)
    fleet = inventory(host("m"), host("n"), services=(Service(name="metrics", hosts=("m", "n")),), watch=watch)
    assert path_hosts(fleet) == {
        "m": "metrics is on the path (a watch asks through it)",
        "n": "metrics is on the path (a watch asks through it)",
    }


def test_a_gateway_outside_the_inventory_is_nobodys_move() -> None:
    assert path_hosts(inventory(host("a", ssh=Ssh(gateway="elsewhere.example")))) == {}


def test_a_path_host_with_a_second_is_not_alone_but_a_gateway_and_the_controller_are() -> None:
    fleet = inventory(
        host("ctl", controller=True),
        host("gate"),
        host("m"),
        host("n"),
        host("lone", ssh=Ssh(gateway="gate")),
        services=(
            Service(name="metrics", hosts=("m", "n"), path=True),
            Service(name="logs", hosts=("lone",), path=True),
        ),
    )
    assert path_alone(fleet) == {"ctl", "gate", "lone"}


def test_what_the_checks_of_members_ask_through_is_on_the_path_as_well() -> None:
    web = Service(name="web", hosts=("w",), ready=(Check(kind="prometheus", service="metrics"),))
    fleet = inventory(host("m"), host("w"), services=(Service(name="metrics", hosts=("m",)), web))
    assert path_hosts(fleet) == {"m": "metrics is on the path (checks of web ask through it)"}
