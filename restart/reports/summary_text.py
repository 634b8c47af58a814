"""The account of a run as text for people and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from restart.model.check import Verdict
from restart.reports.drifted import differences_lines
from restart.reports.picture import (
    DONE,
    IN_DOUBT,
    NOT_REBOOTED,
    QUARANTINED,
    SKIPPED,
    UNTOUCHED,
    HoldPicture,
    HostPicture,
    WavePicture,
)
from restart.reports.prose import aligned, count, listed, printable, wrapped
from restart.reports.stand_ins import stand_ins_lines
from restart.reports.summary import Summary
from restart.reports.uncompared import uncompared_lines
from restart.reports.unknown import unknown_hosts, unknown_line
from restart.rules.durations import spoken

WIDTH = 80
SHORT_HOLD_S = 1.0
_BAD = (QUARANTINED, UNTOUCHED, NOT_REBOOTED, SKIPPED, IN_DOUBT)


def summary_text(told: Summary, *, width: int = WIDTH, hosts: bool = True) -> str:
    """The report. `hosts`: with the table of every host. Ends with a newline."""
    lines = [*_head(told, width)]
    for section in (_waves(told), _hosts(told) if hosts else (), _troubles(told, width), _holds(told, width)):
        lines += _spaced(section)
    lines += _spaced(differences_lines(told.picture.drift.values(), width))
    lines += _spaced(uncompared_lines(told.uncompared, width))
    lines += _spaced(_gates(told, width))
    lines += _spaced(stand_ins_lines(told.stand_ins, width))
    lines += _spaced(_next(told, width))
    return "\n".join(lines) + "\n"


def status_text(told: Summary, *, width: int = WIDTH) -> str:
    """Where a run stands now: the head, hosts under way, services, what it waits for, what to do."""
    lines = [*_head(told, width)]
    busy = [told.picture.hosts[name] for name in told.picture.in_flight]
    if busy:
        lines += ["", "Under way"]
        for host in busy:
            lines.append(f"  {host.host}  {host.phase} for {spoken(round(told.now_s - host.since_s))}")
    services = [service for service in told.picture.services.values() if service.available is not None]
    if services:
        lines += ["", *aligned([("service", "available", "needed", "gate")] + [
            (s.service, f"{s.available} of {s.of}", "-" if s.budget is None else str(s.budget), s.gate.value if s.gate else "-")
            for s in services
        ])]  # fmt: skip
    open_holds = told.picture.open_holds()
    if open_holds:
        lines += ["", "Waits"]
        for hold in open_holds:
            lines += wrapped(printable(f"{hold.subject}: {hold.told()}"), width=width, first="  ", rest="    ")
    lines += _spaced(_troubles(told, width))
    lines += _spaced(differences_lines(told.picture.drift.values(), width))
    lines += _spaced(_next(told, width))
    return "\n".join(lines) + "\n"


def summary_markdown(told: Summary) -> str:
    """The report as Markdown, for a ticket or a review."""
    card, plan = told.card, told.plan
    lines = [f"# Run {card.run}: {told.state}", "", *(f"- {line.strip()}" for line in _head(told, 10_000)[1:]), ""]
    lines += ["| wave | state | hosts | over | not well |", "|---|---|---|---|---|"]
    lines += [f"| {w.number} | {_wave_state(told, w)} | {w.moves} | {w.ended} | {w.bad} |" for w in told.waves]
    lines += [
        "",
        "| host | wave | how it ended | boot id before | boot id after | down | total |",
        "|---|---|---|---|---|---|---|",
    ]
    for host in told.hosts:
        cells = (
            host.host,
            str(host.wave),
            "not begun" if host.phase == "waiting" else host.phase,
            host.boot_before or "-",
            host.boot_after or "-",
            _length(host.down_s),
            _length(_total_s(host)),
        )
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    for title, section in (
        ("Not well", list(_troubles(told, 10_000))[1:]),
        ("Not as planned", list(differences_lines(told.picture.drift.values(), 10_000))[1:]),
        ("Not compared with before", list(uncompared_lines(told.uncompared, 10_000))[1:]),
        ("What it waited for", list(_holds(told, 10_000))[1:]),
        ("Gates and watches", list(_gates(told, 10_000))[1:]),
        ("Stand-ins", list(stand_ins_lines(told.stand_ins, 10_000))[1:]),
    ):
        if section:
            lines += ["", f"## {title}", "", *(f"- {line.strip().removeprefix('- ')}" for line in section)]
    if told.next_steps:
        lines += ["", "## What to do next", ""]
        for step in told.next_steps:
            lines.append(f"- {printable(step.what)}")
            lines += [f"  - `{printable(command)}`" for command in step.commands]
    lines += ["", f"Plan `{plan.digest}`."]
    return "\n".join(lines) + "\n"


def _head(told: Summary, width: int) -> list[str]:
    card = told.card
    lines = wrapped(f"Run {card.run} of {told.plan.fleet}: {told.state.upper()}", width=width)
    if told.why:
        lines += wrapped(printable(f"why: {told.why}."), width=width, first="  ")
    began = f"Started {card.started_at}" + (f" by {card.by}" if card.by else "")
    began += f" on {card.controller}" if card.controller else ""
    lines += wrapped(f"{began}{f': {card.reason}' if card.reason else ''}.", width=width, first="  ")
    done, total = len(told.having(DONE)), len(told.hosts)
    parts = [f"{done} of {count(total, 'host')} done"]
    parts += [f"{len(told.having(phase))} {phase}" for phase in _BAD if told.having(phase)]
    began_not = sum(host.started_s is None for host in told.hosts)
    if began_not:
        parts.append(f"{began_not} not begun")
    text = f"{', '.join(parts)}; {spoken(round(told.now_s, 1))} of a planned {spoken(told.plan.estimate.makespan_s)}"
    if told.eta_s is not None:
        text += f", about {spoken(round(told.eta_s - told.now_s))} left"
    if told.resumes:
        text += f", resumed {count(told.resumes, 'time')}"
    lines += wrapped(text + ".", width=width, first="  ")
    unknown = unknown_hosts(told.plan)
    if unknown:
        lines += wrapped(printable(unknown_line(unknown)), width=width, first="  ", rest="    ")
    for held in told.plan.overrides:
        hosts = told.picture.let_go[held.rule]
        went = (
            f"let {count(len(hosts), 'host')} go that it would have held: {listed(hosts)}"
            if hosts
            else "it would have held nobody"
        )
        lines += wrapped(
            printable(f"OVERRIDDEN by name: {held.rule} ({held.reason}): {went}."), width=width, first="  ", rest="    "
        )
    if told.cpu_s_per_host is not None:
        lines.append(f"  The controller used {spoken(told.cpu_s_per_host)} of CPU time for each host.")
    return lines


def _waves(told: Summary) -> Iterator[str]:
    yield "Waves"
    rows = [("wave", "state", "over", "not well", "took")]
    for wave in told.waves:
        over_s = wave.ended_s if wave.ended_s is not None else None
        took = "-" if wave.started_s is None or over_s is None else spoken(round(over_s - wave.started_s, 1))
        rows.append(
            (str(wave.number), _wave_state(told, wave), f"{wave.ended} of {wave.moves}", str(wave.bad or "-"), took)
        )
    yield from aligned(rows)


def _wave_state(told: Summary, wave: WavePicture) -> str:
    if wave.state == "running" and not told.card.led:
        return "not finished"
    return "not begun" if wave.state == "waiting" else wave.state


def _hosts(told: Summary) -> Iterator[str]:
    """Every host that was touched; those never begun in one line."""
    touched = [host for host in told.hosts if host.started_s is not None or host.phase != "waiting"]
    if touched:
        yield "Hosts"
        rows = [("host", "wave", "ended", "boot id", "down", "total")]
        for host in touched:
            before, after = (host.boot_before or "?")[:8], (host.boot_after or "?")[:8]
            boots = "-" if host.boot_before is None and host.boot_after is None else f"{before} > {after}"
            rows.append((host.host, str(host.wave), host.phase, boots, _length(host.down_s), _length(_total_s(host))))
        yield from aligned(rows)
    rest = [host.host for host in told.hosts if host.started_s is None and host.phase == "waiting"]
    if rest:
        yield from wrapped(listed(rest), width=WIDTH, first="  not begun: ", rest="    ")


def _troubles(told: Summary, width: int) -> Iterator[str]:
    rows = []
    for host in told.hosts:
        if host.phase in _BAD:
            rows.append(f"{host.host}: {host.phase}{f': {host.why}' if host.why else ''}")
    rows += [f"{host}: still drained on {on}: `{command}`" for (host, command), on in told.picture.owed.items()]
    rows += [f"{host}: a spare, {why}" for host, why in told.picture.promoted.items()]
    rows += [f"{name}: contained, what needs it is held: {why}" for name, why in told.picture.contained.items()]
    if rows:
        yield "Not well"
        for row in rows:
            yield from wrapped(printable(row), width=width, first="  ", rest="    ")


def _holds(told: Summary, width: int) -> Iterator[str]:
    """By rule, the longest first; what was over within a second is left to the JSON, save where it still holds."""
    by_rule: dict[str, list[HoldPicture]] = {}
    for hold in told.holds:
        by_rule.setdefault(hold.rule, []).append(hold)
    shown = []
    for rule, holds in by_rule.items():
        longest = max(holds, key=lambda hold: _held_s(told, hold))
        still = any(hold.until_s is None for hold in holds)
        if _held_s(told, longest) >= SHORT_HOLD_S or still:
            # What is over needs no way out any more.
            told_so = longest.told() if still else longest.reason()
            shown.append((_held_s(told, longest), rule, f"{listed({hold.subject for hold in holds})}, up to", told_so))
    if shown:
        yield "What it waited for"
    for held_s, _, subjects, why in sorted(shown, key=lambda row: (-row[0], row[1])):
        text = f"{subjects} {spoken(round(held_s, 1))}: {why}"
        yield from wrapped(printable(text), width=width, first="  ", rest="    ")


def _held_s(told: Summary, hold: HoldPicture) -> float:
    return (told.now_s if hold.until_s is None else hold.until_s) - hold.since_s


def _gates(told: Summary, width: int) -> Iterator[str]:
    """The last verdict of each gate and watch, and every one that was not a PASS."""
    last = {gate.service: index for index, gate in enumerate(told.gates)}
    shown = [
        gate for index, gate in enumerate(told.gates) if index == last[gate.service] or gate.verdict is not Verdict.PASS
    ]
    if shown:
        yield "Gates and watches"
    for gate in shown:
        name = f"gate of {gate.service}" if gate.service else "watch"
        at = spoken(round(gate.at_s, 1))
        yield from wrapped(
            printable(f"{name}: {gate.verdict.value} at {at}: {gate.evidence}"), width=width, first="  ", rest="    "
        )


def _next(told: Summary, width: int) -> Iterator[str]:
    if told.next_steps:
        yield "What to do next"
    for step in told.next_steps:
        yield from wrapped(printable(step.what + (":" if step.commands else "")), width=width, first="  - ")
        # A command is copied whole: it stands on its own line, however long.
        yield from (f"      {printable(command)}" for command in step.commands)


def _total_s(host: HostPicture) -> float | None:
    return None if host.started_s is None or host.ended_s is None else host.ended_s - host.started_s


def _length(length_s: float | None) -> str:
    return "-" if length_s is None else spoken(round(length_s, 1))


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|")


def _spaced(section: Iterator[str] | tuple[()]) -> list[str]:
    lines = list(section)
    return ["", *lines] if lines else []
