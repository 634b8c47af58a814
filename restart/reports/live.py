"""The live view on a terminal: waves, hosts and their phase, services against their budgets, when it ends, last events."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, cast

from restart.model.event import Event, Fact
from restart.model.plan import Plan
from restart.reports.lines import Outlet
from restart.reports.picture import HoldPicture, HostPicture, Picture, ServicePicture
from restart.reports.prose import count, printable
from restart.reports.sentences import QUIET, sentence, weight
from restart.rules.durations import spoken

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

FRAMES_PER_S = 4.0
NARROW = 60
_STYLE = {"bad": "bold red", "good": "green", "wait": "yellow", "plain": ""}


class LiveView:
    """A watcher that draws. Use as a context; outside it nothing is drawn. `clock`: seconds that only grow.

    Drawing has its own thread, so that time goes on while nothing happens. The console writes to an `Outlet` (see `console`),
    so that a terminal that goes away ends the drawing only.
    """

    def __init__(self, plan: Plan, console: Console, clock: Callable[[], float], *, title: str = "") -> None:
        self._picture = Picture(plan)
        self._console = console
        self._clock = clock
        self._title = title
        self._seen_at = clock()
        self._events: deque[tuple[float, Fact]] = deque(maxlen=12)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._note = ""
        self._thread: threading.Thread | None = None

    def see(self, event: Event, facts: Sequence[Fact]) -> None:
        """Take the facts in; the next frame shows them."""
        with self._lock:
            self._picture.now_s = max(self._picture.now_s, event.at_s)
            self._seen_at = self._clock()
            for fact in facts:
                self._picture.take(fact)
                if fact.fact not in QUIET:
                    self._events.append((fact.at_s, fact))

    def note(self, text: str) -> None:
        """Show `text` under the headline from now on. Takes no lock: a signal may call it at any moment."""
        self._note = text

    def __enter__(self) -> LiveView:
        self._thread = threading.Thread(target=self._draw, name="live view", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0)

    def _draw(self) -> None:
        from rich.live import Live

        with Live(
            get_renderable=self.frame, console=self._console, auto_refresh=False, vertical_overflow="ellipsis"
        ) as live:
            while not self._over.wait(1 / FRAMES_PER_S):
                live.refresh()
            live.refresh()

    def frame(self) -> RenderableType:
        """One frame, as high and wide as the terminal is now."""
        from rich.console import Group

        with self._lock:
            width, height = self._console.size
            now_s = self._picture.now_s + max(0.0, self._clock() - self._seen_at)
            room = max(4, height - 6 - bool(self._note))
            busy = [self._picture.hosts[name] for name in self._picture.in_flight]
            services = self._services()
            holds = self._picture.open_holds()
            events_n = min(len(self._events), max(3, room // 4), room)
            waits = list(_waits(holds))
            holds_n = min(len(waits), max(2, min(6, room // 4)))
            service_n = min(len(services), max(2, (room - events_n - holds_n) // 2))
            hosts_n = max(1, room - events_n - holds_n - service_n)
            parts = [self._headline(now_s, width), self._waves(width)]
            if self._note:
                parts.append(self._line(self._note, "wait", width))
            if busy:
                parts.append(self._hosts_table(busy[:hosts_n], len(busy), now_s, width))
            if services:
                parts.append(self._services_table(services[:service_n], width))
            parts += [self._line(text, "wait", width) for text in waits[:holds_n]]
            events = list(self._events)[len(self._events) - events_n :]
            parts += [
                self._line(f"{spoken(round(at_s)):>7}  {sentence(fact)}", weight(fact), width) for at_s, fact in events
            ]
            return Group(*parts)

    def _headline(self, now_s: float, width: int) -> RenderableType:
        seen = self._picture
        left_s = seen.eta_s(now_s) - now_s
        total = len(seen.hosts)
        title = f"{self._title or seen.plan.fleet}  " if width >= NARROW else ""
        text = f"{title}{seen.state}  {seen.ended} of {count(total, 'host')}  {spoken(round(now_s))}"
        if seen.exit_code is None:
            text += f"  about {spoken(round(left_s))} left"
        bad = sum(wave.bad for wave in seen.waves.values())
        if bad:
            text += f"  {bad} not well"
        return self._line(text, "bad" if bad or seen.state in ("halting", "halted") else "plain", width, bold=True)

    def _waves(self, width: int) -> RenderableType:
        marks = []
        for wave in self._picture.waves.values():
            if wave.state == "done" or (wave.moves and wave.ended == wave.moves):
                marks.append(f"[{wave.number} done]")
            elif wave.state == "running":
                marks.append(f"[{wave.number}: {wave.ended}/{wave.moves}]")
        waiting = sum(wave.state == "waiting" for wave in self._picture.waves.values())
        text = " ".join(marks)
        tail = f" {waiting} to come" if waiting else ""
        head = "waves "
        spare = width - len(head) - len(tail) - 2
        if len(text) > spare > 0:
            text = "… " + text[-(spare - 2) :].split(" ", 1)[-1]
        return self._line(head + text + tail, "plain", width)

    def _services(self) -> list[ServicePicture]:
        """Those that say something, the thinnest first."""
        told = [service for service in self._picture.services.values() if service.available is not None]
        return sorted(told, key=lambda service: (_spare(service), service.service))

    def _hosts_table(self, hosts: Sequence[HostPicture], total: int, now_s: float, width: int) -> RenderableType:
        table = _table("host", "phase", *(("service",) if width >= NARROW else ()), "since")
        for host in hosts:
            middle = (", ".join(host.services),) if width >= NARROW else ()
            table.add_row(*_texts(host.host, host.phase, *middle, spoken(round(now_s - host.since_s))))
        if total > len(hosts):
            table.add_row(*_texts(f"and {total - len(hosts)} more"))
        return table

    def _services_table(self, services: Sequence[ServicePicture], width: int) -> RenderableType:
        table = _table("service", "available", "needed", *(("gate",) if width >= NARROW else ()))
        for service in services:
            gate = (service.gate.value if service.gate else "-",) if width >= NARROW else ()
            needed = "-" if service.budget is None else str(service.budget)
            table.add_row(
                *_texts(service.service, f"{service.available} of {service.of}", needed, *gate),
                style="red" if _spare(service) < 0 else None,
            )
        return table

    def _line(self, text: str, kind: str, width: int, *, bold: bool = False) -> RenderableType:
        from rich.text import Text

        style = _STYLE[kind] or ("bold" if bold else "")
        line = Text(printable(text), style=style, no_wrap=True, overflow="ellipsis")
        line.truncate(max(1, width - 1), overflow="ellipsis")
        return line


def console(outlet: Outlet, *, no_colour: bool = False) -> Console:
    """A rich console that draws on `outlet`, which is a terminal. NO_COLOR is honoured, as is a change of size."""
    from rich.console import Console

    # rich ends the process when the terminal is gone; an outlet never lets it know.
    return Console(file=cast("IO[str]", outlet), force_terminal=True, no_color=no_colour or None, highlight=False)


def _waits(holds: Iterable[HoldPicture]) -> Iterator[str]:
    """Two lines for each hold: a line that is cut at the terminal's edge would lose the way out."""
    for hold in holds:
        yield f"waits: {hold.subject} [{hold.rule}]: {hold.why}"
        if hold.way_out:
            yield f"  way out: {hold.way_out}"


def _spare(service: ServicePicture) -> int:
    floor = service.of - 1 if service.budget is None else service.budget
    return (service.available or 0) - floor


def _table(*headers: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for header in headers:
        table.add_column(header, no_wrap=True, overflow="ellipsis")
    return table


def _texts(*cells: str) -> list[RenderableType]:
    """Cells taken literally: a host's answer may hold square brackets, which are markup to rich."""
    from rich.text import Text

    return [Text(cell) for cell in cells]
