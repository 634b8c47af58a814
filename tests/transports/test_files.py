"""known_hosts and ssh_config files as OpenSSH reads them, checked against OpenSSH's own tool where it is at hand."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import paramiko
import pytest

from restart.errors import UsageMistake
from restart.model.inventory import Host, Inventory, Ssh
from restart.transports.hop import gateway, hop
from restart.transports.known_hosts import KnownHosts, useless_algorithms
from restart.transports.ssh_config import config_text

ONE, TWO = (base64.b64encode(text).decode() for text in (b"key one", b"key two"))


def known(tmp_path: Path, *lines: str) -> KnownHosts:
    place = tmp_path / "known_hosts"
    place.write_text("\n".join(lines) + "\n")
    return KnownHosts.of(str(place))


def blobs(keys: KnownHosts, host: str, port: int = 22) -> list[bytes]:
    return [blob for _, blob in keys.keys(host, port)]


def hashed(name: str) -> str:
    salt = b"salt-of-20-bytes----"
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def test_names_ports_hashes_and_patterns_are_found(tmp_path: Path) -> None:
    keys = known(
        tmp_path,
        "# a comment",
        "",
        f"db-1,10.0.0.1 ssh-ed25519 {ONE} comment",
        f"[db-1]:2222 ssh-ed25519 {TWO}",
        f"{hashed('web-1')} ssh-ed25519 {ONE}",
        f"*.example,!bad.example ssh-ed25519 {TWO}",
    )
    assert blobs(keys, "10.0.0.1") == blobs(keys, "DB-1") == [b"key one"]
    assert blobs(keys, "db-1", 2222) == [b"key two"]
    assert blobs(keys, "web-1") == [b"key one"]
    assert blobs(keys, "app.example") == [b"key two"]
    assert blobs(keys, "bad.example") == blobs(keys, "unknown") == []


def test_a_name_without_a_port_serves_other_ports_where_nothing_closer_is_known(tmp_path: Path) -> None:
    assert blobs(known(tmp_path, f"db-1 ssh-ed25519 {ONE}"), "db-1", 2222) == [b"key one"]


def test_lines_that_cannot_be_read_vouch_for_nobody(tmp_path: Path) -> None:
    lines = [
        "h ssh-ed25519 ***",
        "h ssh-ed25519",
        "|1|x ssh-rsa " + ONE,
        f"@cert-authority h ssh-rsa {ONE}",
        "\x00\xff",
    ]
    assert blobs(known(tmp_path, *lines), "h") == []


def test_any_of_several_keys_is_good_and_another_is_a_change(tmp_path: Path) -> None:
    keys = known(tmp_path, f"h ssh-ed25519 {ONE}", f"h ssh-ed25519 {TWO}")
    found = keys.keys("h", 22)
    assert keys.refusal("h", found, ("ssh-ed25519", b"key two"), "SHA256:x") is None
    assert "changed" in str(keys.refusal("h", found, ("ssh-ed25519", b"key three"), "SHA256:x"))


def test_a_revoked_key_is_refused_though_it_is_known(tmp_path: Path) -> None:
    keys = known(tmp_path, f"h ssh-ed25519 {ONE}", f"@revoked * ssh-ed25519 {ONE}")
    assert "revokes" in str(keys.refusal("h", keys.keys("h", 22), ("ssh-ed25519", b"key one"), "SHA256:x"))


def test_the_server_is_asked_for_the_kind_of_key_that_is_known() -> None:
    useless = useless_algorithms((("ssh-rsa", b""),))
    assert "ssh-ed25519" in useless
    assert "rsa-sha2-512" not in useless
    assert useless_algorithms(()) == ()


def lookup(text: str, host: str) -> dict[str, str]:
    import io

    config = paramiko.SSHConfig()
    config.parse(io.StringIO(text))
    return dict(config.lookup(host))


def test_includes_stand_where_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.d/one").write_text("Host a\n User from-include\n")
    (tmp_path / "config.d/two").write_text("Host b\n User also\n")
    (tmp_path / "config").write_text(
        'Include "config.d/*"\nPort 2200\nHost a\n User too-late\n Include config.d/none\n IdentityFile x\n'
    )
    text = config_text(str(tmp_path / "config"))
    assert lookup(text, "a")["user"] == "from-include"
    assert lookup(text, "b")["user"] == "also"
    assert lookup(text, "c")["port"] == "2200"
    assert "identityfile" in lookup(text, "a")
    assert "identityfile" not in lookup(text, "b")


def test_includes_that_go_in_a_circle_are_told(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Include config\n")
    with pytest.raises(UsageMistake, match="levels"):
        config_text(str(tmp_path / "config"))


INVENTORY = Inventory(
    fleet="t",
    hosts={"gate": Host(name="gate", address="10.0.0.1"), "a": Host(name="a", address="10.0.0.2")},
    services={},
    ssh=Ssh(user="ops", port=2200, identity_file="key", gateway="gate", sudo=True),
)


@pytest.mark.parametrize(
    ("name", "address", "user", "port", "before"),
    [
        ("jump", "jump", None, None, None),
        ("ann@jump:2022", "jump", "ann", 2022, None),
        ("[fd00::1]:2022", "fd00::1", None, 2022, None),
        ("fd00::1", "fd00::1", None, None, None),
        ("first,bob@second:9", "second", "bob", 9, "first"),
        ("gate", "10.0.0.1", "ops", 2200, "gate"),
    ],
)
def test_a_gateway_is_named_as_ssh_names_it(
    name: str, address: str, user: str | None, port: int | None, before: str | None
) -> None:
    found = hop(INVENTORY, name)
    assert (found.address, found.ssh.user, found.ssh.port, found.ssh.gateway) == (address, user, port, before)


def test_the_inventorys_gateway_goes_before_ssh_configs_and_never_through_itself() -> None:
    assert gateway(INVENTORY, hop(INVENTORY, "a"), "10.0.0.2", {"proxyjump": "other"}) == "gate"
    assert gateway(INVENTORY, hop(INVENTORY, "gate"), "10.0.0.1", {}) is None
    outside = hop(INVENTORY, "jump")
    assert gateway(INVENTORY, outside, "jump.example", {"proxyjump": "other"}) == "other"
    assert gateway(INVENTORY, outside, "jump.example", {"proxyjump": "none"}) is None
    assert gateway(INVENTORY, outside, "jump.example", {"proxyjump": "ops@jump"}) is None
