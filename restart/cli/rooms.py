"""Where the rooms of the house are joined: gates from their shelf, inventories and plans from files, the store."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from restart.errors import Drift, InventoryInvalid, Refusal, Refused, RestartError, UsageMistake

if TYPE_CHECKING:
    from restart.model.inventory import Inventory
    from restart.model.observation import Observation
    from restart.model.plan import Duration, Override, Plan
    from restart.model.world import Gate, Power
    from restart.runner.store import Store

    Look = Callable[[Inventory, "Shape"], tuple["Shape", Observation | None]]
    """What was seen of the inventory's hosts, and the shape that the plan gets for it."""

DEFAULT_NAMES = ("inventory.yml", "inventory.yaml", "inventory")


def gates() -> dict[str, Gate]:
    """Every gate on the shelf, by kind. Raises `RestartError` naming the plugin that cannot be loaded."""
    shelf = {gate.kind: gate for gate in _shelf("restart.gates", "gate")}
    if not shelf:
        raise RestartError(
            "no gates are installed, not even our own", remedy="install the package again: pip install staged-restart"
        )
    return shelf


def powers() -> dict[str, Power]:
    """Every power method on the shelf, by its name. Raises `RestartError` naming the plugin that cannot be loaded."""
    return {power.method: power for power in _shelf("restart.power", "power method")}


def _shelf(group: str, noun: str) -> list[Any]:
    """What the entry points of `group` lead to."""
    from importlib.metadata import entry_points

    shelf = []
    for entry in entry_points(group=group):
        origin = f"{entry.name} of {entry.dist.name}" if entry.dist else entry.name
        try:
            shelf.append(entry.load())
        except Exception as error:
            # A plugin is foreign code: whatever it raises is told with its name.
            raise RestartError(
                f"the {noun} {origin} ({entry.value}) cannot be loaded: {type(error).__name__}: {error}",
                remedy="mend or uninstall it",
            ) from error
    return shelf


def inventory_path(given: str | None) -> Path:
    """The inventory's file or folder: as given, or the usual name in this folder. Raises `UsageMistake`."""
    if given is not None:
        path = Path(given)
        if not path.exists():
            raise UsageMistake(
                f"there is no {given}", remedy="name an inventory file or folder; restart init writes one"
            )
        return path
    for name in DEFAULT_NAMES:
        if Path(name).exists():
            return Path(name)
    raise UsageMistake(
        "no inventory is given, and this folder has no inventory.yml",
        remedy="name one, or write one with: restart init",
    )


def read_inventory(path: Path, shelf: Mapping[str, Gate], *, cycles_are_problems: bool = False) -> Inventory:
    """The inventory at `path`. Raises `InventoryInvalid` with every problem, `UsageMistake` where it cannot be opened.

    A cycle of services is a problem to `validate`; to `plan` it is a refusal of its own.
    """
    from restart.inventory import read

    try:
        found = read([path], shelf, powers=powers(), cycles_are_problems=cycles_are_problems)
    except OSError as error:
        raise UsageMistake(f"{path} cannot be read: {error.strerror}") from error
    except InventoryInvalid:
        # A page of unknown keys would not say what the mistake is.
        _refuse_our_own(path)
        raise
    _hide_passwords(found)
    return found


def _refuse_our_own(path: Path) -> None:
    """Raises `UsageMistake` where `path` is a plan or an observation that this tool has written."""
    if not is_plan(path):
        return
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return
    keys = document.keys() if isinstance(document, dict) else ()
    if "waves" in keys:
        raise UsageMistake(
            f"{path} is a saved plan, and an inventory is wanted",
            remedy=f"name the inventory; restart run {path} carries the plan out",
        )
    if "kind" in keys:
        raise UsageMistake(
            f"{path} is what a survey or another look saw, and an inventory is wanted",
            remedy=f"name the inventory: restart plan INVENTORY --observation {path}",
        )


def _hide_passwords(inventory: Inventory) -> None:
    """From here on no command that this process starts inherits a BMC's password, a survey's checks among them."""
    named = {
        host.power.params["password_env"]
        for host in inventory.hosts.values()
        if host.power is not None and "password_env" in host.power.params
    }
    if named:
        from restart.transports.power.credentials import take_over

        take_over(named)


def read_plan(path: Path) -> Plan:
    """A saved plan. Raises `UsageMistake` where the file holds none, `Drift` where it was changed after it was made."""
    from restart.planner import plan_from_json

    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageMistake(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageMistake(f"{path} is no plan: {error}", remedy="restart plan -o FILE writes one") from error
    return plan_from_json(document)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the command line says about the plan that is to be made."""

    limits: tuple[str, ...] = ()
    mode: str = "auto"
    within: str | None = None
    barrier: str | None = None
    canaries: int | None = None
    include_controller: bool = False
    overrides: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def selection(self) -> tuple[str, ...] | None:
        """The terms of the selection; None: everything."""
        return self.limits or None


def is_plan(path: Path) -> bool:
    """Whether `path` is a saved plan rather than an inventory: a file named `.json`."""
    return path.is_file() and path.suffix == ".json"


def plan_of(
    path: Path, shape: Shape, store: str | None, shelf: Mapping[str, Gate] | None = None, look: Look | None = None
) -> Plan:
    """The saved plan at `path`, or a plan made from the inventory there, on what `look` says was seen of it."""
    if not is_plan(path):
        _known_mode(shape.mode)
        inventory = read_inventory(path, gates() if shelf is None else shelf)
        began_s = time.monotonic()
        shape, seen = (shape, None) if look is None else look(inventory, shape)
        return make_plan(inventory, shape, store, seen, looked_s=time.monotonic() - began_s)
    if shape.overrides:
        raise UsageMistake(
            f"{path} is a saved plan and does exactly what it says: no rule can be overridden at its run",
            remedy="plan again with --override, so that it can be reviewed",
        )
    if replace(shape, reason=None) != Shape():
        raise UsageMistake(
            f"{path} is a saved plan: --limit, --mode, --within, --barrier, --canaries and --include-controller no longer shape it",
            remedy="make a new plan from the inventory with them",
        )
    return read_plan(path)


def make_plan(
    inventory: Inventory,
    shape: Shape,
    store: str | None,
    observation: Observation | None = None,
    *,
    looked_s: float = 0.0,
) -> Plan:
    """A plan of `inventory`. Touches no network; the store only where there is one already. `looked_s`: how long the look before it took."""
    from restart import planner
    from restart.cli import timing
    from restart.runner import whereabouts

    _known_mode(shape.mode)
    inventory = whereabouts.with_path_found(inventory, whereabouts.here())
    made = planner.make_plan(
        inventory,
        selection=shape.selection,
        observation=observation,
        made_at=made_at(),
        mode=shape.mode,
        durations=durations(inventory.fleet, store),
        barrier=shape.barrier,
        canaries=shape.canaries,
        include_controller=shape.include_controller,
        overrides=overrides_of(shape),
        within_s=_within_s(shape, looked_s),
    )
    return timing.in_windows(made)


def overrides_of(shape: Shape) -> tuple[Override, ...]:
    """The rules to let go, with the reason for it. Raises `UsageMistake` where none is given."""
    from restart.model.plan import Override

    reason = (shape.reason or "").strip()
    if shape.overrides and not reason:
        raise UsageMistake(
            "--override wants a reason, for the journal and for who comes after you", remedy="--reason 'TEXT'"
        )
    return tuple(Override(rule=rule, reason=reason) for rule in shape.overrides)


def _within_s(shape: Shape, looked_s: float) -> float | None:
    """For how long there is power still, in seconds, less the look since it was said; None: nobody said. Raises `UsageMistake`."""
    if shape.within is None:
        return None
    if shape.mode not in ("shutdown", "stop-start"):
        raise UsageMistake("--within says how long a shutdown has", remedy="plan with --mode shutdown")
    from restart.rules.durations import seconds

    try:
        return max(1.0, seconds(shape.within) - int(looked_s))
    except ValueError as error:
        raise UsageMistake(f"--within: {error}", remedy="write a duration such as 12m") from None


def _known_mode(mode: str) -> None:
    """Raises `Refused` where nothing can be planned in `mode`, before any host is looked at for it."""
    from restart import planner

    if mode not in (*planner.MODES, "auto"):
        known = " or ".join(f"--mode {name}" for name in planner.MODES)
        raise Refused((Refusal(rule="mode", what=f"there is no mode {mode}", way_out=f"plan with {known}"),))


def durations(fleet: str, store: str | None) -> Mapping[str, Duration]:
    """What earlier runs taught; nothing where there is no store. None is made."""
    opened = existing_store(store)
    if opened is None:
        return {}
    from restart.runner import history

    with opened:
        return history.durations(opened, fleet)


def made_at() -> str:
    """Now, or the moment that SOURCE_DATE_EPOCH names: UTC, RFC 3339. Raises `UsageMistake` where that is no number."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        seconds = time.time() if given is None else int(given)
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    except (ValueError, OverflowError):
        raise UsageMistake(
            f"SOURCE_DATE_EPOCH is {given!r}, which is no time in seconds since 1970", remedy="unset it"
        ) from None


def store_path(store: str | None) -> Path | None:
    """The store's file where one is named; None: the usual place."""
    return Path(store) if store else None


def existing_store(store: str | None) -> Store | None:
    """The store, open, where there is one; None: there is none, and none is made."""
    from restart.runner.store import Store

    return Store.existing(store_path(store))


def the_store(store: str | None) -> Store:
    """The store, open. Raises `UsageMistake` where there is none: then there is no run to speak of."""
    opened = existing_store(store)
    if opened is None:
        raise UsageMistake(
            "there is no run yet", remedy="restart run begins one; --store or RESTART_STORE names another store"
        )
    return opened


def command_text(store: str | None) -> str:
    """How the operator calls this tool with this store, for commands that are to be copied."""
    import shlex

    if not store or os.environ.get("RESTART_STORE") == store:
        return "restart"
    return f"restart --store {shlex.quote(store)}"


def document_text(document: Mapping[str, Any]) -> str:
    """JSON with one line for each entry of each top-level value: stable, quick for ten thousand hosts, and good in a diff."""
    parts = []
    for key, value in document.items():
        if isinstance(value, dict) and value:
            inner = ",\n".join(f"  {_compact(name)}: {_compact(held)}" for name, held in value.items())
            text = f"{{\n{inner}\n }}"
        elif isinstance(value, list) and value:
            inner = ",\n".join(f"  {_compact(held)}" for held in value)
            text = f"[\n{inner}\n ]"
        else:
            text = _compact(value)
        parts.append(f" {_compact(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def save(path: str, text: str) -> None:
    """Write `text` to `path`, whole or not at all. Raises `UsageMistake` where it cannot be written."""
    target = Path(path)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UsageMistake(f"{path} cannot be written: {error.strerror}") from error


def show(text: str) -> None:
    """Print `text` as it is; on a terminal that shows colours, headings and alarms stand out."""
    from restart.reports.terminal import painted

    click.echo(painted(text) if has_colours(sys.stdout) else text, nl=False, color=True)


def show_json(value: Any) -> None:
    """Print `value` as indented JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def has_colours(stream: Any) -> bool:
    """Whether `stream` is a terminal that may get colours: NO_COLOR and TERM=dumb are honoured."""
    return is_drawable(stream) and not os.environ.get("NO_COLOR")


def is_drawable(stream: Any) -> bool:
    """Whether `stream` is a terminal that can be drawn on and knows our characters."""
    encoding = (getattr(stream, "encoding", None) or "").lower().replace("-", "")
    return bool(stream.isatty()) and os.environ.get("TERM", "") not in ("", "dumb") and encoding == "utf8"


def same_inventory(plan: Plan, path: Path, shelf: Mapping[str, Gate]) -> None:
    """Raises `Drift` unless the inventory at `path` is the one the plan was made from."""
    inventory = read_inventory(path, shelf)
    again = digest_of(inventory)
    written = digest_of(_with_options_of(plan, inventory))
    if plan.inventory_digest not in (again, written):
        raise Drift(
            f"{path} is no longer the inventory the plan was made from ({plan.inventory_digest} then, {again} now)",
            remedy="make the plan again and review what changed",
        )


def _with_options_of(plan: Plan, inventory: Inventory) -> Inventory:
    """`inventory` with what was written into the plan's: barrier and canaries of the command line, and the path that was found."""
    policy = replace(inventory.policy, barrier=plan.inventory.policy.barrier, canaries=plan.inventory.policy.canaries)
    known = plan.inventory.services
    services = {
        name: replace(service, canaries=known[name].canaries) if name in known else service
        for name, service in inventory.services.items()
    }
    marked = plan.inventory.hosts
    hosts = {
        name: replace(
            host,
            controller=marked[name].controller if marked[name].on_path else host.controller,
            on_path=marked[name].on_path,
            asked_by=marked[name].asked_by,
        )
        if name in marked
        else host
        for name, host in inventory.hosts.items()
    }
    return replace(inventory, policy=policy, services=services, hosts=hosts)


def digest_of(inventory: Inventory) -> str:
    """The digest of an inventory in its resolved form (design: rule 13)."""
    from restart.model.document import as_json, digest

    return digest(as_json(inventory))
