"""The shell commands with which a person does what the tool would do: reach a host, drain, restart, verify, undrain."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator

from restart.model.check import Check
from restart.model.inventory import Host, Inventory
from restart.model.plan import Move
from restart.model.playbook import Rung, Step
from restart.rules.comparing import comparison
from restart.rules.durations import spoken
from restart.rules.fill import fill, for_url
from restart.rules.moves import ready_checks

BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
STANDS = (
    "{ ss -Hlntu | awk '{print $1, $5}'; systemctl list-units --state=running,listening,waiting --plain --no-legend | cut -d' ' -f1; "
    "cut -d' ' -f2,3 /proc/mounts; ip -o addr show scope global | awk '{print $2, $4}'; ip route; } | sort -u"
)
"""What stands on a host, as text to be compared by a person."""
CONFIG = "runbook-ssh.conf"


def ssh_config(inventory: Inventory, hosts: Iterable[str]) -> list[str]:
    """The `CONFIG` file that makes `ssh -F CONFIG HOST` reach each of `hosts` the way the tool does, gateways among them."""
    wanted: dict[str, None] = {}
    queue = list(hosts)
    for host in queue:
        if host not in wanted and host in inventory.hosts:
            wanted[host] = None
            gateway = inventory.ssh_of(host).gateway
            if gateway:
                queue.append(gateway)
    lines = []
    for host in wanted:
        settings = inventory.ssh_of(host)
        lines += [f"Host {host}", f"  HostName {inventory.hosts[host].address}"]
        for word, value in (
            ("User", settings.user),
            ("Port", settings.port),
            ("IdentityFile", settings.identity_file),
            ("UserKnownHostsFile", settings.known_hosts),
            ("ProxyJump", settings.gateway if settings.gateway != host else None),
        ):
            if value is not None:
                lines.append(f'  {word} "{value}"' if " " in str(value) else f"  {word} {value}")
    # The first value wins in ssh_config, so what the user's own file says comes last.
    configs = {inventory.ssh_of(host).config or "~/.ssh/config" for host in wanted}
    return [*lines, "Host *", *(f"  Include {config}" for config in sorted(configs))]


def ssh(inventory: Inventory, host: str, command: str, *, root: bool = False) -> str:
    """A shell line that runs `command` on `host` by way of `CONFIG`; `root` adds sudo where the inventory says so."""
    if root and inventory.ssh_of(host).sudo:
        command = f"sudo {command}" if command.startswith("systemctl ") else f"sudo sh -c {shlex.quote(command)}"
    return f"ssh -F {CONFIG} {shlex.quote(host)} {shlex.quote(command)}"


def drain_lines(inventory: Inventory, move: Move) -> list[str]:
    """The drain's steps, in order."""
    playbook = inventory.playbooks.get(move.playbook)
    return [_step(inventory, move, step, step.run) for step in (playbook.drain if playbook else ())]


def undrain_lines(inventory: Inventory, move: Move) -> list[str]:
    """The drain's undo steps, in reverse order."""
    playbook = inventory.playbooks.get(move.playbook)
    steps = reversed(playbook.drain if playbook else ())
    return [_step(inventory, move, step, step.undo) for step in steps if step.undo]


def restart_lines(inventory: Inventory, move: Move) -> list[str]:
    """The ladder's first rung as commands; every further rung as a comment that says when it is due."""
    playbook = inventory.playbooks.get(move.playbook)
    rungs = playbook.restart if playbook else ()
    lines: list[str] = []
    if rungs and comparison(inventory, move.services) is not None:
        look = ssh(inventory, move.host, STANDS, root=True)
        lines.append(f"{look} >{shlex.quote(move.host)}.before   # what must be there again afterwards")
    for number, rung in enumerate(rungs, 1):
        if number > 1:
            lines.append(f"# only if the host did not come back by the way above: way {number} of {len(rungs)}")
        lines += _rung(inventory, move, rung)
    return lines


def verify_lines(inventory: Inventory, move: Move) -> list[str]:
    """The `ready` checks of the host in each of its services."""
    host = inventory.hosts[move.host]
    lines: list[str] = []
    for name in move.services:
        for check in ready_checks(inventory.services[name]):
            lines.append(_check(inventory, check, host, name))
    lines = lines or [ssh(inventory, move.host, "true")]
    if move.act == "restart" and comparison(inventory, move.services) is not None:
        look = ssh(inventory, move.host, STANDS, root=True)
        lines.append(f"{look} | diff {shlex.quote(move.host)}.before -   # nothing that was there may be missing")
    return lines


def gate_lines(inventory: Inventory, service: str) -> list[str]:
    """The gate's checks of `service` as a group."""
    return [_check(inventory, check, None, service) for check in inventory.services[service].gate]


def _filled(text: str, host: Host | None, service: str | None) -> str:
    try:
        return fill(text, host, service)
    except ValueError as error:
        # A runbook is read before it is used: the hole stays visible and says why it is one.
        return f"{text}  # {error}"


def _step(inventory: Inventory, move: Move, step: Step, command: str | None) -> str:
    if step.approve is not None:
        return f"# ask a person: {step.approve}"
    host = inventory.hosts[move.host]
    line = _filled(command or "", host, move.services[0] if len(move.services) == 1 else None)
    on = step.on or move.host
    return ssh(inventory, on, line, root=True) if on in inventory.hosts else f"# on {on}: {line}"


def _rung(inventory: Inventory, move: Move, rung: Rung) -> Iterator[str]:
    if rung.kind == "service_restart":
        units = " ".join(shlex.quote(unit) for unit in rung.units)
        yield ssh(inventory, move.host, f"systemctl restart {units}", root=True)
        yield f"# must be active within {spoken(rung.ready_within_s)}"
        yield ssh(inventory, move.host, f"systemctl is-active {units}")
    elif rung.kind == "reboot":
        yield f"{ssh(inventory, move.host, BOOT_ID)}   # write it down: the boot id before"
        yield ssh(inventory, move.host, "systemctl reboot", root=True)
        yield f"# must stop answering within {spoken(rung.down_within_s)}, and answer again within {spoken(rung.back_within_s)}"
        yield f"{ssh(inventory, move.host, BOOT_ID)}   # must differ from the boot id before"
    elif rung.kind in ("power", "poweroff"):
        how = f"power: {rung.reset}" if rung.kind == "power" else "power off"
        yield f"# {how} {move.host}, by its management board or by hand; must be back within {spoken(rung.back_within_s)}"
    else:
        yield f"# ask a person: {rung.text or rung.kind}"


def _check(inventory: Inventory, check: Check, host: Host | None, service: str | None) -> str:
    params = check.params
    timeout_s = max(1, round(check.timeout_s))
    if check.kind == "ssh" and host is not None:
        return ssh(inventory, host.name, "true")
    if check.kind == "tcp":
        address = str(params.get("address") or (host.address if host else "ADDRESS"))
        return f"nc -z -w {timeout_s} {shlex.quote(_filled(address, host, service))} {params.get('port')}"
    if check.kind == "http":
        url = _url(str(params.get("url", "")), host, service)
        status = params.get("status", 200)
        wanted = " or ".join(str(each) for each in (status if isinstance(status, list | tuple) else (status,)))
        if params.get("contains"):
            return f"curl -sS -m {timeout_s} {shlex.quote(url)}   # {wanted} wanted, with {params['contains']!r} in it"
        return f"curl -sS -o /dev/null -w '%{{http_code}}\\n' -m {timeout_s} {shlex.quote(url)}   # {wanted} wanted"
    if check.kind == "command":
        line = _filled(str(params.get("run", "")), host, service)
        if host is None or params.get("on") == "controller":
            return f"{line}   # here, on the controller; exit status 0 wanted"
        return f"{ssh(inventory, host.name, line)}   # exit status 0 wanted"
    if check.kind == "systemd" and host is not None:
        units = " ".join(shlex.quote(_filled(unit, host, service)) for unit in params.get("units", ()))
        commands = [f"systemctl is-active {units}"] if units else []
        if not params.get("system"):
            return ssh(inventory, host.name, commands[0] if commands else "true")
        line = ssh(inventory, host.name, "; ".join([*commands, "systemctl is-system-running"]))
        return f"{line}   # every unit active, and the system {params['system']}"
    if check.kind == "boot" and host is not None:
        return f"{ssh(inventory, host.name, BOOT_ID)}   # must differ from the boot id before"
    if check.kind == "prometheus":
        url, query = shlex.quote(str(params.get("url", ""))), shlex.quote(f"query={params.get('query', '')}")
        return f"curl -sS -m {timeout_s} --data-urlencode {query} {url}/api/v1/query   # {params.get('expect')} wanted"
    if check.kind == "approve":
        return f"# ask a person: {params.get('text', '')}"
    return f"# check {check.kind} by hand: {json.dumps(dict(params), sort_keys=True, default=str)}"


def _url(url: str, host: Host | None, service: str | None) -> str:
    try:
        return fill(url, host, service, for_url)
    except ValueError:
        return url
