"""Stop flags in the store: who sees them, who lifts them, and that no act passes one."""

from __future__ import annotations

import pytest

from restart.model.event import Word
from restart.model.inventory import Host, Inventory, Service
from restart.model.request import Claim, Reboot, Request, RunStep
from restart.runner.flags import FlagGuard, FlagWords, lift_flag, raise_flag, standing
from restart.runner.store import Store

SHOP = Inventory(
    fleet="shop",
    hosts={name: Host(name=name, address="127.0.0.1") for name in ("web-1", "lb-1", "db-1")},
    services={
        name: Service(name=name, hosts=hosts) for name, hosts in (("web", ("web-1",)), ("lb", ("lb-1",)), ("db", ("db-1",)))
    },
)  # fmt: skip
REBOOT = Reboot(id="r1", host="web-1", boot_id="b", not_after_uptime_s=1.0)
DRAIN = RunStep(id="r2", host="web-1", on="lb-1", command="drain", timeout_s=1.0)
UNDRAIN = RunStep(id="r3", host="web-1", on="lb-1", command="undrain", timeout_s=1.0, undo=True)
CLAIM = Claim(id="r4", host="web-1", hold_s=1.0)


def test_a_run_hears_of_each_flag_once_and_of_its_end(store: Store) -> None:
    heard = FlagWords(store, "shop")
    assert heard() == ()
    first = raise_flag(store, level="everything", by="ann@ops", reason="storage")
    raise_flag(store, level="fleet", fleet="other", by="ann@ops", reason="not ours")
    assert heard() == (
        Word(at_s=0.0, word="flag", by="ann@ops", reason="storage", target=f"{first.number} everything"),
    )
    assert heard() == ()
    assert lift_flag(store, first.number, by="bob@ops", reason="over")
    assert heard() == (Word(at_s=0.0, word="unflag", by="bob@ops", reason="over", target=f"{first.number} everything"),)
    assert not lift_flag(store, first.number, by="bob@ops", reason="twice")


def test_a_resumed_run_hears_what_changed_while_nobody_led_it(store: Store) -> None:
    gone = raise_flag(store, level="service", service="web", by="ann", reason="a")
    kept = raise_flag(store, level="service", service="db", by="ann", reason="b")
    lift_flag(store, gone.number, by="bob", reason="c")
    new = raise_flag(store, level="fleet", fleet="shop", by="ann", reason="d")
    heard = FlagWords(store, "shop", known=(gone.target, kept.target))()
    assert [(word.word, word.target) for word in heard] == [("flag", new.target), ("unflag", gone.target)]


@pytest.mark.parametrize(
    ("level", "service", "withheld"),
    [
        ("everything", None, [REBOOT, DRAIN]),
        ("fleet", None, [REBOOT, DRAIN]),
        ("service", "web", [REBOOT, DRAIN]),
        ("service", "lb", [DRAIN]),
        ("service", "db", []),
    ],
)
def test_the_store_is_asked_before_each_act_and_what_takes_back_is_never_withheld(
    store: Store, level: str, service: str | None, withheld: list[Request]
) -> None:
    raise_flag(store, level=level, fleet=None if level == "everything" else "shop", service=service, by="a", reason="b")
    guard = FlagGuard(store, SHOP)
    assert [request for request in (REBOOT, DRAIN, UNDRAIN, CLAIM) if guard(request) is not None] == withheld


def test_flags_of_another_fleet_withhold_nothing(store: Store) -> None:
    raise_flag(store, level="service", service="web", fleet="other", by="a", reason="b")
    assert FlagGuard(store, SHOP)(REBOOT) is None


def test_a_store_that_cannot_be_read_withholds_every_act(store: Store) -> None:
    guard = FlagGuard(store, SHOP)
    with store.writing() as execute:
        execute("DROP TABLE flag")
    assert "cannot be read" in (guard(REBOOT) or "")


def test_a_store_of_before_flags_gets_them_when_it_is_opened(store: Store) -> None:
    with store.writing() as execute:
        execute("DROP TABLE flag")
        execute("DROP TABLE slot")
        execute("UPDATE schema SET version = 1")
    store.close()
    for _ in range(2):
        with Store.open(store.path) as again:
            assert standing(again) == ()
            assert again.read("SELECT version FROM schema") == [(2,)]


def test_two_flags_on_the_same_stand_each_for_itself(store: Store) -> None:
    one = raise_flag(store, level="service", service="web", by="ann", reason="backup")
    two = raise_flag(store, level="service", service="web", by="bob", reason="index")
    lift_flag(store, two.number, by="bob", reason="done")
    with Store.open(store.path) as other:
        assert [flag.number for flag in standing(other, "shop")] == [one.number]
