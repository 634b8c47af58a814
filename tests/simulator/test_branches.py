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
# A suite that runs in the background is deaf to it, and so would we be.
signal.signal(signal.SIGINT, signal.default_int_handler)

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


@pytest.mark.parametrize("again_after", [None, 17])
def test_ctrl_c_between_any_two_instructions_leaves_no_copy_behind(again_after: int | None) -> None:
    """Struck at every seventh instruction of the whole, from the first to the last, and there once more a little later."""
    script = f"""
import sys
from restart.simulator import branches

def end_when_struck(at):
    count = 0
    def instruction(frame, event, arg):
        nonlocal count
        if event == "opcode" and os.getpid() == me:
            count += 1
            if count == at or count - at == {again_after}:
                os.kill(me, signal.SIGINT)
        return instruction
    def enter(frame, event, arg):
        frame.f_trace_opcodes = True
        return instruction if frame.f_code.co_filename.endswith((branches.__file__, "contextlib.py")) else None
    sys.settrace(enter)
    try:
        each(lambda number: time.sleep(0.002 * (number % 2)), range(3), at_once=2)
    except KeyboardInterrupt:
        ends.add("interrupted")
    finally:
        sys.settrace(None)
    return count

def clean():
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        alone = True
    else:
        alone = False
    handler = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return alone and handler and not signal.pthread_sigmask(signal.SIG_BLOCK, ())

me, ends, at = os.getpid(), set(), 1
fds = len(os.listdir("/dev/fd"))
while end_when_struck(at) >= at:
    assert clean(), at
    at += 7
print(at > 1000, ends, len(os.listdir("/dev/fd")) == fds)
"""
    assert said(script) == "True {'interrupted'} True\n"


@pytest.mark.parametrize("end", ["1 // 0", "os.kill(os.getppid(), signal.SIGINT)"])
def test_an_end_that_comes_while_the_last_copies_are_awaited_leaves_none_behind(end: str) -> None:
    script = f"""
def work(number):
    if number == 2:
        time.sleep(0.3)
        {end}
    time.sleep(60 if number == 3 else 0)

try:
    each(work, range(4), at_once=2)
except (Bug, KeyboardInterrupt):
    print("ended")
none_left()
"""
    began_s = time.monotonic()
    assert said(script) == "ended\nnone left\n"
    assert time.monotonic() - began_s < 30


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process when its maker has ended")
def test_copies_end_when_their_maker_is_killed() -> None:
    script = """
def work(number):
    if number == 1:
        os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)

each(work, range(4), at_once=2)
"""
    began_s = time.monotonic()
    # Returns only when nobody holds the pipes any more.
    run = subprocess.run([sys.executable, "-c", WORK + script], cwd=ROOT, capture_output=True, timeout=50)
    assert run.returncode == -9
    assert time.monotonic() - began_s < 30


def test_copies_of_a_process_whose_children_the_system_forgets_are_heard_like_others() -> None:
    script = """
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print(each(lambda number: number, range(5), at_once=2))
"""
    assert said(script) == "[0, 1, 2, 3, 4]\n"


def test_a_process_in_the_background_stays_deaf_to_ctrl_c() -> None:
    script = """
signal.signal(signal.SIGINT, signal.SIG_IGN)
print(each(lambda number: os.kill(os.getppid(), signal.SIGINT), range(3), at_once=2))
print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)
"""
    assert said(script) == "[None, None, None]\nTrue\n"


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
