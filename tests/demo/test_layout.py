"""The fleet's files as text."""

from __future__ import annotations

from pathlib import Path

from restart.demo import layout
from restart.demo.layout import Files, Shape
from tests.demo.conftest import described, places


def test_the_chat_site_has_twenty_hosts_providers_first() -> None:
    hosts = Shape().hosts()
    assert len(hosts) == 20
    assert list(dict.fromkeys(hosts.values())) == ["db", "queue", "cache", "app", "lb"]
    assert {"app-1", "app-9", "db-1", "lb-2"} <= set(hosts)


def test_members_of_a_service_stand_in_different_racks() -> None:
    hosts = Shape().hosts()
    racks = layout.racks(hosts)
    assert [racks[f"db-{number}"] for number in (1, 2, 3)] == ["r1", "r2", "r3"]
    assert [racks[f"app-{number}"] for number in (1, 2, 5, 6)] == ["r2", "r3", "r1", "r2"]
    for service in hosts.values():
        members = [racks[host] for host, name in hosts.items() if name == service]
        assert len(set(members)) == min(5, len(members))


def test_a_service_without_hosts_is_nowhere_in_the_inventory() -> None:
    shape = Shape(cache=0, lb=0)
    text = layout.inventory(places(shape), Files(folder=Path("/x")), 31_000)
    assert "cache" not in text.split("services:")[1]
    assert "lb" not in text.split("services:")[1]
    assert "drain" not in layout.playbooks(shape)["drain-app.yml"].replace("drain-app", "")


def test_an_application_is_drained_on_every_load_balancer() -> None:
    text = layout.playbooks(Shape())["drain-app.yml"]
    assert text.count("lbctl drain {host}") == text.count("lbctl undrain {host}") == 2
    assert "on: lb-1" in text
    assert "on: lb-2" in text


def test_everything_is_on_the_loopback() -> None:
    text = layout.inventory(places(Shape()), Files(folder=Path("/x")), 31_000)
    assert text.count("address: 127.0.0.1") == 20
    assert text.count("http://") == text.count("http://127.0.0.1:31000/") + text.count("http://{address}:{label.http}/")


def test_the_inventory_is_valid_in_every_shape(tmp_path: Path) -> None:
    for shape in (Shape(), Shape(db=1, queue=1, cache=1, app=2, lb=1), Shape(db=1, queue=0, cache=0, app=1, lb=0)):
        folder = tmp_path / f"of-{len(shape.hosts())}"
        inventory = described(folder, shape)
        assert list(inventory.hosts) == list(shape.hosts())
        assert inventory.ssh_of("db-1").port == 20_000
        assert inventory.ssh_of("db-1").identity_file == str(folder / "keys/id_ed25519")


def test_known_hosts_name_each_port() -> None:
    assert layout.known_hosts({20_001: "ssh-ed25519 AAAA"}) == "[127.0.0.1]:20001 ssh-ed25519 AAAA\n"
