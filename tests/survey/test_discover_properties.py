"""Whatever hosts tell, discovery comes to an end with something to say, and never draws an edge that nobody showed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from restart.model.discovery import Discovery
from restart.model.document import as_json, from_json
from restart.reports.discovery_text import discovery_text, summary_json
from restart.survey.discover import compared
from tests.survey.told import ADDRESSES, seen, service, shop, told

HOSTS = tuple(ADDRESSES)
INVENTORY = shop(
    service("web", "web-1", 80, on=["app"]),
    service("app", "app-1 app-2", 8000),
    service("jobs", "app-2", units=["jobs.service"]),
    service("db", "db-1", 5432),
)
PORTS = (22, 80, 5432, 8000, 40000)
_address = st.sampled_from((*ADDRESSES.values(), "127.0.0.1", "::1", "fd00::1", "198.51.100.1", "0.0.0.0", "nonsense", "[::ffff:10.0.0.21]"))  # fmt: skip
_port = st.sampled_from((*PORTS, 65535, 99999))
_process = st.sampled_from(("", '"nginx",pid=1', '"python3",pid=2', '"sshd",pid=3', '"\x07",pid=4'))
_count = st.integers(0, 5)
_line = st.one_of(
    st.builds("listen {}:{} {}".format, _address, _port, _process),
    st.builds("in {}:{} {} {} {} {},{} {}".format, _address, _port, _address, _count, _count, _port, _port, _process),
    st.builds("out {} {}:{} {} {} {} {}".format, _address, _address, _port, _count, _count, _port, _process),
    st.builds("session {}:{} {}:{}".format, _address, _port, _address, _port),
    st.builds("own {} {} {} {}".format, _address, _port, _address, _port),
    st.builds("address {}".format, _address),
    st.builds("elsewhere {}".format, _count),
    st.text(max_size=30),
)
_file = st.one_of(
    st.builds("{} /etc/x {}".format, st.sampled_from(("resolver", "ntp", "ldap", "syslog", "unit", "package")), st.one_of(_address, st.sampled_from(HOSTS))),
    st.builds("mount /etc/fstab {} nfs {}:/x /x".format, st.sampled_from(("hard", "soft", "live")), st.one_of(_address, st.sampled_from(HOSTS))),
    st.builds("host {} {}".format, _address, st.sampled_from(HOSTS)),
    st.text(max_size=30),
)  # fmt: skip
_answer = st.builds(
    lambda lines, files, root: told(*lines, files=files, root=root),
    st.lists(_line, max_size=12),
    st.one_of(st.none(), st.lists(_file, max_size=6)),
    st.booleans(),
)
_looks = st.lists(st.dictionaries(st.sampled_from(HOSTS), _answer), min_size=1, max_size=3)


@settings(deadline=None, max_examples=40)
@given(_looks)
def test_it_never_raises_and_every_link_was_shown_by_an_end_of_it(looks: list[dict[str, object]]) -> None:
    found = seen(INVENTORY, *looks)  # type: ignore[arg-type]
    held = compared(INVENTORY, found)
    assert discovery_text(found, held).endswith("\n")
    assert summary_json(held)
    answered = {host for host, looked in found.hosts.items() if looked.answered}
    for link in found.links:
        assert link.consumer != link.provider
        assert {link.consumer, link.provider} & answered
        assert set(link.consumer_services) <= {
            name for name, one in INVENTORY.services.items() if link.consumer in one.hosts
        }
        assert set(link.provider_services) <= {
            name for name, one in INVENTORY.services.items() if link.provider in one.hosts
        }
    for edge in (*held.lacking, *held.declared):
        assert edge.consumer != edge.provider
        assert edge.links
    # Of a part of the fleet, only what has an end in it.
    declared = {
        (name, edge.provider)
        for name, one in INVENTORY.services.items()
        for edge in one.depends_on
        if {*one.hosts, *INVENTORY.services[edge.provider].hosts} & found.hosts.keys()
    }
    told_of = {(edge.consumer, edge.provider) for edge in held.declared} | {
        (row.consumer, row.provider) for row in held.not_seen
    }
    inside = {(link.consumer_services[0], link.provider_services[0]) for link in found.inside}
    assert declared - inside <= told_of <= declared


@settings(deadline=None, max_examples=40)
@given(_looks)
def test_what_is_kept_is_what_was_seen(looks: list[dict[str, object]]) -> None:
    found = seen(INVENTORY, *looks)  # type: ignore[arg-type]
    assert from_json(Discovery, as_json(found)) == found


@settings(deadline=None, max_examples=40)
@given(_looks, st.permutations(HOSTS))
def test_the_order_in_which_hosts_answer_changes_no_edge(looks: list[dict[str, object]], order: list[str]) -> None:
    other = [{host: look[host] for host in order if host in look} for look in looks]
    one, two = (compared(INVENTORY, seen(INVENTORY, *which)) for which in (looks, other))  # type: ignore[arg-type]
    edges = [
        {(edge.consumer, edge.provider, edge.kind, edge.at) for edge in (*held.lacking, *held.declared)}
        for held in (one, two)
    ]
    assert edges[0] == edges[1]
