"""Plans of several stages: each is judged on its own ground, and what the first of a cold start bridged must be gone in the end (design: rule 18)."""

from __future__ import annotations

from dataclasses import replace

from restart.model.event import Fact, Outcome
from restart.model.inventory import Inventory
from restart.model.plan import Plan
from restart.model.request import RunStep
from restart.simulator.referee.away import Aways
from restart.simulator.referee.grounds import Grounds
from restart.simulator.referee.record import Record, some
from restart.simulator.referee.turns import Turns


def stages_of(plan: Plan) -> tuple[Plan, ...]:
    """The plan of each stage. One that restarts hosts after a cold start takes out its stand-ins: then their edges are edges again."""
    found: list[Plan] = []
    for number in sorted({wave.stage for wave in plan.waves}):
        waves = tuple(wave for wave in plan.waves if wave.stage == number)
        mode = next((wave.mode for wave in waves if wave.mode), plan.mode)
        inventory = plan.inventory
        if found and found[-1].mode == "cold-start" and mode == "rolling":
            inventory = _without_breaks(inventory)
        found.append(replace(plan, mode=mode, waves=waves, inventory=inventory))
    return tuple(found)


def _without_breaks(inventory: Inventory) -> Inventory:
    services = {
        name: replace(service, depends_on=tuple(replace(edge, stand_in=None) for edge in service.depends_on))
        for name, service in inventory.services.items()
    }
    return replace(inventory, services=services)


def off_at_first(plan: Plan) -> tuple[str, ...]:
    """The hosts that a cold start is to start."""
    return tuple(move.host for move in plan.moves()) if plan.mode == "cold-start" else ()


def next_stage(record: Record, fact: Fact) -> None:
    """The engine says that a stage begins: the one before must be over, and a person must have agreed where one is asked."""
    plans = stages_of(record.plan)
    number = int(fact.data.get("stage", 0))
    plan = next((found for found in plans if found.waves[0].stage == number), None)
    if plan is None:
        record.call(7, f"stage {number} begins, and the plan has none of that number")
        return
    open_moves = [host for host in record.grounds.moves if record.grounds.is_unfinished(host)]
    if open_moves:
        record.call(
            1,
            f"stage {number} begins before {len(open_moves)} moves of the one before it have ended ({some(open_moves)})",
        )
    wanted = plan.waves[0].approve
    if wanted is not None and f"stage-{number}" not in record.approved:
        record.call(4, f"stage {number} begins, and nobody has agreed to it: {wanted}")
    record.grounds = Grounds(plan, record.plan.inventory)
    record.turns = Turns(record.grounds)
    record.aways = Aways(plan.inventory, off_at_first(plan))
    record.first_boot = {name: host.boot_id for name, host in record.truth.hosts.items()}
    for held in (
        record.done,
        record.begun_moves,
        record.begun_acts,
        record.started_s,
        record.started_seq,
        record.failed,
        record.lost,
        record.holders,
        record.spares,
        record.finished_s,
        record.canaries_failed,
        record.late,
    ):
        held.clear()
    for count in record.restarts.values():
        count.boots = count.units = 0


def heard_stand_in(record: Record, request: RunStep) -> None:
    """A stand-in was put up, or its removal has begun: it is gone with the host's next boot."""
    for edge, command in record.grounds.stand_ins_of(request.host):
        if command == "with" and record.grounds.is_command(request, edge, "with"):
            record.stand_ins[request.host, edge] = None
        elif (
            command == "undo"
            and record.grounds.is_command(request, edge, "undo")
            and (request.host, edge) in record.stand_ins
        ):
            record.stand_ins[request.host, edge] = record.boot_ids.get(request.host, "")


def left_in_place(record: Record) -> list[str]:
    """Stand-ins that were put up and are not gone: not undone, or their host has not booted since."""
    return [
        f"{provider} on {host}"
        for (host, provider), undone_in in record.stand_ins.items()
        if undone_in is None or record.truth.hosts[host].boot_id == undone_in
    ]


def judge_stand_ins(record: Record, outcome: Outcome) -> None:
    """Rule 10: a run that leaves a stand-in behind is not done, and says so."""
    left = left_in_place(record)
    if left and (outcome.state == "done" or "stand-in" not in outcome.why):
        record.call(10, f"the run ended {outcome.state}, and stand-ins were left in place unsaid: {some(left)}")


def judge_seed(record: Record, service: str, host: str) -> None:
    """Rule 19: of a group that was off, the member with the largest number starts first, or the one that a person has picked."""
    if service in record.seeded:
        return
    record.seeded[service] = host
    members = record.grounds.members[service]
    others_up = [
        name for name in members if name != host and not record.grounds.is_waited_for(name, record.first_boot[name])
    ]
    if others_up or host in record.approved:
        return
    numbers = {name: record.seed_said.get((service, name)) for name in members}
    unknown = [name for name, number in numbers.items() if number is None]
    known = {name: number for name, number in numbers.items() if number is not None}
    larger = [name for name, number in known.items() if name != host and host in known and number >= known[host]]
    if unknown or larger:
        why = (
            f"nobody knows the number of {some(unknown)}" if unknown else f"{some(larger)} had written as much or more"
        )
        record.call(1, f"{host} is the first of {service} to start, and {why}", host=host)
