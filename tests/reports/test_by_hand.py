from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest

from restart.model.check import Check
from restart.model.inventory import Inventory, Ssh
from restart.model.plan import Move
from restart.model.playbook import Playbook, Rung, Step
from restart.reports import by_hand

MOVE = Move(host="db-1", services=("postgres",), playbook="reboot")


@pytest.mark.parametrize(
    ("kind", "params", "line"),
    [
        ("ssh", {}, "ssh -F runbook-ssh.conf db-1 true"),
        ("tcp", {"port": 5432}, "nc -z -w 5 10.0.1.1 5432"),
        ("tcp", {"port": 80, "address": "{address}"}, "nc -z -w 5 10.0.1.1 80"),
        ("http", {"url": "http://{address}/h", "status": [200, 204]}, "200 or 204 wanted"),
        ("http", {"url": "http://x/h", "status": [200], "contains": "ok"}, "200 wanted, with 'ok' in it"),
        ("command", {"run": "pg_isready -q", "on": "host"}, "ssh -F runbook-ssh.conf db-1 'pg_isready -q'"),
        ("command", {"run": "check {host}", "on": "controller"}, "check db-1   # here, on the controller"),
        (
            "systemd",
            {"units": ["a.service", "b@{host}.service"]},
            "db-1 'systemctl is-active a.service b@db-1.service'",
        ),
        (
            "systemd",
            {"system": "running"},
            "'systemctl is-system-running'   # every unit active, and the system running",
        ),
        ("boot", {}, "must differ from the boot id before"),
        ("prometheus", {"url": "http://p", "query": "up == 1", "expect": "== 1"}, "--data-urlencode 'query=up == 1'"),
        ("approve", {"text": "look at it"}, "# ask a person: look at it"),
        ("another", {"query": "x"}, "# check another by hand"),
    ],
)
def test_every_kind_of_check_has_its_command(
    inventory: Inventory, kind: str, params: dict[str, Any], line: str
) -> None:
    service = replace(inventory.services["postgres"], ready=(Check(kind=kind, params=params),))
    with_check = replace(inventory, services={**inventory.services, "postgres": service})
    (found,) = by_hand.verify_lines(with_check, MOVE)
    assert line in found


def test_each_way_of_the_ladder_has_its_commands(inventory: Inventory) -> None:
    ladder = (
        Rung(kind="service_restart", units=("app.service",)),
        Rung(kind="reboot"),
        Rung(kind="power", reset="cycle", back_within_s=900.0),
        Rung(kind="approve", text="replace the machine"),
    )
    step = Step(approve="is the backup done?")
    books = {"reboot": Playbook(name="reboot", drain=(step,), restart=ladder)}
    with_book = replace(inventory, playbooks=books)
    text = "\n".join(by_hand.restart_lines(with_book, MOVE))
    for part in (
        "ssh -F runbook-ssh.conf db-1 'sudo systemctl restart app.service'",
        "way 2 of 4",
        "'sudo systemctl reboot'",
        "# power: cycle db-1, by its management board or by hand; must be back within 15m",
        "# ask a person: replace the machine",
    ):
        assert part in text
    assert by_hand.drain_lines(with_book, MOVE) == ["# ask a person: is the backup done?"]


def test_undrain_runs_the_undo_steps_backwards(inventory: Inventory) -> None:
    steps = (Step(run="one", undo="undo one"), Step(run="two", undo="undo two"), Step(run="three"))
    books = {"reboot": Playbook(name="reboot", drain=steps)}
    lines = by_hand.undrain_lines(replace(inventory, playbooks=books), MOVE)
    assert [shlex.split(line)[-1] for line in lines] == ["sudo sh -c 'undo two'", "sudo sh -c 'undo one'"]


def test_a_hole_in_a_command_is_shown_and_not_hidden(inventory: Inventory) -> None:
    books = {"reboot": Playbook(name="reboot", drain=(Step(run="move {label.zone}"),))}
    (line,) = by_hand.drain_lines(replace(inventory, playbooks=books), MOVE)
    assert "{label.zone} has no value here" in line


def test_the_ssh_config_holds_gateways_and_values_with_blanks(inventory: Inventory) -> None:
    own = replace(inventory.hosts["db-1"], ssh=Ssh(user="pg", gateway="lb-1", identity_file="/my keys/id", port=2222))
    text = "\n".join(by_hand.ssh_config(replace(inventory, hosts={**inventory.hosts, "db-1": own}), ["db-1"]))
    assert (
        'Host db-1\n  HostName 10.0.1.1\n  User pg\n  Port 2222\n  IdentityFile "/my keys/id"\n  ProxyJump lb-1' in text
    )
    assert "Host lb-1\n" in text
    assert "Host bastion-1\n" in text
    assert text.endswith("Host *\n  Include ~/.ssh/config")


def test_a_host_that_is_compared_is_looked_at_by_hand_before_and_after(inventory: Inventory) -> None:
    service = replace(inventory.services["postgres"], same_as_before=Check(kind="same_as_before"))
    compared = replace(inventory, services={**inventory.services, "postgres": service})
    first, *_ = by_hand.restart_lines(compared, MOVE)
    last = by_hand.verify_lines(compared, MOVE)[-1]
    assert ">db-1.before" in first
    assert "| diff db-1.before -" in last
    assert not any("db-1.before" in line for line in by_hand.restart_lines(inventory, MOVE))
