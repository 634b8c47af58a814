"""Stop flags from the command line: `stop` sets them, `go` lifts them, `status`, `plan` and `run` show them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from restart.cli import rooms
from restart.errors import Refusal, Refused, UsageMistake

if TYPE_CHECKING:
    from restart.model.plan import Plan
    from restart.runner.flags import StopFlag
    from restart.runner.store import Store

Command = TypeVar("Command", bound=Callable[..., Any])

_SCOPES: tuple[Callable[[Any], Any], ...] = (
    click.option("--everything", is_flag=True, help="A stop flag on every fleet of this store, instead of one run."),
    click.option(
        "--fleet", metavar="FLEET", help="A stop flag on this fleet; with --service: the fleet it belongs to."
    ),
    click.option("--service", metavar="SERVICE", help="A stop flag on this service: holds the moves that touch it."),
)


def scoped(command: Command) -> Command:
    """The options that say on what a flag stands."""
    for option in reversed(_SCOPES):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """On what a flag stands, as the command line says it. Everything None: no flag is meant, but a run."""

    everything: bool
    fleet: str | None
    service: str | None

    @property
    def is_meant(self) -> bool:
        """Whether a flag is meant at all."""
        return self.everything or self.fleet is not None or self.service is not None

    @property
    def level(self) -> str:
        """Which of the three levels it is."""
        if self.everything and (self.fleet or self.service):
            raise UsageMistake(
                "--everything leaves nothing for --fleet and --service to add", remedy="name one of them"
            )
        return "everything" if self.everything else "service" if self.service is not None else "fleet"


def stop(store: str | None, scope: Scope, run: str | None, reason: str, form: str) -> None:
    """Set a flag. Raises `UsageMistake` where a run is named too, no reason is given, or the name is a slip of the pen: no flag stands then."""
    from restart.cli.speaking import speaker
    from restart.runner import flags
    from restart.runner.store import Store

    level = scope.level
    _alone(run)
    if not reason.strip():
        raise UsageMistake("a stop flag wants a reason, for whoever meets it", remedy="--reason 'TEXT'")
    with Store.open(rooms.store_path(store)) as opened:
        unknown = _unknown(opened, scope)
        flag = flags.raise_flag(
            opened, level=level, fleet=scope.fleet, service=scope.service, by=speaker(), reason=reason.strip()
        )
        going = _going(opened, flag)
    lift = f"{rooms.command_text(store)} go --flag {flag.number} --reason '...'"
    said = [f"{_capital(str(flag))}."]
    said.append(f"These runs hear it within a second or two: {', '.join(going)}." if going else "No run goes on now.")
    said += [f"Mind: {unknown}"] if unknown else []
    said.append("It holds for this store only: a controller with another store does not see it.")
    said.append(f"It stands until it is lifted: {lift}")
    _tell({"flag": _as_json(flag), "runs": going, "unknown": unknown}, said, form)


def go(
    store: str | None, scope: Scope, number: int | None, run: str | None, reason: str, form: str, *, dry: bool
) -> None:
    """Lift a flag. Raises `UsageMistake` where none stands there, or several do and none is named by its number."""
    from restart.cli.speaking import speaker
    from restart.runner import flags

    _alone(run)
    level = scope.level if scope.is_meant else None
    with rooms.the_store(store) as opened:
        stand = flags.standing(opened)
        meant = [flag for flag in stand if _is(flag, level, scope, number)]
        if not meant:
            known = "; ".join(map(str, stand)) or "none stands at all"
            raise UsageMistake("no such stop flag stands", remedy=known)
        if len(meant) > 1:
            told = "; ".join(map(str, meant))
            raise UsageMistake(f"{len(meant)} stop flags stand there: {told}", remedy="lift one of them: go --flag N")
        flag = meant[0]
        if not dry:
            flags.lift_flag(opened, flag.number, by=speaker(), reason=reason)
        left = [str(other) for other in stand if other.number != flag.number]
    said = [f"Would lift: {flag}. Nothing was done." if dry else f"Lifted: {flag}."]
    said += [f"Still: {other}." for other in left]
    _tell({"lifted": None if dry else _as_json(flag), "standing": left}, said, form)


def standing(store: str | None, fleet: str | None = None) -> tuple[StopFlag, ...]:
    """The flags that stand (for `fleet`); none where there is no store."""
    opened = rooms.existing_store(store)
    if opened is None:
        return ()
    from restart.runner import flags

    with opened:
        return flags.standing(opened, fleet)


def lines(flags: tuple[StopFlag, ...]) -> str:
    """The flags for people, one paragraph each; empty where there is none."""
    from restart.reports.plan_text import WIDTH
    from restart.reports.prose import printable, wrapped

    return "".join("\n".join(wrapped(printable(f"STOPPED: {flag}."), width=WIDTH, rest="  ")) + "\n" for flag in flags)


def as_json(flags: tuple[StopFlag, ...]) -> list[Mapping[str, Any]]:
    """The flags as plain data."""
    return [_as_json(flag) for flag in flags]


def refuse(plan: Plan, store: str | None) -> tuple[StopFlag, ...]:
    """Raises `Refused` where a flag on everything or on the fleet stands, or one that touches every move of the plan.

    The flags on services are given back: the run begins, and holds the moves that touch them.
    """
    stand = standing(store, plan.fleet)
    closed = [flag for flag in stand if flag.level != "service"]
    named = {flag.service: flag for flag in stand if flag.level == "service"}
    moves = plan.moves()
    if not closed and moves and all(named.keys() & set(move.services) for move in moves):
        closed = [flag for flag in stand if flag.level == "service"]
    if closed:
        raise Refused(
            tuple(
                Refusal(
                    rule="flag",
                    what=str(flag),
                    way_out=f"ask {flag.by}; it is lifted by: {rooms.command_text(store)} go --flag {flag.number} --reason '...'",
                )
                for flag in closed
            ),
            subject="run",
        )
    return stand


def _alone(run: str | None) -> None:
    if run is not None:
        raise UsageMistake("a flag is not said to one run", remedy="leave the run's name out, or the flag's options")


def _is(flag: StopFlag, level: str | None, scope: Scope, number: int | None) -> bool:
    if number is not None and flag.number != number:
        return False
    if level is None:
        return True
    return (
        flag.level == level
        and (scope.service is None or flag.service == scope.service)
        and (scope.fleet is None or flag.fleet == scope.fleet)
    )


def _going(store: Store, flag: StopFlag) -> list[str]:
    from restart.cli import journals
    from restart.runner import runs

    found = [run for run in runs.unfinished(store, flag.fleet) if journals.led(store, run).going]
    return [run.id for run in found]


def _unknown(store: Store, scope: Scope) -> str:
    """A warning where the name stands for nothing that this store has seen yet.

    A flag on a slip of the pen protects nobody and reads as if it did. So a service that no plan here has, and a fleet whose name is nearly that of another,
    are no warning but a `UsageMistake`.
    """
    from difflib import get_close_matches

    from restart.cli import journals
    from restart.runner import runs

    latest = {run.fleet: run for run in reversed(runs.runs(store))}
    if scope.fleet is not None and scope.fleet not in latest:
        near = get_close_matches(scope.fleet, latest, n=1)
        if near:
            what = (
                f"NOTHING IS STOPPED: no run of a fleet named {scope.fleet} is in this store (did you mean {near[0]}?)"
            )
            raise UsageMistake(what, remedy=f"--fleet {near[0]}, or --everything")
        return f"no run of a fleet named {scope.fleet} is in this store yet."
    if scope.service is not None:
        of = [run for fleet, run in latest.items() if scope.fleet in (None, fleet)]
        known = {name for run in of for name in journals.plan_of(store, run).inventory.services}
        if known and scope.service not in known:
            near = get_close_matches(scope.service, known, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            what = f"NOTHING IS STOPPED: no plan in this store has a service named {scope.service}{hint}"
            raise UsageMistake(what, remedy=f"--service {near[0] if near else 'NAME'}, or stop more: --fleet FLEET")
        if scope.service not in known:
            return f"no plan in this store has a service named {scope.service} yet."
    return ""


def _as_json(flag: StopFlag) -> Mapping[str, Any]:
    from restart.model.document import as_json as plain

    return {"number": flag.number, "level": flag.level, "fleet": flag.fleet, "service": flag.service, **plain(flag)}


def _tell(document: Mapping[str, Any], said: list[str], form: str) -> None:
    if form == "json":
        rooms.show_json({"version": 1, **document, "says": said})
    else:
        rooms.show("\n".join(said) + "\n")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
