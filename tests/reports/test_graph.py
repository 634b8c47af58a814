from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from restart.errors import UsageMistake
from restart.model.inventory import Dependency, Inventory, Service
from restart.reports.graph import graph_dot, graph_json, graph_mermaid, graph_svg, graph_text, providers_first

Golden = Callable[[str, str], None]


def test_the_graphs_read_as_agreed(inventory: Inventory, golden: Golden) -> None:
    golden("graph.txt", graph_text(inventory))
    golden("graph.mmd", graph_mermaid(inventory))
    golden("graph.dot", graph_dot(inventory))


def test_the_graph_as_data_has_every_edge(inventory: Inventory) -> None:
    edges = graph_json(inventory)["edges"]
    assert edges == [
        {"consumer": "chat", "provider": "postgres", "kind": "requires", "needs": None, "at": "both"},
        {"consumer": "chat", "provider": "queue", "kind": "requires", "needs": 2, "at": "both"},
        {"consumer": "chat", "provider": "metrics", "kind": "after", "needs": None, "at": "both"},
    ]


def test_providers_come_before_consumers_and_a_cycle_does_not_hang(inventory: Inventory) -> None:
    def service(name: str, *providers: str) -> Service:
        return Service(name=name, hosts=(), depends_on=tuple(Dependency(provider=each) for each in providers))

    ring = [service("z", "y"), service("a", "b"), service("b", "a"), service("c", "b", "y"), service("y")]
    order = providers_first(replace(inventory, services={each.name: each for each in ring}))
    assert sorted(order) == ["a", "b", "c", "y", "z"]
    assert order.index("y") < order.index("z")
    assert order.index("b") < order.index("c")


def test_names_with_quotes_and_backslashes_stay_inside_their_quotes(inventory: Inventory) -> None:
    odd = replace(inventory, fleet='a"b\\', services={})
    assert graph_dot(odd).startswith('digraph "a\\"b\\\\" {')


def test_without_graphviz_the_svg_is_refused_with_its_way_out(inventory: Inventory) -> None:
    with pytest.raises(UsageMistake, match="install graphviz"):
        graph_svg(inventory, program="/nowhere/dot")


def test_a_graphviz_that_fails_is_told(inventory: Inventory, tmp_path: Path) -> None:
    broken = tmp_path / "dot"
    broken.write_text("#!/bin/sh\ncat >/dev/null\necho 'no fonts' >&2\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(UsageMistake, match="Graphviz failed: no fonts"):
        graph_svg(inventory, program=str(broken))


def test_the_digraph_is_handed_to_graphviz(inventory: Inventory, tmp_path: Path) -> None:
    dot = shutil.which("dot")
    if dot is None:
        # Where Graphviz is not installed, what matters is that it would get the whole graph.
        fake = tmp_path / "dot"
        fake.write_text("#!/bin/sh\necho '<svg>'\ncat\n")
        fake.chmod(0o755)
        dot = str(fake)
    drawn = graph_svg(inventory, program=dot)
    assert "<svg" in drawn
    assert "postgres" in drawn
