"""Faults in words, and what is said of words that are none."""

from __future__ import annotations

from functools import cache

import pytest

from restart.errors import UsageMistake
from restart.inventory import read
from restart.model.inventory import Inventory
from restart.simulator.faults import KINDS, Fault
from restart.simulator.whatif import SENTENCES, grammar, read_what_if
from tests.inventory.reading import GATES, ROOT


@cache
def chat() -> Inventory:
    return read([ROOT / "inventories" / "chat-prod.yml"], GATES)


APPS = tuple(f"app-{number:02d}" for number in range(1, 13))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("db-2 never returns", Fault(kind="never_returns", hosts=("db-2",))),
        ("app-[01-02] never return twice", Fault(kind="never_returns", hosts=APPS[:2], times=2)),
        ("db-2 never returns 3 times", Fault(kind="never_returns", hosts=("db-2",), times=3)),
        ("db-1, db-2 goes down at 5m for 1h30m", Fault(kind="goes_down", hosts=("db-1", "db-2"), at_s=300, for_s=5400)),
        ("service:chat dies from 90s", Fault(kind="goes_down", hosts=APPS, at_s=90)),
        ("db-3 returns late by 5m", Fault(kind="returns_late", hosts=("db-3",), by_s=300)),
        ("db-3 flaps every 2s for 1m at 10s", Fault(kind="flaps", hosts=("db-3",), at_s=10, for_s=60, by_s=2)),
        ("db-3 keeps its boot id", Fault(kind="same_boot_id", hosts=("db-3",))),
        ("db-3 hangs in auth", Fault(kind="ssh_hangs", hosts=("db-3",), phase="auth")),
        ("db-3 loses answers with 30%", Fault(kind="answers_lost", hosts=("db-3",), chance=0.3)),
        ("db-3 loses :5432 at boot", Fault(kind="loses_at_boot", hosts=("db-3",), target="tcp:5432")),
        (
            "db-* lose mount:/srv at boot",
            Fault(kind="loses_at_boot", hosts=("db-1", "db-2", "db-3"), target="mount:/srv"),
        ),
        ("db-3 fails its drain", Fault(kind="step_fails", hosts=("db-3",))),
        ("someone reboots db-3 at 2m", Fault(kind="someone_reboots", hosts=("db-3",), at_s=120)),
        ("gate of postgres,queue is unknown", Fault(kind="unknown", services=("postgres", "queue"))),
        ("watches are unknown for 2m", Fault(kind="unknown", for_s=120)),
        ("the controller dies at event 40", Fault(kind="controller_dies", event=40)),
        ("Controller dies at 1m", Fault(kind="controller_dies", at_s=60)),
        ("clock steps by -1h", Fault(kind="clock_steps", by_s=-3600)),
        ("the hook fails on quiet at 5m", Fault(kind="hook_fails", target="quiet", at_s=300)),
        ("operator says retry on db-1 at 5m", Fault(kind="says", word="retry", target="db-1", at_s=300)),
    ],
)
def test_a_sentence_is_one_fault(text: str, fault: Fault) -> None:
    assert read_what_if(text, chat()) == fault


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("db2 never returns", "did you mean db-2?"),
        ("app-[11-14] never returns", "'app-13' is not a host"),
        ("db-2 nevr returns", "did you mean: db-2 never returns?"),
        ("db-2 never retruns", "did you mean: db-2 never returns?"),
        ("db-2 gos down at 5m", "did you mean: db-2 goes down?"),
        ("db-2 goes down att 5m", "did you mean at?"),
        ("db-2 goes down at 5", "is not a duration"),
        ("db-2 goes down at", "something is missing behind 'at'"),
        ("db-2 goes down at 1m at 2m", "said twice"),
        ("db-2 goes down at event 3", "only the controller and its disk"),
        ("db-2 never returns at 5m", "takes no 'at'"),
        ("db-2 never returns 0 times", "no whole number from 1"),
        ("db-2 returns late", "needs 'by'"),
        ("db-2 loses answers with 130%", "no percentage"),
        ("db-2 loses heart at boot", "'heart' is nothing that a boot loses"),
        ("db-2 looses :443 at boot", "did you mean: db-2 loses THING at boot?"),
        ("db-2 hangs in bed", "no phase of SSH"),
        ("gate of postgress is unknown", "did you mean postgres?"),
        ("operator says halt", "no word of an operator"),
        ("controler dies", "did you mean: controller dies?"),
        ("", "it says nothing"),
        ("hello", "what can be said"),
    ],
)
def test_what_is_no_sentence_is_told_with_what_was_probably_meant(text: str, said: str) -> None:
    with pytest.raises(UsageMistake) as told:
        read_what_if(text, chat())
    assert said in str(told.value)
    assert str(told.value).startswith(f"--what-if {text!r}: ")


def test_every_kind_of_fault_can_be_said_and_nothing_else() -> None:
    assert {sentence.kind for sentence in SENTENCES} == set(KINDS)
    assert len(list(grammar())) == len(SENTENCES)
