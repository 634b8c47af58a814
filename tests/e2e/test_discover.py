"""discover on a site of three tiers with real nginx, PostgreSQL and Redis: exactly the edges that are there, and the inventory mended by them."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.three_tiers import SITE, Site, address, missing
from tests.e2e.tool import Tool


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    assert not missing(), f"the site of three tiers needs {', '.join(missing())}"
    with Site() as made:
        yield made


@pytest.fixture
def tool(site: Site, tmp_path: Path) -> Tool:
    """The tool on the switch, with a store of its own."""
    return Tool(tmp_path / "laptop", inside=site.inside)


EDGES = {
    ("web", "app", "requires", "both"),
    ("app", "db", "requires", "both"),
    ("app", "cache", "requires", "both"),
    ("app", "infra", "requires", "boot"),
    ("db", "infra", "after", "boot"),
}
"""What really is: three tiers, the file server in app-1's fstab, the name server in db-1's resolv.conf."""


def discovered(site: Site, tool: Tool, *words: str, answered: int = 6) -> subprocess.CompletedProcess[str]:
    """`restart discover` once so many hosts answered in time: on a machine with ten other things to do one may not."""
    for _ in range(5):
        site.ask_shop()
        said = tool.call("discover", *words)
        assert said.returncode == 0, said.stdout + said.stderr
        silent = said.stdout.count('"answered": false') if "json" in words else None
        if f"; {answered} answered" in " ".join(said.stdout.split()) or silent == 6 - answered:
            return said
    raise AssertionError(f"not {answered} hosts answered, five times:\n{said.stdout}")


def test_exactly_the_edges_that_are_there_are_found(site: Site, tool: Tool, tmp_path: Path) -> None:
    inventory = site.inventory(tmp_path / "site.yml")
    before = inventory.read_bytes()
    said = discovered(site, tool, str(inventory), "--format", "json")
    told = json.loads(said.stdout)
    assert {host for host, looked in told["hosts"].items() if looked.get("answered", True)} == set(told["hosts"])
    summary = told["summary"]
    found = {
        (edge["consumer"], edge["provider"], edge["kind"], edge["at"])
        for edge in (*summary["lacking"], *summary["declared"])
    }
    assert found == EDGES, said.stdout
    assert {(edge["consumer"], edge["provider"]) for edge in summary["lacking"]} == {
        ("app", "cache"),
        ("app", "infra"),
        ("db", "infra"),
    }
    assert [(row["consumer"], row["provider"], row["silent"]) for row in summary["not_seen"]] == [("web", "cache", [])]
    assert summary["first"] == [["cache"], ["infra"]]
    assert summary["cycles"] == summary["host_level"] == told.get("unmatched", []) == []
    # Nothing was written without --write, and nobody's own session is an edge: neither ours, nor the one through the gateway.
    assert inventory.read_bytes() == before
    assert told["own"] >= len(told["hosts"])
    assert 22 not in {link["port"] for link in told["links"]} | {one["port"] for one in told["outside"]}


def test_both_ends_are_named_and_short_connections_are_seen(site: Site, tool: Tool, tmp_path: Path) -> None:
    told = json.loads(discovered(site, tool, str(site.inventory(tmp_path / "site.yml")), "--format", "json").stdout)
    links = {(link["consumer"], link["provider"], link["port"]): link for link in told["links"] if not link.get("how")}
    kept, anew = links["app-1", "cache-1", 6379], links["app-2", "cache-1", 6379]
    assert kept["clients"] == ["python"] or kept["clients"][0].startswith("python")
    assert kept["server"] == anew["server"] == "redis-server"
    # Each was closed before we looked: the kernel remembers it for a minute, without its process.
    assert anew["open"] >= 1
    assert links["app-1", "db-1", 5432]["server"] == links["app-2", "db-1", 5432]["server"] == "postgres"
    assert links["lb-1", "app-1", 8000]["clients"] == links["lb-1", "app-2", 8000]["clients"] == ["nginx"]
    # Sessions of the look before have closed, and are no edges either.
    assert 22 not in {port for _, _, port in links}
    # The customer is nobody of ours.
    assert [(one["address"], one["port"], one["hosts"]) for one in told["outside"]] == [(address("lan"), 80, ["lb-1"])]
    for host, looked in told["hosts"].items():
        assert looked["cpu_s"] < 0.3, (host, looked)


def test_what_it_writes_is_valid_keeps_every_comment_and_leaves_nothing_to_add(
    site: Site, tool: Tool, tmp_path: Path
) -> None:
    inventory = site.inventory(tmp_path / "site.yml")
    before = inventory.read_text(encoding="utf-8")
    planned = tool.call("plan", str(inventory))
    assert "warning" not in planned.stderr
    shown = discovered(site, tool, str(inventory))
    assert "+    depends_on: {db: {kind: requires}, cache: {kind: requires}" in shown.stdout
    warned = tool.call("plan", str(inventory))
    assert warned.returncode == 0
    assert "warning: app uses cache, and the inventory does not say so" in warned.stderr
    discovered(site, tool, str(inventory), "--write")
    after = inventory.read_text(encoding="utf-8")
    assert tool.call("validate", str(inventory)).returncode == 0
    for comment in (
        "# The shop, as somebody",
        "# behind the balancer",
        "# and nothing else, we believe",
        "# long gone",
        "# everything",
    ):
        assert comment in after
    changed = [line for line in before.splitlines() if line not in after.splitlines()]
    assert len(changed) == 2, changed
    assert "warning" not in tool.call("plan", str(inventory)).stderr
    assert "Nothing to add to the inventory." in discovered(site, tool, str(inventory)).stdout


def test_a_host_that_does_not_answer_is_unknown_and_its_edges_still_show_from_the_other_end(
    site: Site, tool: Tool, tmp_path: Path
) -> None:
    dead = SITE.replace("infra-1: {{address: {infra-1}}}", "infra-1: {{address: 10.77.0.99}}").replace(
        "db-1:    {{address: {db-1}, ssh: {{gateway: lb-1}}}}", "db-1:    {{address: {db-1}, ssh: {{user: nobody}}}}"
    )
    inventory = site.inventory(tmp_path / "site.yml", dead)
    said = discovered(site, tool, str(inventory), answered=4)
    assert "UNKNOWN  db-1: " in said.stdout
    assert "UNKNOWN  infra-1: " in said.stdout
    flat = " ".join(said.stdout.split())
    assert "app-1 (python) -> db-1:5432, 1 connection, seen by the client only" in flat or "python3" in flat
    # Its address of the other family is told by itself only; so it is nobody's, and that is said.
    assert f"[{address('db-1', 6)}]:5432" in flat
    assert "db-1, infra-1 did not answer, and may have some of these" in flat
    assert "web -> cache" in flat.partition("Declared, and not seen")[2]


def test_who_is_not_root_there_sees_the_same_edges_without_the_processes_and_says_so(
    site: Site, tool: Tool, tmp_path: Path
) -> None:
    inventory = site.inventory(tmp_path / "site.yml", SITE.replace("user: root", "user: ops"))
    told = json.loads(discovered(site, tool, str(inventory), "--format", "json").stdout)
    summary = told["summary"]
    assert {
        (edge["consumer"], edge["provider"], edge["kind"], edge["at"])
        for edge in (*summary["lacking"], *summary["declared"])
    } == EDGES
    assert not any(link.get("clients") for link in told["links"])
    for looked in told["hosts"].values():
        assert any("not root" in note for note in looked["notes"])
    # Our own sessions are known by what SSH itself says of them.
    assert 22 not in {link["port"] for link in told["links"]} | {one["port"] for one in told["outside"]}


CONTAINER = (
    "ip link set lo up; python3 -c \"import socket, time; s = socket.create_server(('127.0.0.1', 7000));"
    " c = socket.create_connection(('127.0.0.1', 7000)); open('/run/container', 'w'); time.sleep(60)\""
)


def test_a_unit_s_environment_file_names_its_provider_and_nothing_of_its_secrets_is_told_or_kept(
    site: Site, tool: Tool, tmp_path: Path
) -> None:
    inventory = str(site.inventory(tmp_path / "site.yml"))
    told = json.loads((said := discovered(site, tool, inventory, "--format", "json")).stdout)
    (link,) = [link for link in told["links"] if link.get("detail") == "shop.service"]
    ends = [link[key] for key in ("consumer", "provider", "port", "how", "file")]
    assert ends == ["lb-1", "app-2", 8000, "unit", "/etc/default/shop"]
    assert (link["consumer_services"], link["provider_services"]) == (["web"], ["app"])
    kept = "".join(path.read_text() for path in tmp_path.rglob("discoveries/*.json"))
    assert "shop.service" in kept
    for text in (said.stdout, said.stderr, kept, discovered(site, tool, inventory).stdout):
        assert "hunter" not in text


def test_connections_in_a_container_are_counted_and_that_is_said(site: Site, tool: Tool, tmp_path: Path) -> None:
    site.ssh("app-2", f"setsid -f unshare --net sh -c {shlex.quote(CONTAINER)} >/dev/null 2>&1 </dev/null")
    site.ssh("app-2", "for i in $(seq 100); do [ -e /run/container ] && exit 0; sleep 0.1; done; exit 1")
    told = json.loads(discovered(site, tool, str(site.inventory(tmp_path / "site.yml")), "--format", "json").stdout)
    assert told["hosts"]["app-2"]["containers"] == 1, told["hosts"]["app-2"]
    assert not told["hosts"]["app-1"].get("containers")
    assert 7000 not in {link["port"] for link in told["links"]}


def test_looking_for_a_while_sees_what_one_look_misses_and_ctrl_c_ends_it_with_what_was_seen(
    site: Site, tool: Tool, tmp_path: Path
) -> None:
    inventory = site.inventory(tmp_path / "site.yml")
    words = tool._command("discover", str(inventory), "--for", "10m", "--every", "1s", "--format", "json")
    with subprocess.Popen(
        words, env=tool._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            time.sleep(15)
            # Only now is there a visit from the cache's own host to the shop: no one look at the beginning would have it.
            site.ssh(
                "cache-1",
                f"python3 -c \"import urllib.request; urllib.request.urlopen('http://{address('lb-1')}/').read()\"",
            )
            time.sleep(40)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            # Whatever goes wrong here, nobody waits for its ten minutes.
            process.kill()
    assert process.returncode == 0, err
    told = json.loads(out)
    assert told["looks"] >= 2
    assert ("cache", "web") in {(edge["consumer"], edge["provider"]) for edge in told["summary"]["lacking"]}
    # web -> cache is declared (order only) and cache -> web is seen: a ring, told and not written.
    assert told["summary"]["cycles"]
