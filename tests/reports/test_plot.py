"""Charts of characters and the SVG: they show what there is, and are the same each time."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from xml.etree import ElementTree

import pytest

from restart.reports.chart import availability, bar, bins, distribution, drawn, lowest
from restart.reports.plot import Plot, plot_svg
from restart.reports.progress import ProgressLine

STEPS = {"db": ((0.0, 3), (10.0, 2), (60.0, 1), (70.0, 3)), "web": ((0.0, 12),)}
MEMBERS = {"db": 3, "web": 12}
PLOT = Plot(
    title="chat <prod> & \x1b[2J",
    subtitle="17 of 20 ended well",
    durations=[(100.0 + 7 * number, number % 5 != 0) for number in range(20)],
    planned_s=150.0,
    availability=STEPS,
    members=MEMBERS,
    needed={"db": 2, "web": 9},
    end_s=100.0,
)


@pytest.mark.parametrize("values", [[5.0], [5.0, 5.0], [0.0, 86400.0 * 90], [59.9, 60.0, 60.1], [1.0, 1e6]])
def test_every_value_is_in_one_bin_and_bins_are_few(values: list[float]) -> None:
    found = bins([(value, True) for value in values], bins_max=12)
    assert sum(one.number for one in found) == sum(one.well for one in found) == len(values)
    assert len(found) <= 12
    assert found[0].from_s <= min(values)
    assert max(values) < found[-1].until_s
    assert [one.until_s for one in found[:-1]] == [one.from_s for one in found[1:]]


def test_no_values_make_no_bins() -> None:
    assert bins([]) == ()
    assert distribution([]) == []


def test_a_bar_is_never_empty_where_there_is_anything() -> None:
    assert bar(0.0001, 40, blocks=False) == "#"
    assert bar(0.0001, 40, blocks=True) == "▏"
    assert bar(1.0, 4, blocks=True) == "████"
    assert bar(0.625, 4, blocks=True) == "██▌"
    assert bar(0.0, 4, blocks=False) == ""


def test_a_column_shows_the_fewest_of_its_slice() -> None:
    assert lowest(STEPS["db"], 100.0, 10) == [3, 2, 2, 2, 2, 2, 1, 3, 3, 3]
    # A dip much shorter than a slice is seen.
    assert lowest(((0.0, 3), (50.0, 0), (50.1, 3)), 100.0, 4) == [3, 3, 0, 3]
    assert lowest(((0.0, 3),), 0.0, 3) == [3, 3, 3]


def test_availability_shows_what_is_short() -> None:
    lines = availability(STEPS, MEMBERS, {"db": 2, "web": 9}, 100.0, width=10)
    assert lines[:3] == ["  db   |#-----!###|  1 of 3", "  web  |##########|  12 of 12", "       0      1m40s"]
    lines = availability(STEPS, MEMBERS, {}, 100.0, width=10, blocks=True)
    assert lines[0] == "  db   |█▅▅▅▅▅▂███|  1 of 3"
    assert availability({}, {}, {}, 100.0) == []


def test_of_many_services_those_that_had_the_least_left_are_shown() -> None:
    steps = {f"s{number:02d}": ((0.0, 10), (1.0, number % 10)) for number in range(30)}
    members = dict.fromkeys(steps, 10)
    assert drawn(steps, members, 3) == ["s00", "s10", "s20"]
    assert "14 services more had a larger share left" in availability(steps, members, {}, 9.0)[-1]


def test_the_drawing_is_the_one_agreed(golden: Callable[[str, str], None]) -> None:
    golden("simulated.svg", plot_svg(PLOT))


def test_the_drawing_is_sound_whatever_it_shows() -> None:
    for plot in (
        PLOT,
        Plot(title="nothing"),
        Plot(title="one", durations=[(5.0, True)], availability=STEPS, members=MEMBERS),
    ):
        root = ElementTree.fromstring(plot_svg(plot))
        assert root.tag.endswith("svg")
        height = float(root.get("height", "0"))
        for shape in root.iter():
            if shape.tag.endswith("rect"):
                assert float(shape.get("width", "0")) >= 0
                assert 0 <= float(shape.get("y", "0")) <= height
    assert "\x1b" not in plot_svg(PLOT)


def test_progress_is_one_line_that_is_gone_at_the_end() -> None:
    stream, now_s = StringIO(), [0.0]
    with ProgressLine("simulating", stream=stream, drawable=True, clock=lambda: now_s[0]) as line:
        for done in range(1, 11):
            now_s[0] += 0.04
            line.told(done, 10)
    drawings = stream.getvalue().split("\r\x1b[K")[1:]
    assert drawings[-1] == ""
    assert drawings[-2].endswith("10 of 10")
    assert len(drawings) == 5
    assert "about 0s left" in drawings[0]


def test_progress_writes_nothing_where_there_is_no_terminal_and_survives_a_closed_one() -> None:
    stream = StringIO()
    with ProgressLine("simulating", stream=stream, drawable=False) as line:
        line.told(1, 2)
    assert stream.getvalue() == ""
    closed = StringIO()
    with ProgressLine("simulating", stream=closed, drawable=True) as line:
        closed.close()
        line.told(1, 2)
