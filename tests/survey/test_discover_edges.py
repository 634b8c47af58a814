"""A discovery held against the inventory: what is lacking, what was not seen, rings, who must be up first; and how it is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from restart.errors import UsageMistake
from restart.model.answer import NoAnswer
from restart.model.discovery import Discovery, HostLooked, Link
from restart.model.inventory import Break, Dependency, Inventory
from restart.survey.discover import compared, file
from restart.survey.discover.edges import closing
from restart.survey.sort import rfc3339
from tests.survey.told import AT, service, shop

HOSTS = {"web": "web-1", "app": "app-1", "db": "db-1", "ops": "ops-1", "more": "app-2"}


def used(*pairs: str, how: str = "connection") -> Discovery:
    """`"app>db"`: a link from app's host to db's."""
    links = []
    for pair in pairs:
        consumer, provider = pair.split(">")
        links.append(
            Link(consumer=HOSTS[consumer], provider=HOSTS[provider], port=1, how=how, consumer_services=(consumer,), provider_services=(provider,))
        )  # fmt: skip
    looked = {host: HostLooked(looks=1) for host in HOSTS.values()}
    return Discovery(at=rfc3339(AT), fleet="shop", looks=1, for_s=0.0, hosts=looked, links=tuple(links))


def fleet(**on: str) -> Inventory:
    """Five services, each on a host of its own; `app="db ops"` declares edges."""
    return shop(*(service(name, host, on=on.get(name, "").split()) for name, host in HOSTS.items()))


def test_what_is_declared_and_seen_is_neither_lacking_nor_missed() -> None:
    held = compared(fleet(app="db"), used("app>db", "web>app"))
    assert [(edge.consumer, edge.provider) for edge in held.lacking] == [("web", "app")]
    assert [(edge.consumer, edge.provider) for edge in held.declared] == [("app", "db")]
    assert held.not_seen == ()


def test_what_is_declared_and_not_seen_is_told() -> None:
    held = compared(fleet(app="db", web="app"), used("app>db"))
    assert [(row.consumer, row.provider, row.silent) for row in held.not_seen] == [("web", "app", ())]


def test_an_edge_that_may_be_among_what_is_not_told_apart_is_not_called_unseen() -> None:
    inventory = shop(service("app", "app-1", on=["db"]), service("jobs", "app-1", on=["db"]), service("db", "db-1"))
    link = Link(
        consumer="app-1", provider="db-1", port=5432, consumer_services=("app", "jobs"), provider_services=("db",)
    )
    held = compared(inventory, replace(used(), links=(link,)))
    assert [(row.consumer, row.maybe) for row in held.not_seen] == [("app", True), ("jobs", True)]
    sure = replace(link, consumer_services=("app",))
    assert [(row.consumer, row.maybe) for row in compared(inventory, replace(used(), links=(sure,))).not_seen] == [
        ("jobs", False)
    ]


def test_a_ring_is_found_across_what_is_declared_and_what_is_seen() -> None:
    inventory = fleet(app="db", db="ops")
    held = compared(inventory, used("ops>app", "web>app"))
    (ring,) = held.rings
    assert ring.names == ("app", "db", "ops")
    assert (ring.is_order_only, ring.new) == (False, (("ops", "app"),))
    assert closing(inventory, held.lacking) == {("ops", "app")}
    assert ("app + db + ops") in " + ".join(held.levels[0][0])


def test_both_new_edges_of_a_ring_are_a_persons_to_choose_between() -> None:
    held = compared(fleet(), used("app>db", "db>app"))
    assert closing(fleet(), held.lacking) == {("app", "db"), ("db", "app")}


def test_a_ring_of_order_only_yields_and_closes_nothing() -> None:
    inventory = fleet(app="db")
    held = compared(inventory, used("db>app", how="resolver"))
    assert [ring.is_order_only for ring in held.rings] == [True]
    assert closing(inventory, held.lacking) == frozenset()


def test_a_declared_stand_in_opens_its_ring() -> None:
    inventory = fleet(db="ops")
    edge = Dependency(provider="db", stand_in=Break(with_run="a", undo="b"))
    services = {**inventory.services, "app": replace(inventory.services["app"], depends_on=(edge,))}
    held = compared(replace(inventory, services=services), used("ops>app"))
    assert held.rings == ()


def test_who_must_be_up_first_rests_on_nobody_and_the_others_follow_in_levels() -> None:
    held = compared(fleet(web="app"), used("app>db", "app>ops"))
    # `more` uses nobody and is used by nobody.
    assert held.levels == ((("db",), ("ops",)), (("app",),), (("web",),))


def test_a_host_without_a_service_that_others_use_is_up_first_too() -> None:
    inventory = shop(service("app", "app-1"), service("db", "db-1", on=["app"]))
    link = Link(consumer="app-1", provider="ops-1", port=53, how="resolver", consumer_services=("app",))
    held = compared(inventory, replace(used(), links=(link,)))
    assert held.levels == ((("host ops-1",),), (("app",),), (("db",),))
    assert held.host_level == (link,)


def test_an_edge_that_holds_at_run_only_is_no_order_of_a_cold_start() -> None:
    inventory = shop(*(service(name, host) for name, host in HOSTS.items()))
    services = {
        **inventory.services,
        "app": replace(inventory.services["app"], depends_on=(Dependency(provider="db", at="run"),)),
    }
    assert compared(replace(inventory, services=services), used()).levels == ()


def test_hosts_and_services_that_the_inventory_no_longer_has_are_left_out() -> None:
    seen = used("app>db")
    gone = shop(service("app", "app-1"))
    assert compared(gone, seen).lacking == ()
    without = replace(gone, hosts={"app-1": gone.hosts["app-1"]})
    assert compared(without, seen).host_level == ()


def test_it_is_kept_and_read_again_whole(tmp_path: Path) -> None:
    path, seen = tmp_path / "discoveries/shop.json", used("app>db")
    assert file.last(path, AT) is None
    file.save(path, seen)
    assert file.last(path, AT + 60) == seen
    assert path.stat().st_mode & 0o077 == 0


def test_what_is_older_than_its_age_is_no_longer_held_against_anybody(tmp_path: Path) -> None:
    file.save(tmp_path / "x.json", used("app>db"))
    found = file.last(tmp_path / "x.json", AT + file.AGE_MAX_S + 1)
    assert found is not None
    assert found.links == ()


def test_looking_at_a_part_keeps_what_is_known_between_the_others() -> None:
    before = used("app>db", "web>ops")
    part = replace(used("app>ops"), at=rfc3339(AT + 3600), hosts={"app-1": HostLooked(looks=1)})
    now = file.merged(before, part)
    assert {(link.consumer, link.provider, link.at) for link in now.links} == {
        ("app-1", "ops-1", ""),
        ("web-1", "ops-1", rfc3339(AT)),
    }
    assert set(now.hosts) == set(HOSTS.values())


def test_a_look_in_which_nobody_answered_does_not_take_the_last_ones_place() -> None:
    before = used("app>db")
    dark = replace(used(), hosts={host: HostLooked(answered=False, why="x") for host in HOSTS.values()})
    assert file.merged(before, dark) == before


@pytest.mark.parametrize("text", ["[]", "{", '{"kind": "discovery", "version": 2}', '{"kind": "plan"}', "[" * 100_000])
def test_a_broken_file_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UsageMistake, match="restart discover"):
        file.last(tmp_path / "x.json", AT)


def test_silence_is_a_reason_in_words() -> None:
    from tests.survey.told import seen

    found = seen(shop(), {"db-1": NoAnswer(reason="refused")})
    assert found.hosts["db-1"].why == "SSH is refused"
