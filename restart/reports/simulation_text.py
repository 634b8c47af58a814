"""Simulated runs as text for people: one play, and the two sides of a scenario. Good at 80 columns and in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from restart.model.rehearsal import Expectation, Playing
from restart.model.simulation import Result, Violation
from restart.reports.chart import availability, bar, below_s
from restart.reports.prose import aligned, count, listed, printable, wrapped
from restart.rules.durations import spoken

WIDTH = 80
SHOWN_MAX = 12
"""Happenings and reasons that are written out; the rest is counted, and stands in the JSON."""

RULES = {
    1: "a host restarts only while its providers are ready and finished",
    2: "no act of ours takes a service below its budget",
    3: "no limit is exceeded at any instant",
    4: "after a halt, a stop, a lost lease or a failed watch nothing new starts",
    5: "no move is carried out twice",
    6: "two runs never hold one host",
    7: "no host outside the plan is touched",
    8: "an event is durable before its consequences begin",
    9: "UNKNOWN never opens a gate",
    10: "a run ends with everything restarted, or with a true reason why not",
}
"""What always holds (design: section 7), in a sentence each."""


def playing_text(
    playing: Playing, *, replay: str = "", width: int = WIDTH, blocks: bool = False, naive: Playing | None = None
) -> str:
    """One play. `naive`: what comes of the same fleet without a plan, beside it. Ends with a newline."""
    lines = _head(playing, width)
    lines += spaced(unsafe(playing.result.violations, replay, width))
    if naive is not None:
        lines += spaced(_beside(naive, playing))
    lines += spaced(_services(playing))
    lines += spaced(took(playing.takes, playing.result.duration_s))
    lines += spaced(_chart(playing.result, playing.needed, "Members that function, over time", blocks))
    if naive is not None:
        lines += spaced(_chart(naive.result, naive.needed, "The same, all at once", blocks))
    lines += spaced(_happened(playing.result, width))
    return "\n".join(lines) + "\n"


def scenario_text(
    name: str, about: str, sides: Sequence[Playing], *, replay: str = "", width: int = WIDTH, blocks: bool = False
) -> str:
    """Each side of a scenario: what is expected against what came out. Ends with a newline."""
    lines = wrapped(f"{name}: {_verdict_of(sides)}", width=width)
    if about:
        lines += wrapped(printable(about), width=width, first="  ")
    for side in sides:
        lines += ["", *_head(side, width)]
        lines += spaced(unsafe(side.result.violations, replay, width))
        lines += _expected(side.expectations) if not side.result.not_yet else []
        if not side.result.not_yet and not side.result.refused:
            lines += spaced(took(side.takes, side.result.duration_s))
            lines += spaced(_chart(side.result, side.needed, "Members that function, over time", blocks))
            lines += spaced(_happened(side.result, width))
    return "\n".join(lines) + "\n"


def _head(playing: Playing, width: int) -> list[str]:
    result = playing.result
    side = playing.how if result.side == "naive" else "simulated"
    lines = [f"{result.name}, {side} with seed {result.seed}: {playing.state.upper()}"]
    if result.not_yet:
        needs = ", ".join(result.not_yet)
        lines += wrapped(f"not yet playable, and not played: it needs {needs}", width=width, first="  ")
        return lines
    for refusal in result.refused:
        lines += wrapped(printable(f"plan refused: {refusal}"), width=width, first="  ", rest="    ")
    if result.refused:
        return lines
    why = result.no_progress if result.outcome is None else result.outcome.why
    if why:
        lines += wrapped(printable(f"why: {why}."), width=width, first="  ")
    took = spoken(round(result.duration_s))
    if playing.planned_s is not None:
        took += f" of a planned {spoken(round(playing.planned_s))}"
    score = result.score
    text = f"{took}; {_ready(result)}"
    if score.under_floor_s:
        text += f"; a service was below its budget {_under_floor(result)}"
    if result.resumes:
        text += f"; the controller died and was resumed {count(result.resumes, 'time')}"
    lines += wrapped(text + ".", width=width, first="  ")
    for sentence in (*playing.what_if, *playing.assumed):
        lines += wrapped(printable(sentence), width=width, first="  ")
    if result.side != "naive" and not result.violations:
        lines.append(f"  The referee judged {count(result.events, 'event')} and found nothing unsafe.")
    return lines


def _ready(result: Result) -> str:
    score = result.score
    if score.reached:
        return "every host functions" + (
            "" if score.all_ready_s is None else f" since {spoken(round(score.all_ready_s))}"
        )
    return f"{count(len(score.failed), 'host')} do{'es' if len(score.failed) == 1 else ''} not function: {listed(score.failed)}"


def _verdict_of(sides: Sequence[Playing]) -> str:
    """The scenario in a word: what cannot be played yet has not passed."""
    if any(side.as_expected is False or not side.is_sound for side in sides):
        return "NOT AS EXPECTED"
    if any(side.result.not_yet for side in sides):
        played = [side.result.side for side in sides if not side.result.not_yet]
        rest = f"; the {' and '.join(played)} side is as expected" if played else ""
        return f"NOT YET PLAYABLE{rest}"
    return "as expected"


def _expected(rows: Sequence[Expectation]) -> list[str]:
    if not rows:
        return []
    table = [("measure", "expected", "reached", "")]
    table += [(row.what, row.expected, row.reached, "ok" if row.met else "NOT MET") for row in rows]
    return ["", *aligned(table)]


def _beside(naive: Playing, staged: Playing) -> Iterator[str]:
    """Both sides, in the measures that say anything."""
    yield "With this plan, and all at once"
    rows = [("", "this plan", "all at once")]
    for what, told in _MEASURES:
        cells = (told(staged.result), told(naive.result))
        if any(cell not in ("0", "never") for cell in cells):
            rows.append((what, *cells))
    yield from aligned(rows)


_MEASURES: tuple[tuple[str, Callable[[Result], str]], ...] = (
    ("every host functions", lambda result: _since(result)),
    ("below a budget", lambda result: _under_floor(result)),
    ("hosts that do not function", lambda result: str(len(result.score.failed))),
    ("collapses", lambda result: str(result.score.collapses)),
    ("breakers opened", lambda result: str(result.score.trips)),
    ("corruptions", lambda result: str(result.score.corruptions)),
    ("failed starts", lambda result: str(result.score.failed_starts)),
    ("transfers timed out", lambda result: str(result.score.timeouts)),
    ("writes lost", lambda result: str(result.score.writes_lost)),
)


def _under_floor(result: Result) -> str:
    """How long any service was below its budget."""
    if result.score.under_floor_s > result.duration_s:
        # Nothing more will happen: what is below its budget then stays there.
        return "for good"
    return f"for {spoken(round(result.score.under_floor_s))}" if result.score.under_floor_s else "never"


def _since(result: Result) -> str:
    if not result.score.reached:
        return "not reached"
    return spoken(round(result.duration_s if result.score.all_ready_s is None else result.score.all_ready_s))


def _services(playing: Playing) -> Iterator[str]:
    """Services that were ever short of a member."""
    result = playing.result
    rows = [("service", "hosts", "needed", "lowest", "short for")]
    for name, steps in result.availability.items():
        least, needed = min(number for _, number in steps), playing.needed.get(name)
        if least < result.members[name]:
            short_s = round(below_s(steps, 1 if needed is None else needed, result.duration_s))
            short = spoken(short_s) if short_s else "never"
            if short_s and result.members[name] == 1:
                short += " (it has one host)"
            rows.append((name, str(result.members[name]), "-" if needed is None else str(needed), str(least), short))
    if len(rows) > 1:
        yield "What each service went through"
        yield from aligned(rows)


def took(takes: Mapping[str, float], total_s: float, *, blocks: bool = False) -> Iterator[str]:
    """What took the time, the longest first; what is below a hundredth of it is summed up."""
    if not takes or total_s <= 0:
        return
    yield "What took the time, along the longest chain of moves"
    rows, small_s = [], 0.0
    for what, length_s in takes.items():
        if length_s < total_s / 100:
            small_s += length_s
            continue
        rows.append(
            (what, spoken(round(length_s)), percent(length_s / total_s), bar(length_s / total_s, 20, blocks=blocks))
        )
    if small_s >= 0.5:
        rows.append(("the rest", spoken(round(small_s)), percent(small_s / total_s), ""))
    yield from aligned(rows)


def _chart(result: Result, needed: Mapping[str, int | None], title: str, blocks: bool) -> list[str]:
    rows = availability(result.availability, result.members, needed, result.duration_s, blocks=blocks)
    return [title, *rows] if rows else []


def _happened(result: Result, width: int) -> Iterator[str]:
    """What befell the fleet, in the order of time; the same at the same second is told once, with all its hosts."""
    found: dict[tuple[int, str, str], list[str]] = {}
    for at_s, told in result.happenings:
        head, _, detail = told.partition(": ")
        what, _, where = head.rpartition(" ")
        found.setdefault((round(at_s), what, detail), []).append(where)
    if found:
        yield "What befell the fleet"
    for (at, what, detail), hosts in tuple(found.items())[:SHOWN_MAX]:
        text = f"{spoken(at):>7}  {what.replace('_', ' ')} {listed(hosts)}: {detail}"
        yield from wrapped(printable(text.removesuffix(": ")), width=width, first="  ", rest=" " * 11)
    more = len(found) - SHOWN_MAX
    if more > 0:
        yield f"  and {count(more, 'thing')} more: --format json"


def unsafe(violations: Iterable[Violation], replay: str, width: int) -> Iterator[str]:
    """Every broken rule with the event, the numbers and the seed, and how to see it again."""
    found = list(violations)
    if found:
        yield "UNSAFE: the referee found a broken rule"
    for violation in found[:SHOWN_MAX]:
        rule = RULES.get(violation.rule, "")
        yield from wrapped(printable(f"{violation}"), width=width, first="  ", rest="    ")
        if rule:
            yield from wrapped(f"rule {violation.rule}: {rule}", width=width, first="    ")
    if len(found) > SHOWN_MAX:
        yield f"  and {len(found) - SHOWN_MAX} more: --format json"
    if found and replay:
        seed = "" if found[0].seed is None else f" --seed {found[0].seed}"
        yield f"  To see it again: {replay}{seed}"


def percent(share: float) -> str:
    """A fraction as a whole percentage."""
    return f"{100 * share:.0f}%"


def spaced(section: Iterable[str]) -> list[str]:
    """The lines of a section behind an empty one; nothing for nothing."""
    lines = list(section)
    return ["", *lines] if lines else []
