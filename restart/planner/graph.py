"""Graphs: which edges rolling plans look at, strongly connected groups, and the order of services that both give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from restart.model.inventory import Dependency, Inventory
from restart.rules.named import order_rule, requires_rule
from restart.rules.rings import rings
from restart.rules.waived import NOTHING_WAIVED, Waived


def run_edges(inventory: Inventory) -> dict[str, tuple[Dependency, ...]]:
    """The edges of each consumer that hold while the fleet is up and are not broken by a declared stand-in."""
    return {
        service.name: tuple(
            edge for edge in service.depends_on if edge.at in ("run", "both") and edge.stand_in is None
        )
        for service in inventory.services.values()
    }  # fmt: skip


def groups(followers: Sequence[Sequence[int]]) -> list[list[int]]:
    """Strongly connected groups of the graph `vertex -> followers[vertex]`, each after all groups that it leads to.

    Tarjan, Depth-First Search and Linear Graph Algorithms, 1972; with a stack of our own, since a chain of services may
    be longer than Python's. Linear in vertices and edges.
    """
    total = len(followers)
    number = [0] * total  # order of discovery from 1; 0: not seen
    low = [0] * total
    grouped = [False] * total
    pending: list[int] = []
    found: list[list[int]] = []
    count = 0
    for root in range(total):
        if number[root]:
            continue
        count += 1
        number[root] = low[root] = count
        pending.append(root)
        walk = [(root, iter(followers[root]))]
        while walk:
            vertex, rest = walk[-1]
            for follower in rest:
                if not number[follower]:
                    count += 1
                    number[follower] = low[follower] = count
                    pending.append(follower)
                    walk.append((follower, iter(followers[follower])))
                    break
                if not grouped[follower]:
                    low[vertex] = min(low[vertex], number[follower])
            else:
                walk.pop()
                if walk:
                    low[walk[-1][0]] = min(low[walk[-1][0]], low[vertex])
                if low[vertex] == number[vertex]:
                    found.append(_taken(pending, vertex, grouped))
    return found


def _taken(pending: list[int], root: int, grouped: list[bool]) -> list[int]:
    """Take the group that ends at `root` off the stack; its vertices ascending."""
    group = []
    while True:
        vertex = pending.pop()
        grouped[vertex] = True
        group.append(vertex)
        if vertex == root:
            return sorted(group)


class Order:
    """The services' order: edges without those that cycles of `after` cost, and the groups of `requires` that are cyclic."""

    def __init__(
        self,
        inventory: Inventory,
        edges: Mapping[str, tuple[Dependency, ...]] | None = None,
        among: frozenset[str] | None = None,
        waived: Waived = NOTHING_WAIVED,
    ) -> None:
        """`edges` in place of those that hold while the fleet runs; only services of `among` can close a cycle (None: all).

        Cycles are found before any edge is `waived`: to let one rule go must not hide another.
        """
        names = list(inventory.services)
        index = {name: at for at, name in enumerate(names)}
        edges = run_edges(inventory) if edges is None else edges
        inside = frozenset(names) if among is None else among
        self.cycles = rings(
            {
                name: [edge.provider for edge in edges[name] if edge.kind == "requires" and edge.provider in inside]
                for name in names
                if name in inside
            }
        )
        """One shortest cycle of each cyclic group of `requires`, consumer before provider, first not repeated."""
        everyone = [[index[edge.provider] for edge in edges[name]] for name in names]
        member_of = [0] * len(names)
        found = groups(everyone)
        for number, group in enumerate(found):
            for at in group:
                member_of[at] = number
        self.dropped: list[tuple[str, str]] = []
        """Edges of `after`, consumer and provider, that close a cycle: order only, so they yield."""
        self.edges: dict[str, tuple[Dependency, ...]] = {}
        for name in names:
            kept = []
            for edge in edges[name]:
                same = member_of[index[name]] == member_of[index[edge.provider]]
                if edge.kind == "after" and same:
                    self.dropped.append((name, edge.provider))
                else:
                    kept.append(edge)
            self.edges[name] = tuple(kept)
        self.waits: dict[str, tuple[Dependency, ...]] = self.edges
        """The edges whose provider's moves are waited for (design: rule 3 b); `edges` without those overridden by name."""
        if waived:
            self._waive(waived)
        left = [[index[edge.provider] for edge in self.edges[name]] for name in names]
        self.upward = tuple(names[at] for group in groups(left) for at in group)
        """Services, providers before their consumers."""

    def _waive(self, waived: Waived) -> None:
        """An edge whose `requires` rule is waived asks for order only; one whose `order` rule is, waits for nobody."""
        self.edges = {
            name: tuple(
                replace(edge, kind="after") if requires_rule(name, edge.provider) in waived else edge for edge in edges
            )
            for name, edges in self.edges.items()
        }
        self.waits = {
            name: tuple(edge for edge in edges if order_rule(name, edge.provider) not in waived)
            for name, edges in self.edges.items()
        }
