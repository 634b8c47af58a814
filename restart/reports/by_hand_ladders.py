"""The shell commands of a move's own ladder, whichever that is: a cold start's runbook starts hosts, a shutdown's stops them, and neither reboots one."""

from __future__ import annotations

from collections.abc import Iterator

from restart.model.inventory import Inventory
from restart.model.plan import Move
from restart.model.playbook import Rung
from restart.reports import by_hand
from restart.rules.durations import spoken
from restart.rules.ladders import start_ladder
from restart.rules.stops import stop_ladder, tells

TITLES = {"restart": "restart", "start": "start", "stop": "stop"}

_SWITCH = {
    "on": "switch {host} on",
    "off": "cut the power of {host}",
    "cycle": "switch {host} off, see that it is off, and switch it on again",
    "force": "force {host} to restart",
    "graceful": "ask {host} to restart",
}
"""What each reset means for a person at a management board."""

_IPMI = {"on": "on", "off": "off", "cycle": "cycle", "force": "reset", "graceful": "soft"}


def ladder_lines(inventory: Inventory, move: Move) -> list[str]:
    """The first rung as commands; every further rung behind a comment that says when it is due."""
    playbook = inventory.playbooks.get(move.playbook)
    if move.act == "restart" or playbook is None:
        return by_hand.restart_lines(inventory, move)
    starting = move.act == "start"
    rungs = start_ladder(inventory.hosts[move.host], playbook) if starting else stop_ladder(playbook)
    undone = "does not answer" if starting else "is not off"
    lines: list[str] = []
    for number, rung in enumerate(rungs, 1):
        if number > 1:
            lines.append(f"# only if the host {undone} by the way above: way {number} of {len(rungs)}")
        lines += _rung(inventory, move, rung)
    return [*lines, *(() if starting else _proof(inventory, move))]


def undrain_lines(inventory: Inventory, move: Move) -> list[str]:
    """What is undone of the drain: nothing of a host that is off, and of one that is started what a shutdown left."""
    undone = move.act == "restart" or move.undrain
    return by_hand.undrain_lines(inventory, move) if undone else []


def drain_lines(inventory: Inventory, move: Move) -> list[str]:
    """The drain's steps: a host that is off has nothing to drain."""
    return [] if move.act == "start" else by_hand.drain_lines(inventory, move)


def _rung(inventory: Inventory, move: Move, rung: Rung) -> Iterator[str]:
    if rung.kind == "poweroff":
        yield by_hand.ssh(inventory, move.host, "systemctl poweroff", root=True)
        yield f"# must be off within {spoken(rung.down_within_s)}"
    elif rung.kind == "power":
        yield from _power(inventory, move, rung)
    elif rung.kind == "approve":
        yield f"# ask a person: {(rung.text or 'do it by hand').replace('{host}', move.host)}"
    else:
        yield f"# {rung.kind} {move.host}, as its playbook says"


def _power(inventory: Inventory, move: Move, rung: Rung) -> Iterator[str]:
    reset, control = rung.reset or "on", inventory.hosts[move.host].power
    within = f"must answer within {spoken(rung.back_within_s)}" if move.act == "start" else "must be off then"
    board = f" ({control.method})" if control is not None else ""
    yield f"# {_SWITCH[reset].format(host=move.host)}, by its management board{board} or by hand; {within}"
    if control is not None and control.method == "ipmi":
        address, user = control.params.get("address", "BMC"), control.params.get("user", "USER")
        yield f"ipmitool -I lanplus -H {address} -U {user} -a chassis power {_IPMI[reset]}   # asks for the password"


def _proof(inventory: Inventory, move: Move) -> Iterator[str]:
    if tells(inventory.hosts[move.host].power):
        yield "# off is proved when its management board says so"
    else:
        yield f"{by_hand.ssh(inventory, move.host, 'true')}   # must be refused or silent, and stay so for 30 s"
