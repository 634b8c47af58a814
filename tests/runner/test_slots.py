"""Slots in the store: atomic, fenced, and freed by nobody's end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from restart.model.answer import NoAnswer, SlotsGiven, SlotsRefused
from restart.model.request import GiveSlots, KeepSlots, SlotWanted, TakeSlots
from restart.runner import lease
from restart.runner.slots import StoreSlots, held, taken_away
from restart.runner.store import Store

POWER = SlotWanted(slot="limit.power r1", amount=300.0, cap=650.0)


def take(host: str, *wanted: SlotWanted) -> TakeSlots:
    return TakeSlots(id=f"t-{host}", host=host, slots=wanted or (POWER,))


def test_runs_of_two_fleets_share_what_there_is_and_hear_who_holds_it(store: Store) -> None:
    with lease.take(store, fleet="shop", run="r-shop") as shop, lease.take(store, fleet="chat", run="r-chat") as chat:
        ours, theirs = StoreSlots(store, shop), StoreSlots(store, chat)
        assert ours(take("app-1")) == SlotsGiven()
        assert theirs(take("web-1")) == SlotsGiven()
        refused = ours(take("web-2"))
        assert isinstance(refused, SlotsRefused)
        assert (refused.held, refused.cap) == (600.0, 650.0)
        assert [name.partition(" (")[0] for name in refused.by] == ["app-1 of run r-shop", "web-1 of run r-chat"]
        assert theirs(GiveSlots(id="g", host="web-1", slots=(POWER.slot,))) == SlotsGiven()
        assert ours(take("web-2")) == SlotsGiven()


def test_to_ask_twice_takes_once_and_all_slots_are_given_or_none(store: Store) -> None:
    with lease.take(store, fleet="shop", run="r") as leading:
        slots = StoreSlots(store, leading)
        other = SlotWanted(slot="limit.image", amount=1.0, cap=0.0)
        assert slots(take("web-1")) == slots(take("web-1")) == SlotsGiven()
        assert sum(one.amount for one in held(store)) == 300.0
        assert isinstance(slots(take("web-2", POWER, other)), SlotsRefused)
        assert [one.host for one in held(store)] == ["web-1"]
        assert slots(take("web-2", SlotWanted(slot=POWER.slot, amount=9e9, cap=None))) == SlotsGiven()


def test_a_leader_that_lost_its_lease_is_given_nothing_and_gives_nothing_back(store: Store) -> None:
    with lease.take(store, fleet="shop", run="old") as old:
        slots = StoreSlots(store, old)
        assert slots(take("web-1")) == SlotsGiven()
        with store.writing() as execute:
            execute("UPDATE lease SET token = token + 1")
        assert isinstance(slots(take("web-2")), NoAnswer)
        assert isinstance(slots(GiveSlots(id="g", host="web-1", slots=(POWER.slot,))), NoAnswer)
        assert [one.host for one in held(store)] == ["web-1"]


def test_a_resumed_run_keeps_what_it_says_and_an_operator_takes_the_rest_away(store: Store) -> None:
    with lease.take(store, fleet="shop", run="r") as leading:
        slots = StoreSlots(store, leading)
        for host in ("web-1", "web-2"):
            slots(take(host))
    assert [one.host for one in held(store, run="r")] == ["web-1", "web-2"], "the end of a lease frees nothing"
    with lease.take(store, fleet="shop", run="r") as again:
        StoreSlots(store, again)(KeepSlots(id="k", hosts=("web-2",), slots=(POWER,)))
    assert [one.host for one in held(store, run="r")] == ["web-2"]
    assert taken_away(store, "r", "web-2") == 1
    assert held(store) == ()


RACING = """\
import sys
from pathlib import Path
from restart.model.answer import SlotsGiven
from restart.model.request import SlotWanted, TakeSlots
from restart.runner import lease
from restart.runner.slots import StoreSlots
from restart.runner.store import Store
with Store.open(Path(sys.argv[1])) as store, lease.take(store, fleet=sys.argv[2], run=sys.argv[2]) as leading:
    print("ready", flush=True)
    sys.stdin.readline()
    slots = StoreSlots(store, leading)
    wanted = SlotWanted(slot="limit.power", amount=1.0, cap=25.0)
    given = [isinstance(slots(TakeSlots(id="t", host=f"h{n}", slots=(wanted,))), SlotsGiven) for n in range(20)]
    print(sum(given), flush=True)
"""


def test_two_processes_never_take_more_than_there_is(store: Store, tmp_path: Path) -> None:
    script = tmp_path / "race.py"
    script.write_text(RACING, encoding="utf-8")
    started = [
        subprocess.Popen(
            [sys.executable, str(script), str(store.path), fleet],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for fleet in ("shop", "chat")
    ]  # fmt: skip
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    given = [int(process.communicate(timeout=60)[0]) for process in started]
    assert sum(given) == 25
    assert sum(one.amount for one in held(store)) == 25.0
