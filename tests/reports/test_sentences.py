from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace

import pytest

from restart.engine import facts as names
from restart.model.check import Verdict
from restart.model.event import Fact
from restart.reports.sentences import sentence, weight

Golden = Callable[[str, str], None]

ALL = sorted(value for key, value in inspect.getmembers(names) if key.isupper())


def test_every_line_of_a_run_reads_as_agreed(facts: list[Fact], golden: Golden) -> None:
    lines = [f"{weight(fact):5}  {sentence(fact)}" for fact in facts]
    golden("sentences.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("name", ALL)
def test_every_fact_of_the_engine_has_a_sentence_even_with_nothing_in_it(name: str) -> None:
    bare = Fact(at_s=1.0, fact=name)
    full = replace(
        bare, host="db-1", service="postgres", wave=2, verdict=Verdict.UNKNOWN, evidence="seen\x1b[2J", why="because",
        data={"rule": "limits.rack", "target": "db-1", "rung": "reboot", "number": 2, "state": "halted"},
    )  # fmt: skip
    assert "None" not in sentence(full)
    assert "\x1b" not in sentence(full)
    assert sentence(bare)
    assert "_" not in sentence(bare)


def test_a_hold_names_its_rule_and_its_way_out() -> None:
    data = {"rule": "budget.db", "way_out": "by itself when they are ready"}
    why = "2 of 3 ready, 2 needed (by itself when they are ready)"
    held = Fact(at_s=1.0, fact="held", host="db-2", why=why, data=data)
    assert sentence(held) == "db-2: waits: 2 of 3 ready, 2 needed [budget.db] (by itself when they are ready)"


def test_a_hold_of_a_journal_that_knows_no_ways_out_is_told_as_it_is() -> None:
    held = Fact(at_s=1.0, fact="held", host="db-2", why="2 of 3 ready", data={"rule": "budget.db"})
    assert sentence(held) == "db-2: waits: 2 of 3 ready [budget.db]"


def test_unknown_is_never_coloured_as_well() -> None:
    assert weight(Fact(at_s=1.0, fact="gate", service="a", verdict=Verdict.UNKNOWN)) == "bad"
