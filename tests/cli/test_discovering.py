"""restart discover: reads only, ends with 0; --write changes the inventory and nothing else; plan and run warn of what is lacking."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from restart.model.answer import NoAnswer
from restart.model.discovery import Discovery, HostLooked, Link
from restart.model.inventory import Inventory
from restart.model.question import Shell, ShellReply
from restart.survey.discover import file
from restart.survey.sort import rfc3339
from restart.transports import ssh
from tests.cli.conftest import Said

Restart = Callable[..., Said]

SHOP = """\
version: 1
fleet: shop
hosts:
  db-1: {address: 10.0.1.1}   # the old one
  web-1: {address: 10.0.2.1}
  cache-1: {address: 10.0.3.1}
services:
  db: {hosts: db-1, ready: [{tcp: 5432}]}
  cache: {hosts: cache-1, ready: [{tcp: 6379}]}
  web:
    hosts: web-1
    # only this
    depends_on: {db: {kind: requires}}
"""

HOSTS = {
    "db-1": ('listen *:5432 "postgres",pid=1', 'in 10.0.1.1:5432 10.0.2.1 1 0 40000 "postgres",pid=1'),
    "web-1": (
        'out 10.0.2.1 10.0.1.1:5432 1 0 40000 "python3",pid=7',
        'out 10.0.2.1 10.0.3.1:6379 1 0 40001 "python3",pid=7',
    ),
    "cache-1": ('listen *:6379 "redis-server",pid=1',),
}


class Pool:
    """What stands in for the pool of SSH sessions: each host says what `HOSTS` has, or nothing."""

    silent: frozenset[str] = frozenset()
    asked = 0

    def __init__(self, inventory: Inventory) -> None:
        type(self).asked = 0

    def run(self, shell: Shell) -> ShellReply | NoAnswer:
        type(self).asked += 1
        assert shell.stdin is not None
        host = shell.host or ""
        if host in self.silent:
            return NoAnswer(reason="refused")
        frame = "restart-probe 1 "
        lines = [
            f"{frame}begin",
            f"{frame}section connections",
            "|uid 0",
            "|read yes",
            *(f"|{line}" for line in HOSTS[host]),
            f"{frame}end connections",
        ]
        if "s_references" in shell.stdin:
            lines += [f"{frame}section references", f"{frame}end references"]
        return ShellReply(exit_status=0, stdout="\n".join([*lines, f"{frame}done"]), stderr="")

    def close(self) -> None:
        return


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shop's inventory, and a pool that answers for its hosts."""
    monkeypatch.setattr(ssh, "SshPool", Pool)
    monkeypatch.setattr(Pool, "silent", frozenset())
    path = tmp_path / "site.yml"
    path.write_text(SHOP)
    return path


def test_it_prints_what_is_lacking_and_a_patch_and_writes_nothing(restart: Restart, site: Path) -> None:
    said = restart("discover", str(site))
    assert (said.code, said.err) == (0, "")
    assert "Seen, and the inventory lacks (1)\n  web -> cache   requires\n" in said.out
    assert (
        "-    depends_on: {db: {kind: requires}}\n+    depends_on: {db: {kind: requires}, cache: {kind: requires}}"
        in said.out
    )
    assert "nothing was written" in said.out
    assert site.read_text() == SHOP


def test_write_makes_the_patch_and_a_second_look_finds_nothing_to_add(restart: Restart, site: Path) -> None:
    said = restart("discover", str(site), "--write")
    assert said.code == 0
    assert "Written to " in said.out
    assert site.read_text() == SHOP.replace("{db: {kind: requires}}", "{db: {kind: requires}, cache: {kind: requires}}")
    assert restart("validate", str(site)).code == 0
    assert "Nothing to add to the inventory." in restart("discover", str(site), "--write").out


def test_json_has_all_of_it(restart: Restart, site: Path) -> None:
    told = json.loads(restart("discover", str(site), "--format", "json").out)
    assert told["kind"] == "discovery"
    assert [(edge["consumer"], edge["provider"]) for edge in told["summary"]["lacking"]] == [("web", "cache")]
    assert told["summary"]["levels"] == [[["db"], ["cache"]], [["web"]]]
    assert told["patch"]["diff"].startswith("--- ")
    assert told["patch"]["written"] is False


def test_what_cannot_be_written_is_refused_with_its_line_and_exit_4(restart: Restart, site: Path) -> None:
    site.write_text(
        SHOP.replace("    depends_on: {db: {kind: requires}}", "    depends_on: &same {db: {kind: requires}}")
        + "  jobs: {hosts: web-1, depends_on: *same, ready: [{systemd: jobs.service}]}\n"
    )
    before = site.read_text()
    # The process of the connection tells which of the two services it is.
    said = restart("discover", str(site))
    assert said.code == 0
    assert "Between hosts" in said.out
    site.write_text(before.replace("hosts: web-1, depends_on: *same", "hosts: cache-1, depends_on: *same"))
    before = site.read_text()
    said = restart("discover", str(site), "--write")
    assert said.code == 4
    assert "To be added by hand: web -> cache: written there it would mean something else" in said.out
    assert "below services.web.depends_on" in said.out
    assert "    cache: {kind: requires}\n" in said.out
    assert site.read_text() == before


def test_a_ring_is_told_and_not_written(restart: Restart, site: Path) -> None:
    site.write_text(SHOP.replace("{hosts: cache-1,", "{hosts: cache-1, depends_on: {web: {}},"))
    said = restart("discover", str(site), "--write")
    assert said.code == 4
    assert "Cycles (1)" in said.out
    assert "require each other in a ring" in said.out
    assert "cache: {kind" not in site.read_text()


def test_a_silent_host_is_unknown_and_a_look_at_nobody_is_not_kept(
    restart: Restart, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restart("discover", str(site))
    monkeypatch.setattr(Pool, "silent", frozenset(HOSTS))
    said = restart("discover", str(site))
    assert said.code == 0
    assert "UNKNOWN  cache-1, db-1, web-1: SSH is refused" in said.out
    assert "web -> db: not known: db-1, web-1 did not answer" in said.out
    # The last one that told anything still warns.
    assert "web uses cache" in restart("plan", str(site)).err


def test_a_part_of_the_fleet_is_looked_at_alone(restart: Restart, site: Path) -> None:
    told = json.loads(restart("discover", str(site), "--limit", "web-*", "--format", "json").out)
    assert list(told["hosts"]) == ["web-1"]
    assert Pool.asked == 1
    assert {edge["provider"] for edge in (*told["summary"]["lacking"], *told["summary"]["declared"])} == {"db", "cache"}


def test_it_looks_again_for_as_long_as_it_is_told_to(restart: Restart, site: Path) -> None:
    told = json.loads(restart("discover", str(site), "--for", "2500ms", "--every", "1s", "--format", "json").out)
    # The machine may be slow: at least twice, and each time counts.
    assert told["looks"] >= 2
    assert {link["looks"] for link in told["links"]} == {told["looks"]}


def test_ctrl_c_ends_the_looking_early_and_what_was_seen_is_told(restart: Restart, site: Path) -> None:
    def interrupt() -> None:
        time.sleep(2.0)
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    started_s = time.monotonic()
    said = restart("discover", str(site), "--for", "10m", "--every", "1s")
    assert time.monotonic() - started_s < 60
    assert said.code == 0
    assert "ended early" in said.out
    assert "web -> cache" in said.out


@pytest.mark.parametrize(
    "words",
    [("--for", "10"), ("--for", "2d"), ("--every", "5s"), ("--for", "1m", "--every", "10ms"), ("--limit", "no-such")],
)
def test_what_cannot_be_meant_is_a_usage_mistake(restart: Restart, site: Path, words: tuple[str, ...]) -> None:
    assert restart("discover", str(site), *words).code == 2


def test_plan_warns_of_what_was_seen_and_not_declared_until_it_is(restart: Restart, site: Path, tmp_path: Path) -> None:
    assert "warning" not in restart("plan", str(site)).err
    restart("discover", str(site))
    said = restart("plan", str(site))
    assert said.code == 0
    assert "warning: web uses cache, and the inventory does not say so (seen 20" in said.err
    assert "python3) -> cache-1:6379" in said.err
    assert "restart discover shows the patch" in said.err
    assert "warning" not in said.out
    json.loads(restart("plan", str(site), "--format", "json").out)
    restart("discover", str(site), "--write")
    assert "warning" not in restart("plan", str(site)).err


def test_run_warns_of_it_where_it_shows_what_it_is_about_to_do(restart: Restart, site: Path, tmp_path: Path) -> None:
    saved = str(tmp_path / "plan.json")
    assert restart("plan", str(site), "-o", saved).code == 0
    restart("discover", str(site))
    warning = "warning: web uses cache, and the inventory does not say so (seen 20"
    said = restart("run", str(site), "--no-survey", "--dry-run")
    assert said.code == 0
    assert warning in said.err
    # Before the question, of a plan too that was saved before anybody had looked: whoever says no has lost nothing.
    said = restart("run", saved, "--reason", "patch night", "--yes-hosts", "1")
    assert said.code == 4
    assert warning in said.err
    assert said.err.index(warning) < said.err.index("--yes-hosts says 1")
    restart("discover", str(site), "--write")
    assert "warning" not in restart("run", str(site), "--no-survey", "--dry-run").err


def test_an_old_discovery_warns_of_nothing_and_a_broken_one_never_stops_a_plan(
    restart: Restart, site: Path, tmp_path: Path
) -> None:
    link = Link(
        consumer="web-1", provider="cache-1", port=6379, consumer_services=("web",), provider_services=("cache",)
    )
    path = tmp_path / "store/discoveries/shop.json"
    for age_s, warned in ((60.0, True), (file.AGE_MAX_S + 60, False)):
        at = rfc3339(time.time() - age_s)
        file.save(
            path,
            Discovery(at=at, fleet="shop", looks=1, for_s=0.0, hosts={"web-1": HostLooked(looks=1)}, links=(link,)),
        )
        assert ("warning" in restart("plan", str(site)).err) == warned
    path.write_text("{")
    said = restart("plan", str(site))
    assert said.code == 0
    assert "is no discovery" in said.err
    # And the next one takes its place.
    assert "written anew" in restart("discover", str(site)).err
    assert "web uses cache" in restart("plan", str(site)).err


def test_no_store_is_made_to_look(restart: Restart, site: Path, tmp_path: Path) -> None:
    restart("discover", str(site))
    assert not (tmp_path / "store/store.db").exists()


def test_what_was_seen_is_shown_though_it_cannot_be_kept(restart: Restart, site: Path, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(exist_ok=True)
    (tmp_path / "store/discoveries").write_text("in the way")
    said = restart("discover", str(site))
    assert said.code == 2
    assert "web -> cache   requires" in said.out
    assert "not kept, so that plan warns of nothing" in said.err
    assert "--store FILE" in said.err
