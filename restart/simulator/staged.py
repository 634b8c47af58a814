"""The staged side of a scenario: surveyed, planned and carried out by the production planner and engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from restart.engine.not_yet import not_yet
from restart.errors import Refused
from restart.inventory.windows import spans
from restart.model.answer import NoAnswer
from restart.model.check import Finding, Verdict
from restart.model.inventory import Inventory
from restart.model.observation import HostSeen, Observation
from restart.model.plan import Plan
from restart.model.playbook import PowerControl
from restart.model.request import Ask
from restart.model.simulation import Result, Score
from restart.model.world import Gate
from restart.planner import in_windows, make_plan
from restart.rules.moves import ready_checks
from restart.simulator.blip import sorted_out
from restart.simulator.faults import Fault
from restart.simulator.journal import DAWN
from restart.simulator.physics.figures import Physics
from restart.simulator.play import MakeJudge, play
from restart.simulator.scenario import Scenario
from restart.simulator.story import Story
from restart.simulator.world import SimulatedWorld

MADE_AT = DAWN.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """The planned side of a scenario: its plan (None: there is none, or it could not be played), what it told, and what came of it."""

    result: Result
    plan: Plan | None = None
    story: Story = field(default_factory=Story)


def staged(
    scenario: Scenario,
    seed: int | None = None,
    *,
    gates: Mapping[str, Gate],
    referee: MakeJudge | None = None,
    faults: Iterable[Fault] = (),
) -> Result:
    """What comes of planning and carrying out the scenario; `faults` come on top of its own."""
    return carried_out(scenario, seed, gates=gates, referee=referee, faults=faults).result


def carried_out(
    scenario: Scenario,
    seed: int | None = None,
    *,
    gates: Mapping[str, Gate],
    referee: MakeJudge | None = None,
    faults: Iterable[Fault] = (),
) -> Staged:
    """`staged`, with the plan and what the run told.

    Where it needs what this version lacks, nothing is played and the result says `not_yet`; where the plan is refused it says so.
    """
    seed = scenario.seed if seed is None else seed
    lacking = scenario.not_yet()
    if lacking:
        return Staged(result=_unplayed(scenario, seed, not_yet=lacking))
    try:
        plan = plan_of(scenario, seed, gates)
    except Refused as refused:
        return Staged(result=_unplayed(scenario, seed, refused=tuple(str(refusal) for refusal in refused.refusals)))
    missing = not_yet(plan)
    if missing:
        return Staged(result=_unplayed(scenario, seed, not_yet=tuple(str(refusal) for refusal in missing)))
    story = Story()
    result = play(
        plan,
        scenario.physics,
        seed,
        gates=gates,
        faults=[*scenario.faults, *faults],
        referee=referee,
        name=scenario.name,
        horizon_s=scenario.horizon_s,
        watchers=(story,),
    )
    return Staged(result=result, plan=plan, story=story)


def plan_of(scenario: Scenario, seed: int, gates: Mapping[str, Gate]) -> Plan:
    """The scenario's plan, on a survey of its fleet as it stands at the start. Raises `Refused`."""
    made = make_plan(
        _with_power(scenario.inventory) if scenario.mode != "rolling" else scenario.inventory,
        selection=scenario.selection,
        observation=_seen_by_survey(scenario, seed, gates),
        made_at=scenario.start or MADE_AT,
        mode=scenario.mode,
    )
    return in_windows(made, spans(scenario.inventory.policy, made.made_at))


def _seen_by_survey(scenario: Scenario, seed: int, gates: Mapping[str, Gate]) -> Observation:
    seen = observe(scenario.inventory, scenario.physics, seed, gates)
    return sorted_out(seen, scenario.faults, off=scenario.physics.off) if scenario.mode == "recover" else seen


def _with_power(inventory: Inventory) -> Inventory:
    """Every simulated host has a power control, whether its inventory says so or not."""
    hosts = {
        name: host if host.power is not None else replace(host, power=PowerControl(method="simulated"))
        for name, host in inventory.hosts.items()
    }
    return replace(inventory, hosts=hosts)


def observe(inventory: Inventory, physics: Physics, seed: int, gates: Mapping[str, Gate]) -> Observation:
    """What a survey sees of the simulated fleet before anything happens."""
    world = SimulatedWorld(inventory, physics, gates=gates, seed=seed)
    return Observation(at=MADE_AT, hosts={name: _seen(world, inventory, name) for name in inventory.hosts})


def _seen(world: SimulatedWorld, inventory: Inventory, host: str) -> HostSeen:
    silent = world.network.answers(host)
    ready: dict[str, Verdict] = {}
    why = ""
    for service in world.site.fleet.services_of[host]:
        checks = tuple(check for check in ready_checks(inventory.services[service]) if check.kind != "boot")
        request = Ask(id="survey", subject="ready", checks=checks, host=host, service=service)
        ready[service], evidence = _sum(world.replies.findings(request))
        why = why or evidence
    if isinstance(silent, NoAnswer):
        return HostSeen(ready=ready, why=f"{silent.reason}: {silent.detail}")
    uptime_s = world.site.machines.uptime_s(host)
    return HostSeen(ready=ready, boot_id=world.hosts[host].boot_id, uptime_s=uptime_s, why=why)


def _sum(findings: tuple[Finding, ...]) -> tuple[Verdict, str]:
    """FAIL if one fails, else UNKNOWN if one is unknown, else PASS."""
    for verdict in (Verdict.FAIL, Verdict.UNKNOWN):
        for finding in findings:
            if finding.verdict is verdict:
                return verdict, finding.evidence
    return Verdict.PASS, ""


def _unplayed(scenario: Scenario, seed: int, *, refused: tuple[str, ...] = (), not_yet: tuple[str, ...] = ()) -> Result:
    members = {name: len(service.hosts) for name, service in scenario.inventory.services.items()}
    off = scenario.physics.off
    steps = {
        name: ((0.0, sum(host not in off for host in service.hosts)),)
        for name, service in scenario.inventory.services.items()
    }
    result = Result(
        name=scenario.name,
        seed=seed,
        side="staged",
        outcome=None,
        duration_s=0.0,
        score=Score(reached=False),
        members=members,
        availability=steps,
    )
    return replace(result, refused=refused, not_yet=not_yet)
