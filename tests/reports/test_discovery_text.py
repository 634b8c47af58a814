"""What `restart discover` prints, as operators read it."""

from __future__ import annotations

from collections.abc import Callable

from restart.model.answer import NoAnswer
from restart.model.inventory import Dependency
from restart.reports.discovery_text import discovery_text, summary_json
from restart.survey.discover import compared
from tests.survey.told import seen, service, shop, told

Golden = Callable[[str, str], None]


def night() -> tuple[object, object]:
    """A fleet that has one of everything."""
    inventory = shop(
        service("web", "web-1", 80, on=["app", Dependency(provider="ops", kind="after")]),
        service("app", "app-1 app-2", 8000, on=["db"]),
        service("jobs", "app-2", units=["jobs.service"], on=["ops"]),
        service("db", "db-1", 5432, on=["ops"]),
        service("ops", "ops-1", 389),
    )
    web = told(
        'listen *:80 "nginx",pid=2',
        *(f'in 10.0.0.1:80 198.51.100.{number} 3 1 - "nginx",pid=2' for number in range(1, 41)),
        'out 10.0.0.1 10.0.0.11:8000 4 0 1,2,3,4 "nginx",pid=2',
        'out 127.0.0.1 127.0.0.1:9999 2 0 5,6 "nginx",pid=2',
        "session 10.0.0.1:22 10.0.0.250:41000",
        files=["resolver /etc/resolv.conf 10.0.0.99", "package /etc/apt/sources.list http://deb.debian.org"],
    )
    app = told(
        'listen *:8000 "python3",pid=7',
        'in 10.0.0.11:8000 10.0.0.1 4 0 1,2,3,4 "python3",pid=7',
        'out 10.0.0.11 10.0.0.21:5432 2 0 40000,40001 "python3",pid=7',
        "out 10.0.0.11 10.0.0.21:9187 0 1 40002 ",
        'out 10.0.0.11 203.0.113.9:443 1 0 40003 "python3",pid=7',
        "elsewhere 2",
        files=[
            "mount /etc/fstab hard nfs4 ops-1:/export /srv/uploads",
            "mount /proc/mounts live nfs4 ops-1:/export /srv/uploads",
        ],
    )
    other = told("out 10.0.0.12 10.0.0.21:5432 1 0 40000 ", "out 10.0.0.12 10.0.0.200:6379 1 0 4 ", root=False)
    db = told(
        'listen *:5432 "postgres",pid=10',
        'listen *:9187 "exporter",pid=12',
        'in 10.0.0.21:5432 10.0.0.11 2 0 40000,40001 "postgres",pid=11',
        'out 10.0.0.21 10.0.0.1:80 1 0 40009 "curl",pid=99',
        "address 10.0.0.200",
    )
    looks = [{"web-1": web, "app-1": app, "app-2": other, "db-1": db, "ops-1": NoAnswer(reason="refused")}] * 2
    again = {**looks[0], "app-1": told('listen *:8000 "python3",pid=7', "address 10.0.0.200", files=None)}
    return inventory, seen(inventory, *looks, again)


def test_the_text_reads_as_agreed(golden: Golden) -> None:
    inventory, discovery = night()
    held = compared(inventory, discovery)  # type: ignore[arg-type]
    golden("discovery.txt", discovery_text(discovery, held, ended=False))  # type: ignore[arg-type]


def test_the_json_has_what_the_text_has() -> None:
    inventory, discovery = night()
    held = compared(inventory, discovery)  # type: ignore[arg-type]
    told_json = summary_json(held)
    assert len(told_json["lacking"]) == len(held.lacking)
    assert told_json["cycles"]
    assert told_json["not_seen"]
    assert told_json["host_level"]


def test_what_a_host_says_cannot_steer_the_terminal() -> None:
    inventory = shop()
    looks = {"app-1": told('out 10.0.0.11 10.0.0.21:5432 1 0 40000 "a\x1b[31mb",pid=7'), "db-1": told("listen *:5432 ")}
    discovery = seen(inventory, looks)
    text = discovery_text(discovery, compared(inventory, discovery))
    assert "\x1b" not in text
    assert "\\x1b" in text
