"""Power rungs on the ladders of hosts whose power nobody can switch: a refusal before the night, not a surprise in it."""

from __future__ import annotations

from restart.errors import Refusal
from restart.model.inventory import Inventory
from restart.model.playbook import Playbook, PowerControl, Rung
from restart.planner.books import playbook_name, playbook_names
from restart.planner.refusals import some
from restart.planner.scope import Scope


def powerless(scope: Scope, act: str = "restart") -> tuple[Refusal, ...]:
    """Power rungs on the ladder `act` of hosts whose power nobody can switch that way: one refusal for each rung."""
    inventory = scope.inventory
    books = playbook_names(inventory)
    users: dict[str, list[str]] = {}
    for host in scope.moving:
        users.setdefault(playbook_name(inventory, books, host, scope.services_of[host]), []).append(host)
    found = []
    for name, hosts in users.items():
        if act == "restart" and name in inventory.playbooks and not inventory.playbooks[name].restart:
            what = (
                f"playbook {name} has no `restart:` ladder, and {len(hosts)} hosts are restarted by it ({some(hosts)})"
            )
            way_out = "write `restart:` into it, or give these hosts another playbook"
            found.append(Refusal(rule=f"playbook {name}", what=what, way_out=way_out))
        for number, rung in enumerate(_ladder(inventory.playbooks.get(name, Playbook(name=name)), act), 1):
            if rung.kind == "power":
                found += _rung(inventory, name, act, number, rung, hosts)
    return tuple(found)


def _ladder(playbook: Playbook, act: str) -> tuple[Rung, ...]:
    return {"restart": playbook.restart, "start": playbook.start, "stop": playbook.stop}[act]


def _rung(inventory: Inventory, name: str, act: str, number: int, rung: Rung, hosts: list[str]) -> list[Refusal]:
    rule, reset = f"playbook {name}", rung.reset or ""
    what = f"playbook {name}: rung {number} of {act} switches power ({reset})"
    found = []
    without = [host for host in hosts if inventory.hosts[host].power is None]
    if without:
        said = f"{what}, and {len(without)} of its hosts have no `power:` ({some(without)})"
        way_out = "write `power:` for them in the inventory, or give them a playbook without this rung"
        found.append(Refusal(rule=rule, what=said, way_out=way_out))
    unable = [host for host in hosts if (power := inventory.hosts[host].power) is not None and not _able(power, rung)]
    if unable:
        methods = ", ".join(sorted({power.method for host in unable if (power := inventory.hosts[host].power)}))
        said = f"{what}, which `{methods}` cannot do on {len(unable)} of its hosts ({some(unable)})"
        way_out = (
            "state another method under `power:`, the missing command (`state` too, or `blind: true` on the rung), "
            "or another reset in the playbook"
        )
        found.append(Refusal(rule=rule, what=said, way_out=way_out))
    return found


def _able(power: PowerControl, rung: Rung) -> bool:
    """Whether this control can carry the rung out: wake-on-LAN only wakes, commands do what they are written for.

    A rung that cuts power is not carried out where nobody can say whether the host is on, unless it says `blind`.
    """
    reset = rung.reset or ""
    if power.method == "wol":
        return reset == "on"
    if power.method == "command":
        written = power.params.keys()
        seen = "state" in written or rung.blind or reset in ("on", "graceful")
        return seen and (reset in written or (reset == "cycle" and {"on", "off", "state"} <= written))
    return True
