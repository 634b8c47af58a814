"""The demo's door: start a fleet, restart it the naive way, prove who rebooted.

The staged way needs nothing from here but `DemoFleet.inventory_path`: it is the tool itself, on an inventory.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko

from restart.demo.fleet import DemoFleet
from restart.demo.layout import ADDRESS, USER, Shape
from restart.demo.site import Phase, Physics
from restart.errors import RestartError

SETTLE_WITHIN_S = 20.0
"""After a restart of everything the site has settled, for better or worse, within this time."""

WATCH_S = 3.0
"""How long a broken site is watched before it is said not to come back by itself."""

POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of one host. `state` is its phase in words, `why` what it said itself."""

    host: str
    service: str
    well: bool
    state: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The site at one moment: seconds since the naive restart began, what had been done, and what was there then."""

    at_s: float
    done: str
    fates: tuple[Fate, ...]
    works: bool
    why: str
    demand: int
    cap: int
    collapsed: bool
    online: int

    @property
    def failed(self) -> tuple[str, ...]:
        """Hosts that have given up: only another restart would help them."""
        return tuple(fate.host for fate in self.fates if fate.state == Phase.FAILED)

    @property
    def unwell(self) -> tuple[Fate, ...]:
        """Every host that does not serve."""
        return tuple(fate for fate in self.fates if not fate.well)


@dataclass(frozen=True, slots=True, kw_only=True)
class NaiveResult:
    """What came of restarting everything at once, and the failed ones once more. `outage_s`: seconds each service was out."""

    looks: tuple[Look, ...]
    sessions: int
    sessions_cut: int
    demand_peak: int
    cap: int
    collapses: int
    outage_s: Mapping[str, float]
    took_s: float

    @property
    def broke(self) -> bool:
        """Whether it failed as announced: hosts failed to start, and the site does not work at the end."""
        return bool(self.looks[0].failed) and not self.looks[-1].works

    def lines(self) -> tuple[str, ...]:
        """The result for people, as plain lines."""
        return tuple(_lines(self))


def start(parent: Path | None = None, *, shape: Shape | None = None, physics: Physics | None = None) -> DemoFleet:
    """A running fleet, by default the chat site of 20 hosts; a context manager. `parent`: where its folder is made."""
    return DemoFleet(shape=shape, physics=physics, parent=parent)


def boots(fleet: DemoFleet) -> dict[str, int]:
    """How often each host has rebooted since the fleet was started, as the hosts themselves count it."""
    return {host: int(member["boots"]) for host, member in fleet.state()["hosts"].items()}


def toll(fleet: DemoFleet) -> str:
    """What the site's users have felt since the fleet was started, in one sentence, with numbers."""
    state = fleet.state()
    out_s = state["whole_outage_s"]
    return (
        f"{state['sessions_cut']} of {state['sessions']} sessions cut, {state['online']} online now; "
        f"{f'nobody could chat for {out_s:.1f} s' if out_s else 'chat was never out of service'}; "
        f"log-ins asked the database for {state['demand_peak']} queries/s at most (it can do {state['cap']})"
    )


def naive(fleet: DemoFleet, say: Callable[[str], None] = lambda line: None, *, watch_s: float = WATCH_S) -> NaiveResult:
    """Reboot every host at once over SSH, look; reboot those that failed, all at once too, and look again.

    `say` hears each step as it happens. A site that is broken then is watched for `watch_s` more. Takes about 10 s.
    Raises `RestartError` where a host cannot be told to reboot.
    """
    began_s = time.monotonic()
    before = fleet.state()
    say(f"{len(fleet.hosts)} hosts, {before['online']} sessions online; rebooting every one of them at once")
    _reboot(fleet, tuple(fleet.hosts))
    _await(fleet, _settled(before, tuple(fleet.hosts)))
    looks = [_look(fleet, began_s, f"rebooted all {len(fleet.hosts)} hosts at once")]
    say(_summary(looks[0]))
    if failed := looks[0].failed:
        say(f"the operator restarts the {len(failed)} that failed, all at once")
        counted = fleet.state()
        _reboot(fleet, failed)
        _await(fleet, _settled(counted, failed))
        looks.append(_look(fleet, began_s, f"rebooted the {len(failed)} that had failed"))
        say(_summary(looks[-1]))
    if not looks[-1].works:
        say(f"watching for {watch_s:g} s whether it comes back by itself")
        time.sleep(watch_s)
        looks.append(_look(fleet, began_s, f"waited {watch_s:g} s more"))
        say(_summary(looks[-1]))
    after = fleet.state()
    return NaiveResult(
        looks=tuple(looks),
        sessions=before["online"],
        sessions_cut=after["sessions_cut"] - before["sessions_cut"],
        demand_peak=after["demand_peak"],
        cap=after["cap"],
        collapses=after["collapses"] - before["collapses"],
        outage_s={name: found["outage_s"] for name, found in after["services"].items()},
        took_s=time.monotonic() - began_s,
    )


def _reboot(fleet: DemoFleet, hosts: Sequence[str]) -> None:
    """`reboot` on every host at the same time, as a loop around ssh would."""
    config = paramiko.SSHConfig.from_path(str(fleet.files.ssh_config))
    key = paramiko.Ed25519Key.from_private_key_file(str(fleet.files.identity))

    def one(host: str) -> None:
        client = paramiko.SSHClient()
        client.load_host_keys(str(fleet.files.known_hosts))
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        with client:
            port = int(config.lookup(host)["port"])
            client.connect(
                ADDRESS, port=port, username=USER, pkey=key, timeout=10, allow_agent=False, look_for_keys=False
            )
            # Half a second, so that all of them have heard it before the first goes down.
            _, output, _ = client.exec_command("( sleep 0.5 && reboot ) </dev/null >/dev/null 2>&1 &", timeout=10)
            output.channel.recv_exit_status()

    try:
        with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
            list(pool.map(one, hosts))
    except (OSError, paramiko.SSHException) as error:
        raise RestartError(f"the demo could not reboot its hosts: {error}", remedy="start the demo again") from error


def _await(fleet: DemoFleet, holds: Callable[[dict[str, Any]], bool]) -> None:
    """Until it holds, at most `SETTLE_WITHIN_S`; what is there by then is what the look will show."""
    until_s = time.monotonic() + SETTLE_WITHIN_S
    while not holds(fleet.state()) and time.monotonic() < until_s:
        time.sleep(POLL_S)


def _settled(before: Mapping[str, Any], hosts: Sequence[str]) -> Callable[[dict[str, Any]], bool]:
    """Whether `hosts` have all rebooted since `before` and nobody is on the way any more, or the database has collapsed."""
    moving = {Phase.OFF.name, Phase.WAITING.name, Phase.CATCHING_UP.name, Phase.LOGGING_IN.name}

    def holds(state: dict[str, Any]) -> bool:
        rebooted = all(state["hosts"][host]["boots"] > before["hosts"][host]["boots"] for host in hosts)
        still = not any(member["phase"] in moving for member in state["hosts"].values())
        return rebooted and (still or state["collapsed"])

    return holds


def _look(fleet: DemoFleet, began_s: float, done: str) -> Look:
    state = fleet.state()
    fates = tuple(
        Fate(
            host=host,
            service=member["service"],
            well=member["well"],
            state=str(Phase[member["phase"]]),
            why=member["why"] or member["text"],
        )
        for host, member in state["hosts"].items()
    )
    return Look(
        at_s=time.monotonic() - began_s,
        done=done,
        fates=fates,
        works=state["whole"],
        why=state["whole_text"],
        demand=state["demand"],
        cap=state["cap"],
        collapsed=state["collapsed"],
        online=state["online"],
    )


def _summary(look: Look) -> str:
    serve = len(look.fates) - len(look.unwell)
    verdict = "the site works" if look.works else f"nobody can chat ({look.why})"
    return f"{look.at_s:4.1f} s  {look.done}: {serve} of {len(look.fates)} hosts serve, {verdict}"


def _lines(result: NaiveResult) -> list[str]:
    lines = ["Everything at once: what broke"]
    for look in result.looks:
        lines += ["", _summary(look), *_table(look)]
    first, last = result.looks[0], result.looks[-1]
    lines += ["", f"  sessions         {result.sessions_cut} of {result.sessions} cut, {last.online} online now"]
    if first.failed:
        lines.append(f"  failed to start  {len(first.failed)} hosts: they came up before what they need")
    times = "once" if result.collapses == 1 else f"{result.collapses} times"
    lines.append(
        f"  database         asked {result.demand_peak} queries/s at the peak, can do {result.cap}; "
        f"{f'collapsed {times}' if result.collapses else 'never collapsed'}"
    )
    out = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result.outage_s.items() if seconds)
    lines.append(f"  out of service   {out or 'nothing'}{'' if last.works else ', and counting'}")
    lines += ["", "It broke, as announced." if result.broke else "It did not break: that is not what was announced."]
    return lines


def _table(look: Look) -> list[str]:
    """Who does not serve and why; members of a service that are in the same state share a row."""
    groups: dict[tuple[str, str], list[Fate]] = {}
    for fate in look.unwell:
        state = "up, does not serve" if fate.state == Phase.READY else fate.state
        groups.setdefault((fate.service, state), []).append(fate)
    rows = []
    for (_, state), fates in groups.items():
        names = fates[0].host if len(fates) == 1 else f"{fates[0].host} to {fates[-1].host}"
        why, _ = Counter(fate.why for fate in fates).most_common(1)[0]
        rows.append((names, f"{len(fates)}", state, why))
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    return [
        f"        {hosts:<{widths[0]}}  {count:>{widths[1]}}  {state:<{widths[2]}}  {why}"
        for hosts, count, state, why in rows
    ]
