"""A rehearsal as one SVG: how long it took, over many runs, and how many members of each service functioned over time.

Plain shapes and system fonts, no script, nothing loaded from elsewhere; the same data gives the same file, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from restart.reports.chart import Steps, bins, drawn
from restart.reports.prose import count, printable
from restart.rules.durations import spoken

WIDTH = 800
LEFT, RIGHT = 150, 60
TOP = 64
BARS_HEIGHT, ROW_HEIGHT, ROW_GAP = 160, 40, 14
SERVICES_MAX = 40
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 7 * 86400)

_STYLE = """text { font: 12px system-ui, sans-serif; fill: #222 }
.title { font-size: 16px; font-weight: 600 }
.faint { fill: #666 }
.axis { stroke: #999; fill: none }
.grid { stroke: #ddd }
.well { fill: #3b6fb6 }
.badly { fill: #d1495b }
.there { fill: #9dbfe3 }
.short { fill: #d1495b }
.need { stroke: #d1495b; stroke-dasharray: 4 3 }
.plan { stroke: #222; stroke-dasharray: 2 3 }"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What is drawn. `durations`: seconds of each run, and whether it ended well; one run alone makes no distribution.

    `planned_s`: how long the plan says. `availability`, `members`, `needed` and `end_s` are of one run (see `Playing`).
    """

    title: str
    subtitle: str = ""
    durations: Sequence[tuple[float, bool]] = ()
    planned_s: float | None = None
    availability: Mapping[str, Steps] = field(default_factory=dict)
    members: Mapping[str, int] = field(default_factory=dict)
    needed: Mapping[str, int | None] = field(default_factory=dict)
    end_s: float = 0.0


def plot_svg(plot: Plot) -> str:
    """The whole document. Ends with a newline."""
    body: list[str] = []
    y = TOP
    if len(plot.durations) > 1:
        body += _bars(plot, y)
        y += BARS_HEIGHT + 70
    shown = drawn(plot.availability, plot.members, SERVICES_MAX)
    if shown:
        body += _rows(plot, shown, y)
        y += len(shown) * (ROW_HEIGHT + ROW_GAP) + 60
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img">',
            f"<title>{_text(plot.title)}</title>",
            f"<style>{_STYLE}</style>",
            f'<rect width="{WIDTH}" height="{y}" fill="#fff"/>',
            f'<text class="title" x="20" y="28">{_text(plot.title)}</text>',
            f'<text class="faint" x="20" y="46">{_text(plot.subtitle)}</text>',
            *body,
            "</svg>",
            "",
        ]
    )


def _bars(plot: Plot, top: int) -> Iterator[str]:
    """The distribution of durations: blue ended well, red did not."""
    found = bins(plot.durations, bins_max=24)
    first_s, last_s = found[0].from_s, found[-1].until_s
    if plot.planned_s is not None:
        first_s, last_s = min(first_s, plot.planned_s), max(last_s, plot.planned_s)
    most = max(one.number for one in found)
    floor_y = top + 20 + BARS_HEIGHT
    yield _label(20, top + 2, f"How long {count(len(plot.durations), 'run')} took", "start")

    def x(at_s: float) -> float:
        return LEFT + (at_s - first_s) / (last_s - first_s) * (WIDTH - LEFT - RIGHT)

    for one in found:
        left, right = x(one.from_s), x(one.until_s)
        y = float(floor_y)
        for number, kind in ((one.well, "well"), (one.number - one.well, "badly")):
            height = BARS_HEIGHT * number / most
            if number:
                y -= height
                what = "ended well" if kind == "well" else "did not end well"
                yield (
                    f'<rect class="{kind}" x="{left + 0.5:.1f}" y="{y:.1f}" width="{right - left - 1:.1f}" height="{height:.1f}">'
                    f"<title>{number} {what}, {spoken(one.from_s)} to {spoken(one.until_s)}</title></rect>"
                )
    yield f'<line class="axis" x1="{LEFT}" y1="{floor_y}" x2="{WIDTH - RIGHT}" y2="{floor_y}"/>'
    yield _label(LEFT - 8, top + 30, str(most), "end")
    yield from _time_axis(first_s, last_s, floor_y, x)
    if plot.planned_s is not None:
        at = x(plot.planned_s)
        yield f'<line class="plan" x1="{at:.1f}" y1="{top + 20}" x2="{at:.1f}" y2="{floor_y}"/>'
        # On the side where there is room for it.
        is_left = at < WIDTH / 2
        yield _label(
            at + (4 if is_left else -4), top + 17, f"planned {spoken(plot.planned_s)}", "start" if is_left else "end"
        )


def _rows(plot: Plot, shown: Sequence[str], top: int) -> Iterator[str]:
    """A strip for each service: members that functioned over time, red where fewer than are needed."""
    yield _label(20, top + 10, "Members that function, over time", "start")
    end_s = max(plot.end_s, 1e-9)

    def x(at_s: float) -> float:
        return LEFT + min(at_s, end_s) / end_s * (WIDTH - LEFT - RIGHT)

    y = top + 24
    for name in shown:
        floor_y, members = y + ROW_HEIGHT, plot.members[name]
        needed = plot.needed.get(name)
        yield _label(LEFT - 8, y + ROW_HEIGHT / 2 + 4, name if len(name) <= 18 else name[:17] + "…", "end")
        for from_s, until_s, number in _spans(plot.availability[name], end_s):
            is_short = needed is not None and number < needed
            height = ROW_HEIGHT * number / members
            if is_short:
                # The gap itself is shown too, so that none left at all is not an empty place.
                yield _rect("short", x(from_s), y, x(until_s) - x(from_s), ROW_HEIGHT, ' opacity="0.25"')
            if number:
                kind = "short" if is_short else "there"
                yield _rect(kind, x(from_s), floor_y - height, x(until_s) - x(from_s), height)
        yield f'<line class="axis" x1="{LEFT}" y1="{floor_y}" x2="{WIDTH - RIGHT}" y2="{floor_y}"/>'
        if needed:
            need_y = floor_y - ROW_HEIGHT * needed / members
            yield f'<line class="need" x1="{LEFT}" y1="{need_y:.1f}" x2="{WIDTH - RIGHT}" y2="{need_y:.1f}"/>'
        least = min(number for _, number in plot.availability[name])
        yield _label(WIDTH - RIGHT + 8, y + ROW_HEIGHT / 2 + 4, f"{least} of {members}", "start")
        y += ROW_HEIGHT + ROW_GAP
    yield from _time_axis(0.0, end_s, y - ROW_GAP, x)
    left = len(plot.availability) - len(shown)
    rest = f"; {count(left, 'service')} more had a larger share left" if left > 0 else ""
    yield _label(LEFT, y + 26, f"dashed: members that are needed; red: fewer; on the right the fewest{rest}", "start")


def _spans(steps: Steps, end_s: float) -> Iterator[tuple[float, float, int]]:
    for index, (from_s, number) in enumerate(steps):
        until_s = min(steps[index + 1][0] if index + 1 < len(steps) else end_s, end_s)
        if until_s > from_s:
            yield from_s, until_s, number


def _time_axis(first_s: float, last_s: float, y: float, x: Callable[[float], float]) -> Iterator[str]:
    step = next((one for one in _STEPS_S if (last_s - first_s) / one <= 8), _STEPS_S[-1])
    at_s = -(-first_s // step) * step
    while at_s <= last_s + 1e-9:
        at = x(at_s)
        yield f'<line class="axis" x1="{at:.1f}" y1="{y:.1f}" x2="{at:.1f}" y2="{y + 5:.1f}"/>'
        yield _label(at, y + 18, spoken(at_s) if at_s else "0", "middle")
        at_s += step


def _rect(kind: str, x: float, y: float, width: float, height: float, more: str = "") -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"{more}/>'


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_text(text)}</text>'


def _text(text: str) -> str:
    return escape(printable(text))
