"""Many simulated runs as text for people: the chance that it ends well, how long it takes, what takes the time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import sqrt

from restart.model.rehearsal import Trial, Trials
from restart.reports.chart import availability, distribution
from restart.reports.prose import count, printable, wrapped
from restart.reports.simulation_text import WIDTH, percent, spaced, took, unsafe
from restart.rules.durations import spoken


def trials_text(
    trials: Trials,
    needed: Mapping[str, int | None],
    *,
    replay: str = "",
    width: int = WIDTH,
    blocks: bool = False,
) -> str:
    """Many plays: the chance that it ends well, how it ended else, how long it took and what took the time. Ends with a newline."""
    many, well = trials.trials, trials.succeeded
    low, high = likely(well, len(many))
    last = trials.seed + len(many) - 1
    lines = [f"{trials.name}: {count(len(many), 'simulated run')}, seeds {trials.seed} to {last}"]
    lines += wrapped(
        f"{well} of {len(many)} ended well: a chance of {percent(well / len(many))} "
        f"(19 times of 20 it lies between {percent(low)} and {percent(high)}).",
        width=width,
        first="  ",
    )
    for sentence in trials.assumed:
        lines += wrapped(sentence, width=width, first="  ")
    lines += spaced(unsafe([found for trial in many for found in trial.violations], replay, width))
    lines += spaced(_endings(many, replay, width))
    lines += spaced(_lengths(trials, blocks))
    of = [trial for trial in many if trial.succeeded] or list(many)
    sums: Counter[str] = Counter()
    for trial in of:
        sums.update(trial.takes)
    mean_s = sum(trial.duration_s for trial in of) / len(of)
    lines += spaced(took({what: total_s / len(of) for what, total_s in sums.most_common()}, mean_s, blocks=blocks))
    first = many[0]
    steps = availability(trials.availability, trials.members, needed, first.duration_s, blocks=blocks)
    lines += spaced([f"Members that function, over time, in the run with seed {first.seed}", *steps] if steps else [])
    return "\n".join(lines) + "\n"


def likely(well: int, of: int) -> tuple[float, float]:
    """Between which chances the true one lies, 19 times of 20 (Wilson's interval, which is right at 0 and at all of them too)."""
    z = 1.96
    share, spread = well / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * sqrt(share * (1 - share) / of + spread / (4 * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of the sorted `values` that at least so large a share of them does not exceed."""
    index = -(-len(values) * share // 1)
    return values[min(len(values) - 1, max(0, int(index) - 1))]


def _endings(trials: Sequence[Trial], replay: str, width: int) -> Iterator[str]:
    """The ways in which the runs ended, the most frequent first, each with one that can be looked at."""
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        found.setdefault(_ending(trial), []).append(trial)
    yield "How they ended"
    for ending, alike in sorted(found.items(), key=lambda row: (-len(row[1]), row[0])):
        first = alike[0]
        yield from wrapped(f"{len(alike):>5}  {ending}", width=width, first="  ", rest=" " * 9)
        if not first.succeeded and first.why:
            yield from wrapped(printable(f"seed {first.seed}: {first.why}"), width=width, first=" " * 9, rest=" " * 11)
    bad = next((trial for trial in trials if not trial.succeeded), None)
    if bad is not None and replay:
        yield f"  To look at one: {replay} --seed {bad.seed}"


def _ending(trial: Trial) -> str:
    if trial.violations:
        return f"UNSAFE: rule {trial.violations[0].rule} was broken"
    if trial.succeeded:
        return "well"
    lost = (
        f" with {count(len(trial.failed), 'host')} that do{'es' if len(trial.failed) == 1 else ''} not function"
        if trial.failed
        else ""
    )
    rule = f" by {trial.rule}" if trial.rule else ""
    return f"{trial.state}{rule}{lost}"


def _lengths(trials: Trials, blocks: bool) -> Iterator[str]:
    well = sorted(trial.duration_s for trial in trials.trials if trial.succeeded)
    yield f"How long they took (planned {spoken(round(trials.planned_s))})"
    if well:
        half, most = quantile(well, 0.5), quantile(well, 0.9)
        yield from wrapped(
            f"Of those that ended well: half within {spoken(round(half))}, 9 of 10 within {spoken(round(most))}, "
            f"all within {spoken(round(well[-1]))}.",
            width=WIDTH,
            first="  ",
        )
    yield from distribution([(trial.duration_s, trial.succeeded) for trial in trials.trials], blocks=blocks)
