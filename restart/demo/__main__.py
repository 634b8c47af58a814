"""The fleet's process: `python -m restart.demo SHAPE FOLDER`. Started by `restart.demo.fleet`, never by hand.

It lives exactly as long as its standard input is open, so that it goes when its parent goes, however that ended.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from restart.demo import board, layout
from restart.demo.ending import remove
from restart.demo.keys import new_key, public_line, write_private
from restart.demo.layout import Files, Place, Shape
from restart.demo.machine import Machine
from restart.demo.ports import reserve
from restart.demo.site import Physics, Site

TICK_S = 0.05


class Fleet:
    """All hosts and the site that they make up; lives in one event loop."""

    def __init__(self, shape: Shape, physics: Physics, folder: Path) -> None:
        self._shape = shape
        self._physics = physics
        self._files = Files(folder=folder)
        self._site = Site(shape.hosts(), physics, time.monotonic())
        self._machines: dict[str, Machine] = {}
        self._boots: set[asyncio.Task[None]] = set()

    async def run(self, ended: asyncio.Event) -> None:
        """Start everything, say so in one line of JSON, keep it going until `ended`, stop everything."""
        try:
            board_socket = reserve()
            board_port = int(board_socket.getsockname()[1])
            places = self._build(board_port)
            pages = await asyncio.start_server(board.serve(self._page), sock=board_socket)
            for machine in self._machines.values():
                await machine.power_on(board.serve(self._host_page(machine.name)))
            ready = {"board": board_port, "inventory": str(self._files.inventory), "hosts": [p.host for p in places]}
            print(json.dumps(ready), flush=True)  # noqa: T201
            while not ended.is_set():
                self._tick()
                await asyncio.sleep(TICK_S)
            pages.close()
        finally:
            for boot in self._boots:
                boot.cancel()
            for machine in self._machines.values():
                await machine.power_off()
                machine.close()

    def _build(self, board_port: int) -> list[Place]:
        files, hosts = self._files, self._shape.hosts()
        files.identity.parent.mkdir(mode=0o700)
        client_key, text = new_key()
        write_private(files.identity, text)
        files.identity.with_suffix(".pub").write_text(f"{public_line(client_key)} demo\n", encoding="ascii")
        host_keys, places, racks = {}, [], layout.racks(hosts)
        for index, (name, service) in enumerate(hosts.items()):
            host_key, _ = new_key()
            machine = Machine(
                name,
                folder=files.folder / "hosts" / name,
                balancer=service == "lb",
                days_up=200.0 - 7 * index % 160,
                host_key=host_key,
                client_key=client_key,
            )
            self._machines[name] = machine
            host_keys[machine.ssh_port] = public_line(host_key)
            place = Place(
                host=name, service=service, ssh_port=machine.ssh_port, http_port=machine.http_port, rack=racks[name]
            )
            places.append(place)
        files.known_hosts.write_text(layout.known_hosts(host_keys), encoding="ascii")
        files.ssh_config.write_text(layout.ssh_config(places, files), encoding="utf-8")
        files.playbooks.mkdir()
        for file, content in layout.playbooks(self._shape).items():
            (files.playbooks / file).write_text(content, encoding="utf-8")
        files.inventory.write_text(layout.inventory(places, files, board_port), encoding="utf-8")
        return places

    def _tick(self) -> None:
        """Hear what was said on the hosts (drains first: they come before the reboot they are for), let time pass."""
        self._site.advance(time.monotonic())
        hosts = self._shape.hosts()
        for name, machine in self._machines.items():
            if hosts[name] == "lb":
                self._site.drain(name, machine.drained())
        for name, machine in self._machines.items():
            if machine.is_on and machine.reboot_asked():
                self._boots.add(asyncio.ensure_future(self._reboot(machine, self._physics.boot_s[hosts[name]])))
        for boot in [boot for boot in self._boots if boot.done()]:
            self._boots.discard(boot)
            boot.result()

    async def _reboot(self, machine: Machine, boot_s: float) -> None:
        self._site.off(machine.name)
        await machine.power_off()
        await asyncio.sleep(boot_s)
        await machine.power_on(board.serve(self._host_page(machine.name)))
        self._site.advance(time.monotonic())
        self._site.up(machine.name)

    def _host_page(self, host: str) -> Any:
        def page(path: str) -> board.Page:
            self._site.advance(time.monotonic())
            return board.well(self._site.health(host)) if path == "/health" else board.MISSING

        return page

    def _page(self, path: str) -> board.Page:
        self._site.advance(time.monotonic())
        service = path.removeprefix("/services/")
        if service in set(self._shape.hosts().values()) and path != service:
            return board.well(self._site.gate(service))
        if path == "/site":
            return board.well(self._site.whole())
        return board.document(self._state()) if path == "/state" else board.MISSING

    def _state(self) -> dict[str, Any]:
        site = self._site
        return {
            "hosts": {
                member.host: {
                    "service": member.service,
                    "phase": member.phase.name,
                    "why": member.why,
                    "well": site.health(member.host).well,
                    "text": site.health(member.host).text,
                    "boots": self._machines[member.host].boots - 1,
                    "boot_id": self._machines[member.host].boot_id,
                }
                for member in site.members.values()
            },
            "services": {
                service: {
                    "well": site.serving(service).well,
                    "text": site.serving(service).text,
                    "outage_s": round(site.outage_s[service], 2),
                }
                for service in site.outage_s
            },
            "whole": site.whole().well,
            "whole_text": site.whole().text,
            "whole_outage_s": round(site.whole_outage_s, 2),
            "sessions": site.full(),
            "online": round(site.online()),
            "sessions_cut": round(site.sessions_cut),
            "demand": round(site.demand),
            "demand_peak": round(site.demand_peak),
            "cap": round(site.physics.cap),
            "collapses": site.collapses,
            "collapsed": site.collapsed,
            "cache_warm": site.cache_warm,
        }


async def _until_told(shape: Shape, physics: Physics, folder: Path) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def until_closed() -> None:
        # Nothing is ever said on it; what counts is that it ends.
        await reader.read()
        ended.set()

    closing = asyncio.ensure_future(until_closed())
    await Fleet(shape, physics, folder).run(ended)
    closing.cancel()


def main() -> None:
    """Run the fleet in FOLDER (made by the parent, for its owner only), and remove the folder at the end."""
    # A probe of a port is a connection without a word of SSH: paramiko would tell of each.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)
    shape, physics, folder = Shape(**json.loads(sys.argv[1])), Physics(**json.loads(sys.argv[2])), Path(sys.argv[3])
    try:
        asyncio.run(_until_told(shape, physics, folder))
    finally:
        remove(folder, os.getsid(0))


if __name__ == "__main__":
    main()
