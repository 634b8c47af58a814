from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from restart.reports.prose import aligned, count, folded, listed, printable, wrapped
from restart.rules.names import expand


def test_a_row_of_hosts_folds_to_one_range_with_its_padding() -> None:
    assert folded(f"app-{number:02d}" for number in range(1, 13)) == ("app-[01-12]",)
    assert folded(f"app-{number}" for number in range(8, 13)) == ("app-[8-12]",)


def test_two_hosts_stay_two_names() -> None:
    assert listed(["db-2", "db-1"]) == "db-1, db-2"


def test_names_that_only_look_alike_do_not_fold() -> None:
    assert folded(["a-1", "a-02", "a-3", "b-4", "c"]) == ("a-1", "a-02", "a-3", "b-4", "c")


@given(
    st.sets(st.from_regex(r"[a-c]{0,2}-?[0-9]{0,3}[x-]?[0-9]{1,3}[z]?", fullmatch=True) | st.sampled_from(["x", "lb"]))
)
def test_folding_loses_no_host_and_invents_none(names: set[str]) -> None:
    terms = folded(names)
    unfolded = [name for term in terms for name in expand(term)]
    assert sorted(unfolded) == sorted(names)


def test_what_a_host_says_cannot_drive_the_terminal() -> None:
    assert printable("up\x1b[2J\r\nok\x07") == "up\\x1b[2J  ok\\x07"
    assert printable("grün") == "grün"


def test_a_line_wraps_at_the_width_and_keeps_long_words_whole() -> None:
    word = "x" * 50
    lines = wrapped(f"one two {word} three", width=30, first="  a  ")
    assert lines == ["  a  one two", f"     {word}", "     three"]


def test_no_words_still_make_a_line() -> None:
    assert wrapped("", width=30, first="  why ") == ["  why"]


def test_columns_line_up() -> None:
    assert aligned([("a", "b"), ("long", "")]) == ["  a     b", "  long"]


def test_one_is_singular() -> None:
    assert (count(1, "host"), count(2, "host"), count(2, "entry", "entries")) == ("1 host", "2 hosts", "2 entries")
