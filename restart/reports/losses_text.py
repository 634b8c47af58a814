"""The loss of each single host as text for people: the verdict, each service, and what each loss comes to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from restart.model.inventory import Service
from restart.model.plan import Plan
from restart.model.rehearsal import Fate, Loss, Losses
from restart.reports.prose import aligned, count, listed, printable, wrapped
from restart.reports.simulation_text import WIDTH, spaced, unsafe
from restart.rules.budgets import budget, may_be_down
from restart.rules.durations import spoken

SURVIVES = "This plan survives any one loss."


def losses_text(losses: Losses, plan: Plan, *, replay: str = "", width: int = WIDTH) -> str:
    """The whole rehearsal. Ends with a newline."""
    number = len(losses.losses)
    lines = wrapped(
        f"{losses.name}: each of {count(number, 'host')} lost in turn, for good, at the moment when its services can spare "
        f"it least (seed {losses.seed})",
        width=width,
        rest="  ",
    )
    lines += ["", *verdict_lines(losses, width=width)]
    violations = [*losses.violations, *(found for loss in losses.losses for found in loss.violations)]
    lines += spaced(unsafe(violations, replay, width))
    lines += spaced(_services(losses, plan))
    lines += spaced(_each(losses, width))
    lines += spaced(_ways_out(losses, plan, width))
    return "\n".join(lines) + "\n"


def verdict_lines(losses: Losses, *, width: int = WIDTH) -> list[str]:
    """The verdict: that it survives any one loss, or the hosts for which it does not, by what breaks."""
    if losses.survives:
        return [SURVIVES]
    lines = ["This plan does not survive the loss of:"]
    for what, hosts in _by_breakage(losses).items():
        lines += wrapped(f"{listed(hosts)}: {what}", width=width, first="  ", rest="    ")
    return lines


def _by_breakage(losses: Losses) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for loss in losses.losses:
        if not loss.survived:
            found.setdefault(_breakage(loss), []).append(loss.host)
    return found


def _breakage(loss: Loss) -> str:
    """What breaks, without what differs from host to host."""
    parts = [f"{fate.service} falls to {_of(fate)}" for fate in loss.broken]
    if loss.violations:
        parts.append(f"rule {loss.violations[0].rule} is broken")
    if not parts:
        parts.append("the run makes no progress")
    return ", ".join(parts)


def _of(fate: Fate) -> str:
    return f"{fate.lowest} of {fate.members}, {fate.needed} needed"


def _services(losses: Losses, plan: Plan) -> Iterator[str]:
    """Each service that was ever short of a member: its need, the fewest there were, for how long it was below, by whose loss."""
    rows = [("service", "hosts", "needed", "fewest", "budget", "below for", "by the loss of")]
    for name, service in plan.inventory.services.items():
        fates = [(loss.host, fate) for loss in losses.losses for fate in loss.fates if fate.service == name]
        if not fates:
            continue
        needed = fates[0][1].needed
        by = [host for host, fate in fates if not fate.held]
        alone = any(fate.alone and fate.needed is not None and fate.lowest < fate.needed for _, fate in fates)
        held = "-" if needed is None else "NOT HELD" if by else "cannot hold" if alone else "held"
        longest_s = max(fate.short_s for _, fate in fates)
        rows.append(
            (
                name,
                str(len(service.hosts)),
                "-" if needed is None else str(needed),
                str(min(fate.lowest for _, fate in fates)),
                held,
                spoken(round(longest_s)) if longest_s else "-",
                listed(by) or "-",
            )
        )
    if len(rows) > 1:
        yield "What each service goes through"
        yield from aligned(rows)


def _each(losses: Losses, width: int) -> Iterator[str]:
    """Losses that come to the same are told together."""
    groups: dict[tuple[object, ...], list[Loss]] = {}
    for loss in losses.losses:
        key = (loss.how, loss.survived, loss.state, _breakage(loss) if not loss.survived else "", loss.blocked)
        groups.setdefault(key, []).append(loss)
    yield "What each loss comes to"
    for alike in sorted(groups.values(), key=lambda found: (found[0].survived, found[0].state == "done")):
        yield from _group(alike, width)


def _group(alike: Sequence[Loss], width: int) -> Iterator[str]:
    first = alike[0]
    times = sorted({round(loss.at_s) for loss in alike})
    when = spoken(times[0]) if len(times) == 1 else f"{spoken(times[0])} to {spoken(times[-1])}"
    hosts = listed(loss.host for loss in alike)
    yield from wrapped(f"{hosts}: {first.how} at {when}{_thin(first)}", width=width, first="  ", rest="    ")
    broken = [
        f"{fate.service} {_of(fate)}, for {spoken(round(_longest_s(alike, fate.service)))}" for fate in first.broken
    ]
    yield from wrapped("; ".join(broken) or "every budget holds", width=width, first="    budgets  ")
    blocked = f"{count(len(first.blocked), 'host')} never restarted: {listed(first.blocked)}"
    yield from wrapped(blocked if first.blocked else "nobody", width=width, first="    blocked  ")
    ends = sorted(round(loss.duration_s) for loss in alike)
    at = spoken(ends[0]) if ends[0] == ends[-1] else f"{spoken(ends[0])} to {spoken(ends[-1])}"
    such = f" (as {first.host})" if len(alike) > 1 else ""
    yield from wrapped(printable(f"{first.state} at {at}: {first.why}{such}"), width=width, first="    ends     ")


def _thin(loss: Loss) -> str:
    if loss.service is None or loss.slack is None:
        return ""
    spare = "has none to spare" if loss.slack <= 0 else f"has {loss.slack} to spare"
    return f", when {loss.service} {spare}"


def _longest_s(alike: Sequence[Loss], service: str) -> float:
    return max(fate.short_s for loss in alike for fate in loss.fates if fate.service == service)


def _ways_out(losses: Losses, plan: Plan, width: int) -> Iterator[str]:
    """For each service whose budget a loss breaks, what would keep one member to spare."""
    names = dict.fromkeys(fate.service for loss in losses.losses for fate in loss.broken)
    if names:
        yield "Ways out"
    for name in names:
        yield from wrapped(_way_out(plan.inventory.services[name]), width=width, first="  - ", rest="    ")


def _way_out(service: Service) -> str:
    name, down = service.name, may_be_down(service)
    if budget(service) is None:
        return (
            f"{name}: with {count(len(service.hosts), 'member')} one restarts while another is lost: add a member, "
            f"or accept the risk for the length of a restart"
        )
    if down <= 1:
        return f"{name}: its budget leaves no member to spare while one restarts: add a member, or accept the risk for that long"
    return (
        f"{name}: the plan takes all {down} members that its budget leaves; a limit of at most {down - 1} keeps one to spare: "
        f"limits: {{{name}-spare: {{hosts: 'service:{name}', max_in_flight: {down - 1}}}}}"
    )
