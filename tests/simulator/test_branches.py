"""Copies of a process: each sends one result, none is left behind. Each claim is tried in a process of its own, of one thread."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from restart.simulator.branches import can_branch, each

ROOT = Path(__file__).parent.parent.parent

WORK = """
import os, signal, time
from restart.errors import Bug, RestartError, UsageMistake
from restart.simulator.branches import Branches, can_branch, each
assert can_branch()

def fail(number):
    if number == 3:
        raise UsageMistake("three cannot be")
    return number

def none_left():
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        print("none left")
"""


def said(script: str) -> str:
    """What `script` prints in a process of its own."""
    run = subprocess.run([sys.executable, "-c", WORK + script], cwd=ROOT, capture_output=True, text=True, timeout=50)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_results_come_in_the_order_of_the_items_for_any_number_of_processes() -> None:
    script = """
for at_once in (1, 2, 5):
    for number in (0, 1, 2, 7, 250):
        told = []
        found = each(lambda item: item * item, range(number), at_once=at_once, progress=lambda now, of: told.append((now, of)))
        assert found == [item * item for item in range(number)]
        assert told == sorted(told) and (not number or told[-1] == (number, number)), told
pids = set(each(lambda item: os.getpid(), range(5), at_once=2))
print(os.getpid() in pids, len(pids))
none_left()
"""
    assert said(script) == "False 5\nnone left\n"


def test_a_result_larger_than_a_pipe_arrives_whole() -> None:
    assert said("print([len(x) for x in each(lambda n: 'x' * n, [9_000_000, 3], at_once=2)])") == "[9000000, 3]\n"


@pytest.mark.parametrize("at_once", [1, 2])
def test_what_an_operator_can_mend_comes_back_as_it_was(at_once: int) -> None:
    script = f"""
try:
    each(fail, range(8), at_once={at_once})
except UsageMistake as error:
    print(error)
none_left()
"""
    assert said(script) == "three cannot be\nnone left\n"


def test_a_bug_in_a_copy_is_a_bug_here_with_its_trace() -> None:
    script = """
try:
    each(lambda number: 1 // (number - 3), range(8), at_once=2)
except Bug as error:
    print("ZeroDivisionError" in str(error))
none_left()
"""
    assert said(script) == "True\nnone left\n"


def test_a_copy_that_is_killed_from_outside_is_told_and_never_waited_for() -> None:
    script = """
try:
    each(lambda number: os.kill(os.getpid(), signal.SIGKILL), range(8), at_once=2)
except RestartError as error:
    print(error)
none_left()
"""
    told = "a simulating process was ended from outside (signal 9) (free some memory, or take --processes 1)"
    assert said(script) == f"{told}\nnone left\n"


def test_copies_made_in_the_middle_share_the_past_and_nothing_after_it() -> None:
    script = """
past = []
with Branches(2) as branches:
    for number in range(4):
        past.append(number)
        if branches.branch(number):
            past.append(100)
            branches.send(past)
print(sorted(branches.found.items()), past)
"""
    assert said(script) == (
        "[(0, [0, 100]), (1, [0, 1, 100]), (2, [0, 1, 2, 100]), (3, [0, 1, 2, 3, 100])] [0, 1, 2, 3]\n"
    )


def test_ctrl_c_ends_every_copy() -> None:
    script = """
def work(number):
    if number == 1:
        os.kill(os.getppid(), signal.SIGINT)
    time.sleep(60)

try:
    each(work, range(4), at_once=2)
except KeyboardInterrupt:
    print("interrupted")
none_left()
"""
    began_s = time.monotonic()
    assert said(script) == "interrupted\nnone left\n"
    assert time.monotonic() - began_s < 30


def test_a_process_of_several_threads_is_not_copied_and_finds_the_same() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert not can_branch()
        assert each(lambda number: (threading.get_ident(), number), range(3), at_once=2) == [
            (threading.get_ident(), number) for number in range(3)
        ]
    finally:
        stop.set()
        thread.join()
