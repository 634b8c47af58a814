"""The one question before a run, and what answers it in a script (design: section 6)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from restart.errors import Refusal, Refused, UsageMistake

if TYPE_CHECKING:
    from restart.model.plan import Plan, Wave


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What the command line says beforehand. `hosts`: the number of hosts; `paths`: path hosts, by name; `cuts`: the number of hosts
    whose power may be cut."""

    yes: bool = False
    hosts: int | None = None
    paths: tuple[str, ...] = ()
    cuts: int | None = None


def ask(plan: Plan, consent: Consent, *, until_wave: int | None = None) -> None:
    """Return where the operator means this scope. Raises `Refused` (exit 4) otherwise, `UsageMistake` where nobody can be asked.

    Nothing here lifts a floor: it only makes sure that the scope is the one that is meant.
    """
    hosts = _hosts_of(plan, lambda wave: until_wave is None or wave.number <= until_wave)
    _ask_path(plan, hosts, consent)
    _ask_cuts(plan, consent)
    # Spares may be touched, so that whoever types a number has to have seen them.
    restarted, hosts = len(hosts), list(dict.fromkeys((*hosts, *(spare.host for spare in plan.spares))))
    spares = f" and may call up {len(hosts) - restarted} spares" if len(hosts) > restarted else ""
    if consent.hosts is not None:
        if consent.hosts != len(hosts):
            _refuse(
                "yes-hosts",
                f"--yes-hosts says {consent.hosts}, this run restarts {restarted}{spares}",
                "look at the scope again",
            )
        return
    share, above = len(hosts) / max(1, len(plan.inventory.hosts)), plan.inventory.policy.confirm_above
    if share > above:
        what = f"{len(hosts)} of {len(plan.inventory.hosts)} hosts is {share:.0%} of the fleet{', spares counted' if spares else ''}, above confirm_above ({above:.0%})"
        _ask_number(what, len(hosts))
    elif not consent.yes:
        if not _present():
            raise UsageMistake("nobody is here to be asked whether this is meant", remedy="say so with --yes")
        if not click.confirm("Go on?", err=True):
            _refuse("confirm", "you said no", "nothing was touched")


def ask_beyond(plan: Plan, consent: Consent, *, after_wave: int) -> None:
    """The same for a resume past `after_wave`, where the run was to stop: the hosts behind it were not part of what was confirmed.

    What counts against `confirm_above` is the whole plan, so that no fleet is restarted in pieces that nobody is asked about; a plan
    below it needs no further word than the resume itself. Power that may be cut, and spares, were confirmed for the whole plan.
    """
    hosts = _hosts_of(plan, lambda wave: wave.number > after_wave)
    _ask_path(plan, hosts, consent)
    if consent.hosts is not None:
        if consent.hosts != len(hosts):
            _refuse(
                "yes-hosts",
                f"--yes-hosts says {consent.hosts}, this resume restarts {len(hosts)} beyond wave {after_wave}",
                "look at the scope again",
            )
        return
    whole, fleet = len(_hosts_of(plan, lambda wave: True)), len(plan.inventory.hosts)
    share, above = whole / max(1, fleet), plan.inventory.policy.confirm_above
    if hosts and share > above:
        what = (
            f"{len(hosts)} hosts beyond wave {after_wave} were not confirmed yet; "
            f"with those before them {whole} of {fleet} is {share:.0%} of the fleet, above confirm_above ({above:.0%})"
        )
        _ask_number(what, len(hosts))


def _hosts_of(plan: Plan, meant: Callable[[Wave], bool]) -> list[str]:
    """The hosts of these waves, each once, in the plan's order."""
    return list(dict.fromkeys(move.host for wave in plan.waves if meant(wave) for move in wave.moves))


def _ask_number(what: str, hosts: int) -> None:
    if not _present():
        _refuse("confirm_above", what, "say that you mean it: --yes-hosts NUMBER, the number of hosts")
    typed = click.prompt(f"{what}.\nType the number of hosts to go on", err=True)
    if typed.strip() != str(hosts):
        _refuse("confirm_above", f"{typed.strip()!r} is not {hosts}", "nothing was touched")


def _ask_path(plan: Plan, hosts: list[str], consent: Consent) -> None:
    from restart.rules.path import path_alone, path_hosts

    for name in consent.paths:
        if name not in plan.inventory.hosts:
            raise UsageMistake(f"--yes-path {name}: {plan.fleet} has no such host")
    alone = path_alone(plan.inventory)
    wanting = [host for host in hosts if host in alone and host not in consent.paths]
    if not wanting:
        return
    why = path_hosts(plan.inventory)
    cut_off = {
        host: f"while {host} restarts, this controller is cut off or blind: {why.get(host, 'it is on the path')}"
        for host in wanting
    }
    if not _present():
        way_out = "say that you mean it: --yes-path {0}, or leave it out: --limit '!{0}'"
        refusals = (Refusal(rule="path", what=what, way_out=way_out.format(host)) for host, what in cut_off.items())
        raise Refused(tuple(refusals), subject="run")
    for host, what in cut_off.items():
        typed = click.prompt(f"{what}.\nType its name to go on", err=True)
        if typed.strip() != host:
            _refuse("path", f"{typed.strip()!r} is not {host}", "nothing was touched")


def _ask_cuts(plan: Plan, consent: Consent) -> None:
    """Power that is cut asks no leave of the system behind it: that is meant for this run, resumes included, or it does not begin."""
    from restart.rules.cuts import may_be_cut

    hosts = may_be_cut(plan)
    if not hosts and consent.cuts in (None, 0):
        return
    what = f"the ladders of {len(hosts)} hosts may cut their power (ForceOff), whatever runs on them"
    if consent.cuts is not None:
        if consent.cuts != len(hosts):
            _refuse("yes-force-off", f"--yes-force-off says {consent.cuts}, {what}", "look at the scope again")
        return
    if not _present():
        _refuse(
            "yes-force-off",
            what,
            f"say that you mean it: --yes-force-off {len(hosts)}, or take power off and cycle out of the ladder",
        )
    typed = click.prompt(f"{what}.\nType the number of these hosts to go on", err=True)
    if typed.strip() != str(len(hosts)):
        _refuse("yes-force-off", f"{typed.strip()!r} is not {len(hosts)}", "nothing was touched")


def _present() -> bool:
    """Whether somebody can answer a question."""
    return sys.stdin.isatty()


def _refuse(rule: str, what: str, way_out: str) -> None:
    raise Refused((Refusal(rule=rule, what=what, way_out=way_out),), subject="run")
