"""What hosts tell of their connections and files, in the sections' own words; and a small fleet that tells it."""

from __future__ import annotations

from collections.abc import Sequence

from restart.model.answer import NoAnswer
from restart.model.check import Check
from restart.model.discovery import Discovery
from restart.model.inventory import Dependency, Host, Inventory, Service
from restart.model.playbook import Playbook
from restart.probes.section import Lines
from restart.probes.sweep import Swept
from restart.survey.discover.links import discovery_of
from restart.survey.discover.sightings import Sightings

AT = 1_795_306_200.0


def told(*connections: str, files: Sequence[str] | None = (), root: bool = True) -> Swept:
    """One host's answer: lines of the section `connections`, and of `references` where they were asked."""
    lines = (f"uid {0 if root else 1000}", "read yes", *connections)
    sections = {"connections": Lines(text=lines)}
    if files is not None:
        sections["references"] = Lines(text=tuple(files))
    return Swept(sections=sections, cpu_s=0.03)


def service(
    name: str, hosts: str, *ports: int, units: Sequence[str] = (), on: Sequence[Dependency | str] = ()
) -> Service:
    """A service on the hosts named, whose members are asked at `ports`."""
    checks = [Check(kind="tcp", params={"port": port}) for port in ports]
    checks += [Check(kind="systemd", params={"units": list(units)})] if units else []
    edges = tuple(edge if isinstance(edge, Dependency) else Dependency(provider=edge) for edge in on)
    return Service(name=name, hosts=tuple(hosts.split()), ready=tuple(checks) or (Check(kind="ssh"),), depends_on=edges)


ADDRESSES = {"web-1": "10.0.0.1", "app-1": "10.0.0.11", "app-2": "10.0.0.12", "db-1": "10.0.0.21", "ops-1": "10.0.0.99"}


def shop(*services: Service) -> Inventory:
    """Five hosts; three services where none are given."""
    given = services or (service("web", "web-1", 80), service("app", "app-1 app-2", 8000), service("db", "db-1", 5432))
    return Inventory(
        fleet="shop",
        hosts={name: Host(name=name, address=address) for name, address in ADDRESSES.items()},
        services={one.name: one for one in given},
        playbooks={"reboot": Playbook(name="reboot")},
    )


def seen(inventory: Inventory, *looks: dict[str, Swept | NoAnswer]) -> Discovery:
    """What the looks amount to."""
    sightings = Sightings()
    for look in looks:
        for host, swept in look.items():
            sightings.add(host, swept)
    return discovery_of(inventory, sightings, began=AT, for_s=30.0 * (len(looks) - 1), looks=len(looks))
