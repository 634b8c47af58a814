"""Small charts of characters: bars, and availability over time. Eighths of a block on a terminal, plain characters in a pipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor

from restart.reports.prose import count
from restart.rules.durations import spoken

Steps = Sequence[tuple[float, int]]
"""A number over time: from each time (run seconds) on, it is so many."""

_LYING = " ▏▎▍▌▋▊▉█"
_STANDING = " ▁▂▃▄▅▆▇█"
_NICE_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
SERVICES_MAX = 16
"""Services whose availability is drawn; of more, those that had the smallest share left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """How many values lie from `from_s` (included) to `until_s`; `well` of them ended well."""

    from_s: float
    until_s: float
    number: int
    well: int


def bins(values: Sequence[tuple[float, bool]], *, bins_max: int = 12) -> tuple[Bin, ...]:
    """Durations in seconds, each with whether it ended well, sorted into at most so many bins of one round width."""
    if not values:
        return ()
    low, high = min(value for value, _ in values), max(value for value, _ in values)
    wanted = max(high - low, 1.0) / (bins_max - 1)
    width = next((nice for nice in _NICE_S if nice >= wanted), ceil(wanted / 86400) * 86400)
    first = floor(low / width) * width
    number = floor((high - first) / width) + 1
    counts = [[0, 0] for _ in range(number)]
    for value, well in values:
        cell = counts[floor((value - first) / width)]
        cell[0] += 1
        cell[1] += well
    return tuple(
        Bin(from_s=first + at * width, until_s=first + (at + 1) * width, number=held, well=well)
        for at, (held, well) in enumerate(counts)
    )


def bar(share: float, width: int, *, blocks: bool) -> str:
    """A bar of `share` (0 to 1) of `width` columns; never empty where there is anything."""
    if share <= 0:
        return ""
    if not blocks:
        return "#" * max(1, round(share * width))
    eighths = max(1, round(share * width * 8))
    return _LYING[8] * (eighths // 8) + _LYING[eighths % 8].strip()


def distribution(values: Sequence[tuple[float, bool]], *, width: int = 40, blocks: bool = False) -> list[str]:
    """A row for each bin of durations: from when to when, a bar, how many."""
    found = bins(values)
    most = max((one.number for one in found), default=1)
    spans = [f"{spoken(one.from_s)} to {spoken(one.until_s)}" for one in found]
    widest = max(map(len, spans), default=0)
    return [
        f"  {span:>{widest}}  {bar(one.number / most, width, blocks=blocks):<{width}}  {one.number or '-'}".rstrip()
        for span, one in zip(spans, found, strict=True)
    ]


def availability(
    steps: Mapping[str, Steps],
    members: Mapping[str, int],
    needed: Mapping[str, int | None],
    end_s: float,
    *,
    width: int = 50,
    blocks: bool = False,
) -> list[str]:
    """A row for each service: in each column the fewest members that functioned in that slice of time."""
    shown = drawn(steps, members)
    if not shown:
        return []
    names = max(len(name) for name in shown)
    lines = []
    for name in shown:
        columns = lowest(steps[name], end_s, width)
        row = "".join(_column(low, members[name], needed.get(name), blocks=blocks) for low in columns)
        least = min(number for _, number in steps[name])
        lines.append(f"  {name:<{names}}  |{row}|  {least} of {members[name]}")
    end = spoken(end_s)
    lines.append(f"  {'':<{names}}  0{end:>{width + 1}}")
    meaning = "height: members that function" if blocks else "# all, - fewer, ! fewer than are needed"
    left = len(steps) - len(shown)
    rest = f"; {count(left, 'service')} more had a larger share left" if left else ""
    lines.append(f"  {meaning}; on the right the fewest{rest}")
    return lines


def drawn(steps: Mapping[str, Steps], members: Mapping[str, int], services_max: int = SERVICES_MAX) -> list[str]:
    """The services that are worth a row, in their order; of too many, those that had the smallest share left."""
    share = {
        name: min(number for _, number in held) / members[name]
        for name, held in steps.items()
        if held and members[name]
    }
    worst = sorted(share, key=lambda name: share[name])[:services_max]
    return [name for name in steps if name in set(worst)]


def lowest(steps: Steps, end_s: float, columns: int) -> list[int]:
    """The smallest number in each of so many equal slices of the time until `end_s`."""
    slice_s = max(end_s, 1e-9) / columns
    found, at, now = [], 0, steps[0][1]
    for column in range(columns):
        until_s = (column + 1) * slice_s
        while at < len(steps) and steps[at][0] <= column * slice_s:
            now = steps[at][1]
            at += 1
        least = now
        while at < len(steps) and steps[at][0] < until_s:
            now = steps[at][1]
            least = min(least, now)
            at += 1
        found.append(least)
    return found


def below_s(steps: Steps, floor: int, end_s: float) -> float:
    """For how many seconds, until `end_s`, the number was below `floor`."""
    ends_s = [at_s for at_s, _ in steps[1:]] + [end_s]
    return sum(
        max(0.0, min(until_s, end_s) - from_s)
        for (from_s, number), until_s in zip(steps, ends_s, strict=True)
        if number < floor
    )


def _column(number: int, of: int, needed: int | None, *, blocks: bool) -> str:
    if blocks:
        if number in (0, of):
            return " " if number == 0 else _STANDING[8]
        # The full block is for all of them alone, an empty column for none.
        return _STANDING[min(7, max(1, 8 * number // of))]
    if needed is not None and number < needed:
        return "!"
    return "#" if number == of else "-"
