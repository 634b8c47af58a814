"""plan --from RUN: the plan for what a run left. It needs only the facts in the run's journal, whichever version wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from restart.cli import journals, rooms
from restart.errors import Refusal, Refused, UsageMistake
from restart.reports.prose import count, listed

if TYPE_CHECKING:
    from restart.model.inventory import Inventory
    from restart.model.observation import Observation
    from restart.model.plan import Plan
    from restart.runner.runs import Run
    from restart.runner.store import Store

DONE = frozenset({"move_done"})
AGAIN = frozenset({"not_rebooted", "untouched", "skipped"})
"""The host is up and as it was: it is part of the rest."""
LOST = frozenset({"quarantined"})
AWAY = frozenset({"drift"})
OPEN = frozenset({"in_doubt", "rebooting", "booted", "soaking", "undraining"})
"""Nobody knows how it ended: looked at by a person, or by `restart resume`, before anything is done to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What a run left: its plan, who is to move still, and who is left out of the rest and why.

    `away`: hosts that it gave up before any act, because they were not as planned, and why: of the rest again once they are seen up.
    """

    plan: Plan
    run: str
    hosts: tuple[str, ...]
    done: tuple[str, ...]
    out: Mapping[str, str]
    away: Mapping[str, str]


def rest_of(store: str | None, name: str) -> Rest:
    """The rest of the run of that name.

    Raises `UsageMistake` where there is none, `Refused` where a process leads it, nothing is left or a later run took up what is left.
    """
    from restart.runner import runs

    with rooms.the_store(store) as opened:
        found = journals.led(opened, runs.find(opened, name))
        if found.going:
            what = f"run {found.run.id} goes on in another process"
            raise Refused((Refusal(rule="from", what=what, way_out=f"restart stop {found.run.id} first"),))
        plan = journals.plan_of(opened, found.run)
        open_ended = _open_ended(found.run)
        last = _last_facts(journals.rows_now(opened, found.run, plan), open_ended)
    done, hosts, out, away = [], [], {}, {}
    for host in dict.fromkeys(move.host for move in plan.moves()):
        fact, why = last.get(host, ("", ""))
        if fact in DONE:
            done.append(host)
        elif fact in AWAY:
            away[host] = (
                f"not as planned when run {found.run.id} came to it ({why}), and not seen up since; it counts as down"
            )
        elif fact in LOST:
            out[host] = f"quarantined by run {found.run.id}: {why or 'no reason told'}; it counts as down"
        elif fact in open_ended:
            out[host] = f"was in flight when run {found.run.id} ended: look at it first (restart resume {found.run.id})"
        else:
            hosts.append(host)
    with rooms.the_store(store) as opened:
        _refuse_taken_up(opened, found.run, (*hosts, *away))
    return Rest(plan=plan, run=found.run.id, hosts=tuple(hosts), done=tuple(done), out=out, away=away)


def _open_ended(run: Run) -> frozenset[str]:
    """A run that was cut off may lack the facts of its last event: whoever had begun may have been restarted."""
    return OPEN if run.ended else OPEN | {"move_started"}


def _refuse_taken_up(opened: Store, run: Run, hosts: Sequence[str]) -> None:
    """What a later run has acted on is no longer as `run` left it: to plan it once more would restart it a second time. Raises `Refused`."""
    from restart.runner import runs

    for later in takewhile(lambda one: one.id != run.id, runs.runs(opened, run.fleet)):
        last = _last_facts(journals.rows_now(opened, later, journals.plan_of(opened, later)), _open_ended(later))
        acted = {host for host, (fact, _) in last.items() if fact in DONE | LOST | OPEN | {"move_started"}}
        taken = [host for host in hosts if host in acted]
        if taken:
            what = (
                f"after run {run.id} came run {later.id}, which took up {len(taken)} of the {count(len(hosts), 'host')} "
                f"that it left: {listed(taken)}"
            )
            way_out = (
                f"restart plan --from {later.id} plans what that one left; a new plan with --limit names hosts itself"
            )
            raise Refused((Refusal(rule="from", what=what, way_out=way_out),))


def plan_rest(
    rest: Rest, shape: rooms.Shape, store: str | None, inventory: Inventory, seen: Observation | None
) -> Plan:
    """The plan for the rest, in the run's own mode. Without a survey those that the run lost are counted as down."""
    from restart.model.plan import LeftAlone
    from restart.planner.document import sealed

    if shape.limits:
        raise UsageMistake("--from says itself which hosts are left", remedy="leave --limit out")
    rest = _as_seen(rest, seen)
    unknown = [host for host in rest.hosts if host not in inventory.hosts]
    if unknown:
        what = f"run {rest.run} left {', '.join(unknown[:5])}, which the inventory does not have"
        raise Refused((Refusal(rule="from", what=what, way_out="leave INVENTORY out: the run's own is used"),))
    mode = rest.plan.mode if shape.mode == "auto" else shape.mode
    made = rooms.make_plan(
        inventory, replace(shape, limits=rest.hosts, mode=mode), store, seen or _as_left(rest, inventory, mode)
    )
    alone = (LeftAlone(host=host, why=why) for host, why in rest.out.items())
    note = f"the rest of run {rest.run}: {len(rest.done)} hosts are done there, {len(rest.hosts)} are left"
    return sealed(replace(made, left_alone=(*made.left_alone, *alone), notes=(note, *made.notes)))


def _as_seen(rest: Rest, seen: Observation | None) -> Rest:
    """`rest` with those that were away sorted in: who is seen up is part of it. Raises `Refused` where nothing is left."""
    up = [
        host for host in rest.away if seen is not None and host in seen.hosts and seen.hosts[host].boot_id is not None
    ]
    places = {move.host: place for place, move in enumerate(rest.plan.moves())}
    hosts = tuple(sorted((*rest.hosts, *up), key=places.__getitem__))
    out = {**rest.out, **{host: why for host, why in rest.away.items() if host not in up}}
    if not hosts:
        what = f"run {rest.run} left nothing to do: {len(rest.done)} hosts are done, {len(out)} want a person"
        raise Refused((Refusal(rule="from", what=what, way_out=f"see restart report {rest.run}"),))
    return replace(rest, hosts=hosts, out=out, away={})


def _as_left(rest: Rest, inventory: Inventory, mode: str) -> Observation | None:
    """What the journal says of the hosts that are out: not ready, for all that is known."""
    from restart.model.check import Verdict
    from restart.model.observation import HostSeen, Observation

    if mode == "recover" or not rest.out:
        return None
    hosts = {
        host: HostSeen(
            ready={name: Verdict.UNKNOWN for name, service in inventory.services.items() if host in service.hosts},
            why=why,
            state="unknown",
        )
        for host, why in rest.out.items()
        if host in inventory.hosts
    }
    return Observation(at=rooms.made_at(), hosts=hosts, fleet=inventory.fleet)


def _last_facts(rows: Iterable[Mapping[str, Any]], open_ended: frozenset[str]) -> dict[str, tuple[str, str]]:
    """The last fact of each host that says where its move is, and why."""
    found: dict[str, tuple[str, str]] = {}
    drifted: set[str] = set()
    for row in rows:
        host, event = row.get("host"), str(row.get("event"))
        if isinstance(host, str) and event == "drift" and not row.get("service"):
            drifted.add(host)
        elif isinstance(host, str) and event == "move_started":
            drifted.discard(host)
        if isinstance(host, str) and event == "quarantined" and host in drifted:
            found[host] = ("drift", str(row.get("why") or ""))
        elif isinstance(host, str) and event in DONE | AGAIN | LOST | open_ended:
            found[host] = (event, str(row.get("why") or ""))
        elif isinstance(host, str) and event == "resolved" and (row.get("data") or {}).get("word") == "retry":
            found.pop(host, None)
    return found
