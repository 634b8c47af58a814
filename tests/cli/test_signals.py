"""Signals become words to the run; `test_running.py` shows what the run makes of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from restart.cli.carry import signals_as_words

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def _as_a_terminal_hands_them_on() -> Iterator[None]:
    """Whoever runs the tests under nohup, or in the background, has some of them ignored from the start."""
    former = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


def heard(*numbers: signal.Signals) -> list[str]:
    said: list[str] = []
    told: list[str] = []
    with signals_as_words(said.append, told.append):
        for number in numbers:
            os.kill(os.getpid(), number)
    assert len(told) == len(said), "the operator is told of each"
    return said


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_of_any_kind_stops_in_good_order(number: signal.Signals) -> None:
    assert heard(number) == ["stop"]


def test_only_a_second_ctrl_c_lets_go_at_once() -> None:
    assert heard(signal.SIGINT, signal.SIGINT) == ["stop", "let-go"]
    assert heard(signal.SIGTERM, signal.SIGTERM, signal.SIGHUP) == ["stop"]
    assert heard(signal.SIGHUP, signal.SIGINT) == ["stop", "let-go"]


def test_what_was_told_to_be_ignored_stays_ignored_and_the_rest_is_given_back() -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    before = signal.getsignal(signal.SIGINT)
    try:
        assert heard(signal.SIGHUP) == []
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) is before
    finally:
        signal.signal(signal.SIGHUP, former)
