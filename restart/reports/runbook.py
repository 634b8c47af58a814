"""A plan as a printable runbook: per wave check boxes and the exact manual commands, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from restart.model.plan import Move, Plan, Wave
from restart.reports import by_hand, by_hand_ladders
from restart.reports.plan_text import outages, overrides, thin
from restart.reports.prose import count, listed, printable
from restart.rules.durations import spoken
from restart.rules.fill import fill_known
from restart.rules.moves import ready_checks
from restart.rules.named import limit_rule
from restart.rules.waived import Waived


def plan_markdown(plan: Plan) -> str:
    """The runbook. It needs nothing but a shell, ssh, curl and nc; ends with a newline."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    moves = plan.moves()
    what = f"{plan.mode} restart" if any(move.act == "restart" for move in moves) or not moves else plan.mode
    yield f"# Runbook: {what} of {plan.fleet}"
    yield ""
    yield (
        f"{count(len({move.host for move in moves}), 'host')} of {len(plan.inventory.hosts)} in {count(len(plan.waves), 'wave')}, "
        f"about {spoken(plan.estimate.makespan_s)}. Made {plan.made_at}, plan `{plan.digest}`."
    )
    yield ""
    yield "`restart run` does all of this by itself; this page is for the night on which it cannot."
    yield ""
    yield "## Rules"
    yield ""
    yield "- One wave at a time. Inside a wave, keep to the limits below. Start a wave only when the one before is all ticked."
    yield "- A check that nobody can answer is not a pass."
    yield "- Never undrain a host whose checks do not pass: leave it drained and count it as down."
    most = plan.inventory.policy.max_failures or 0
    yield f"- {_bearable(most)}"
    waived = Waived(override.rule for override in plan.overrides)
    for limit in plan.inventory.limits.values():
        if limit.max_in_flight is not None and limit_rule(limit.name) not in waived:
            where = f" per {limit.per}" if limit.per else f" of {listed(limit.hosts)}" if limit.hosts else ""
            yield f"- At most {count(limit.max_in_flight, 'host')}{where} under way at once (limit {limit.name})."
    yield from (f"- {sentence}" for sentence in overrides(plan))
    yield ""
    yield "## How to stop"
    yield ""
    yield "Start no further host. Finish each host under way: verify it, then undrain it. Then nothing is half done."
    yield ""
    sentences = [*outages(plan, {move.host for move in moves}), *plan.notes]
    if sentences:
        yield "## Good to know"
        yield ""
        yield from (f"- {printable(sentence)}" for sentence in sentences)
        yield ""
    yield "## Before you begin"
    yield ""
    yield f"Save this as `{by_hand.CONFIG}` where you type the commands:"
    yield ""
    yield "```"
    yield from by_hand.ssh_config(plan.inventory, _reached(plan))
    yield "```"
    yield ""
    for wave in plan.waves:
        yield from _wave(plan, wave)
    if plan.spares:
        yield "## Stand by"
        yield ""
        yield "Touch one of these only after a member has been given up; then it is the member. Its steps, {member} being the lost one:"
        yield ""
        for spare in plan.spares:
            yield f"- {spare.host}: {printable(spare.why)}"
            for step in plan.inventory.playbooks[spare.playbook].drain:
                what = step.run or step.approve or ""
                yield f"    - on {step.on or spare.host}: `{printable(fill_known(what, plan.inventory.hosts[spare.host], spare.service))}`"
        yield ""
    if plan.left_alone:
        yield "## Left alone"
        yield ""
        yield from (f"- {left.host}: {printable(left.why)}" for left in plan.left_alone)
        yield ""
    yield "Done at ________________ by ________________"


def _reached(plan: Plan) -> tuple[str, ...]:
    """The hosts that some command of the page runs on."""
    moved = {*(move.host for move in plan.moves()), *(spare.host for spare in plan.spares)}
    books = {*(move.playbook for move in plan.moves()), *(spare.playbook for spare in plan.spares)}
    on = {
        step.on for name in books if name in plan.inventory.playbooks for step in plan.inventory.playbooks[name].drain
    }
    return tuple(host for host in plan.inventory.hosts if host in moved or host in on)


def _bearable(most: int) -> str:
    if most == 0:
        return "The first host that does not come back: stop."
    return f"At most {count(most, 'host')} may fail to come back. One more: stop."


def _wave(plan: Plan, wave: Wave) -> Iterator[str]:
    yield f"## Wave {wave.number}: {count(len(wave.moves), 'host')}"
    yield ""
    yield f"Why: {printable(wave.why)}."
    yield ""
    # At a cold start nothing is up yet, so nothing gets thin.
    for sentence in thin(plan, wave) if (wave.mode or plan.mode) != "cold-start" else ():
        yield f"- {sentence}"
    yield ""
    if wave.approve:
        yield f"- [ ] a person agrees: {printable(wave.approve)}"
        yield ""
    yield "Begun at ________________"
    yield ""
    # A shutdown asks the gates of what stays up alone, and its plan says which it does not ask.
    guarded = () if (wave.mode or plan.mode) == "shutdown" and not wave.gates else _guards(plan, wave)
    if guarded:
        yield f"- [ ] before each host below, these gates pass: {', '.join(guarded)} (commands at the end of the wave)"
        yield ""
    for move in wave.moves:
        yield from _move(plan, move)
    for service in dict.fromkeys((*wave.gates, *guarded)):
        yield from _gate(plan, service, ends=service in wave.gates)


def _guards(plan: Plan, wave: Wave) -> tuple[str, ...]:
    """The gates that guard the wave's starts: of the services touched, their providers and consumers (design: rule 9)."""
    touched = {service for move in wave.moves for service in move.services}
    near = set(touched)
    for name, service in plan.inventory.services.items():
        providers = {edge.provider for edge in service.depends_on}
        if name in touched:
            near |= providers
        elif providers & touched:
            near.add(name)
    return tuple(name for name, service in plan.inventory.services.items() if name in near and service.gate)


def _move(plan: Plan, move: Move) -> Iterator[str]:
    inventory = plan.inventory
    about = ", ".join(move.services) or "in no service"
    yield f"### {move.host} ({about}{', canary: alone until its checks hold' if move.canary else ''})"
    yield ""
    soak_s = max(
        (check.healthy_for_s for name in move.services for check in ready_checks(inventory.services[name])), default=0.0
    )
    verify = [] if move.act == "stop" else by_hand.verify_lines(inventory, move)
    for title, lines in (
        ("drain", by_hand_ladders.drain_lines(inventory, move)),
        (by_hand_ladders.TITLES[move.act], by_hand_ladders.ladder_lines(inventory, move)),
        (f"verify; all must keep passing for {spoken(soak_s)}", verify),
        ("undrain", by_hand_ladders.undrain_lines(inventory, move)),
    ):
        if lines:
            yield f"- [ ] {title}"
            yield ""
            yield from _code(lines)


def _gate(plan: Plan, service: str, *, ends: bool) -> Iterator[str]:
    lines = by_hand.gate_lines(plan.inventory, service)
    settle_s = plan.inventory.services[service].settle_s
    then = f", then wait {spoken(settle_s)}" if ends and settle_s else ""
    yield f"- [ ] gate of {service}{then}" if ends else f"- gate of {service}, asked before each host above"
    yield ""
    if lines:
        yield from _code(lines)


def _code(lines: list[str]) -> Iterator[str]:
    yield "  ```sh"
    for line in lines:
        yield f"  {printable(line)}"
    yield "  ```"
    yield ""
