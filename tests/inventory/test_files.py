"""Files and folders: what is read, what is merged, where playbooks lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from restart.errors import InventoryInvalid
from restart.inventory import read
from restart.model.playbook import Playbook, Rung, Step
from tests.inventory.reading import GATES, SMALL


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return folder


def told(*paths: Path) -> list[str]:
    with pytest.raises(InventoryInvalid) as raised:
        read(paths, GATES)
    return [str(problem).replace(f"{paths[0].parent}/", "") for problem in raised.value.problems]


def parts(folder: Path) -> Path:
    return write(
        folder,
        a_fleet="version: 1\nfleet: parts\ndefaults: {ssh: {user: ops}}\n",
        b_hosts="version: 1\nhosts: {web-1: {}}\npolicy: {max_failures: 2}\n",
        c_more="hosts: {web-2: {}}\ndefaults: {expect: {boot: 1m}}\nwatch: [{http: 'http://a/'}]\n",
        d_services="services: {web: {hosts: 'web-*'}}\nlimits: {fleet: {max_in_flight: 1}}\nwatch: [{http: 'http://b/'}]\n",
    )


def test_a_folder_of_files_is_one_inventory(tmp_path: Path) -> None:
    inventory = read([parts(tmp_path / "f")], GATES)
    assert (inventory.fleet, list(inventory.hosts), inventory.services["web"].hosts) == (
        "parts",
        ["web-1", "web-2"],
        ("web-1", "web-2"),
    )
    assert (inventory.ssh.user, inventory.expect.boot_s, inventory.policy.max_failures) == ("ops", 60.0, 2)
    assert [check.params["url"] for check in inventory.watch] == ["http://a/", "http://b/"]


def test_several_paths_are_merged_and_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    folder = parts(tmp_path / "f")
    files = [folder / f"{name}.yml" for name in ("a_fleet", "b_hosts", "c_more", "d_services")]
    assert read([*files, files[0], folder], GATES) == read([folder], GATES)


def test_only_visible_yaml_files_of_the_folder_itself_are_read(tmp_path: Path) -> None:
    folder = parts(tmp_path / "f")
    write(folder / "deeper", x="nonsense")
    (folder / ".hidden.yml").write_text("nonsense")
    (folder / "notes.txt").write_text("nonsense")
    (folder / "dir.yml").mkdir()
    assert read([folder], GATES).fleet == "parts"


def test_what_two_files_say_is_told_with_both(tmp_path: Path) -> None:
    folder = parts(tmp_path / "f")
    write(
        folder,
        e_again="version: 1\nfleet: other\nhosts: {web-2: {}}\nservices: {web: {hosts: web-1}}\n"
        "limits: {fleet: {max_in_flight: 2}}\npolicy: {max_failures: 3}\ndefaults: {ssh: {}}\n",
    )
    assert told(folder) == [
        "f/e_again.yml:2:8: fleet: another fleet than parts in f/a_fleet.yml (one inventory is one fleet)",
        "f/e_again.yml:3:9: hosts: host web-2 is in two entries, the other is web-2 in f/c_more.yml:1 (take one of them out)",
        "f/e_again.yml:4:12: services: service web is also in f/d_services.yml (keep one)",
        "f/e_again.yml:5:10: limits: limit fleet is in another file too (keep one)",
        "f/e_again.yml:6:10: policy: max_failures is in f/b_hosts.yml too (keep one)",
        "f/e_again.yml:7:12: defaults: ssh is in f/a_fleet.yml too (keep one)",
    ]


def test_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    folder = write(tmp_path / "f", a="fleet: [", b="version: 1\nhots: {}\n", c="\tx")
    assert [line.split(": ")[0] for line in told(folder)] == ["f/a.yml:2:1", "f/b.yml:2:1", "f/c.yml:1:1"]


@pytest.mark.parametrize("kind", ["empty", "gone", "looping"])
def test_a_folder_that_gives_nothing_is_a_problem(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / kind
    if kind != "gone":
        folder.mkdir()
    if kind == "looping":
        (folder / "x.yml").symlink_to(folder / "x.yml")
    (line,) = told(folder)
    assert line.startswith(f"{kind}")


def test_a_file_without_end_is_left_in_time() -> None:
    (line,) = told(Path("/dev/zero"))
    assert "larger than 64 MiB" in line


def test_an_inventory_can_come_out_of_a_pipe(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, SMALL.encode())
    os.close(writing)
    assert read([Path(f"/dev/fd/{reading}")], GATES).fleet == "small"
    os.close(reading)


PLAYBOOK = "version: 1\nrestart: [{reboot: {back_within: %s}}]\n"


@pytest.mark.parametrize("place", ["inventories/playbooks", "playbooks"], ids=["beside the file", "beside its folder"])
def test_a_playbook_is_found_beside_the_inventory_or_one_level_up(tmp_path: Path, place: str) -> None:
    folder = write(tmp_path / "inventories", fleet=SMALL + "defaults: {playbook: mine}\n")
    write(tmp_path / place, mine=PLAYBOOK % "1m")
    inventory = read([folder / "fleet.yml"], GATES)
    assert inventory.playbooks == {"mine": Playbook(name="mine", restart=(Rung(kind="reboot", back_within_s=60.0),))}


@pytest.mark.parametrize("place", ["f/playbooks", "playbooks"])
def test_a_playbook_of_a_folder_is_found_inside_of_it_or_beside_it(tmp_path: Path, place: str) -> None:
    folder = write(tmp_path / "f", fleet=SMALL + "defaults: {playbook: mine}\n")
    write(tmp_path / place, mine=PLAYBOOK % "1m")
    assert read([folder], GATES).playbooks.keys() == {"mine"}


def test_the_nearest_playbook_wins_and_the_built_in_reboot_is_last(tmp_path: Path) -> None:
    folder = write(tmp_path / "f", fleet=SMALL)
    built_in = read([folder / "fleet.yml"], GATES).playbooks
    assert built_in == {"reboot": Playbook(name="reboot", restart=(Rung(kind="reboot"),))}
    write(tmp_path / "playbooks", reboot=PLAYBOOK % "2m")
    assert read([folder / "fleet.yml"], GATES).playbooks["reboot"].restart[0].back_within_s == 120.0
    write(folder / "playbooks", reboot=PLAYBOOK % "1m")
    assert read([folder / "fleet.yml"], GATES).playbooks["reboot"].restart[0].back_within_s == 60.0


def test_a_playbook_that_nothing_names_is_not_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "f", fleet=SMALL)
    write(folder / "playbooks", broken="nonsense")
    assert read([folder], GATES).playbooks.keys() == {"reboot"}


def test_every_key_of_a_playbook_is_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "f", fleet=SMALL + "defaults: {playbook: full}\n")
    write(
        folder / "playbooks",
        full="""\
version: 1
name: full
drain:
  - {run: "off {host}", on: app-1, undo: "on {host}", timeout: 90s}
  - {approve: "drained?"}
restart:
  - service_restart: {units: [a.service, b.service], ready_within: 2m}
  - reboot:
  - power: {reset: cycle, back_within: 15m}
  - approve: "switch {host} on by hand"
start: [{power: {reset: "on"}}]
stop: [{poweroff: {down_within: 5m}}, {power: {reset: off}}]
""",
    )
    assert read([folder], GATES).playbooks["full"] == Playbook(
        name="full",
        drain=(
            Step(run="off {host}", on="app-1", undo="on {host}", timeout_s=90.0),
            Step(approve="drained?"),
        ),
        restart=(
            Rung(kind="service_restart", units=("a.service", "b.service"), ready_within_s=120.0),
            Rung(kind="reboot"),
            Rung(kind="power", reset="cycle", back_within_s=900.0),
            Rung(kind="approve", text="switch {host} on by hand"),
        ),
        start=(Rung(kind="power", reset="on"),),
        stop=(Rung(kind="poweroff", down_within_s=300.0), Rung(kind="power", reset="off")),
    )


def test_a_host_whose_services_name_different_playbooks_must_say_which(tmp_path: Path) -> None:
    text = (
        "version: 1\nfleet: x\nhosts: {h: {%s}}\nservices: {a: {hosts: h, playbook: p}, b: {hosts: h, playbook: q}}\n"
    )
    folder = write(tmp_path / "f", fleet=text % "")
    write(folder / "playbooks", p=PLAYBOOK % "1m", q=PLAYBOOK % "1m")
    assert told(folder) == ["f/fleet.yml:3:12: hosts.h: which playbook? a says p and b says q (name one on the host)"]
    write(folder, fleet=text % "playbook: q")
    assert read([folder], GATES).playbooks.keys() == {"p", "q", "reboot"}
