"""The services of a fleet and what they depend on, drawn as text, Mermaid, DOT, and SVG where Graphviz is installed."""

from __future__ import annotations

import subprocess

from restart.errors import UsageMistake
from restart.model.inventory import Dependency, Inventory, Service
from restart.reports.prose import count, listed, wrapped
from restart.rules.budgets import budget

DOT_TIMEOUT_S = 120.0


def graph_text(inventory: Inventory, *, width: int = 80) -> str:
    """Providers first; below each service what it requires and what it only comes after."""
    lines = [
        f"{inventory.fleet}: {count(len(inventory.hosts), 'host')}, {count(len(inventory.services), 'service')}",
    ]
    consumers = _consumers(inventory)
    for name in providers_first(inventory):
        service = inventory.services[name]
        lines += ["", f"{name}  {count(len(service.hosts), 'host')}, {budget_text(service)}"]
        lines += wrapped(listed(service.hosts), width=width, first="  hosts     ")
        for kind in ("requires", "after"):
            edges = [edge for edge in service.depends_on if edge.kind == kind]
            if edges:
                text = ", ".join(edge.provider + _bracket(edge_text(edge)) for edge in edges)
                lines += wrapped(text, width=width, first=f"  {kind:<8}  ")
        if name in consumers:
            lines += wrapped(", ".join(consumers[name]), width=width, first="  used by   ")
    served = {host for service in inventory.services.values() for host in service.hosts}
    outside = [host for host in inventory.hosts if host not in served]
    if outside:
        lines += ["", *wrapped(listed(outside), width=width, first="in no service: ")]
    return "\n".join(lines) + "\n"


def graph_mermaid(inventory: Inventory) -> str:
    """A Mermaid flow chart; an arrow runs from the provider to its consumer, dotted where it is order only."""
    names = {name: f"s{index}" for index, name in enumerate(inventory.services)}
    lines = ["flowchart LR"]
    for name, service in inventory.services.items():
        label = f"{name}<br/>{count(len(service.hosts), 'host')}<br/>{budget_text(service)}"
        lines.append(f'  {names[name]}["{_mermaid(label)}"]')
    for name, service in inventory.services.items():
        for edge in service.depends_on:
            text = edge_text(edge)
            label = f'|"{_mermaid(text)}"|' if text else ""
            arrow = "-.->" if edge.kind == "after" else "-->"
            lines.append(f"  {names[edge.provider]} {arrow}{label} {names[name]}")
    return "\n".join(lines) + "\n"


def graph_dot(inventory: Inventory) -> str:
    """A Graphviz digraph; an arrow runs from the provider to its consumer, dashed where it is order only."""
    lines = [f"digraph {_quoted(inventory.fleet)} {{", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    for name, service in inventory.services.items():
        label = f"{name}\n{count(len(service.hosts), 'host')}\n{budget_text(service)}"
        lines.append(f"  {_quoted(name)} [label={_quoted(label)}];")
    for name, service in inventory.services.items():
        for edge in service.depends_on:
            marks = []
            if edge_text(edge):
                marks.append(f"label={_quoted(edge_text(edge))}")
            if edge.kind == "after":
                marks.append("style=dashed")
            tail = f" [{', '.join(marks)}]" if marks else ""
            lines.append(f"  {_quoted(edge.provider)} -> {_quoted(name)}{tail};")
    return "\n".join([*lines, "}"]) + "\n"


def graph_svg(inventory: Inventory, *, program: str = "dot") -> str:
    """The digraph drawn by Graphviz. Raises `UsageMistake` where `program` is not installed or does not succeed."""
    try:
        drawn = subprocess.run(
            [program, "-Tsvg"],
            input=graph_dot(inventory),
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=DOT_TIMEOUT_S,
            check=False,
        )
    except OSError:
        raise UsageMistake(
            "an SVG needs Graphviz, and its `dot` program is not here",
            remedy="install graphviz, or take --format dot or mermaid and draw it elsewhere",
        ) from None
    except subprocess.TimeoutExpired:
        raise UsageMistake(
            f"Graphviz did not finish within {DOT_TIMEOUT_S:.0f}s", remedy="take --format dot and draw it elsewhere"
        ) from None
    if drawn.returncode != 0:
        said = (drawn.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise UsageMistake(f"Graphviz failed: {said}", remedy="take --format dot and draw it elsewhere")
    return drawn.stdout


def graph_json(inventory: Inventory) -> dict[str, object]:
    """Services and edges as plain data."""
    return {
        "fleet": inventory.fleet,
        "services": [
            {
                "service": name,
                "hosts": list(service.hosts),
                "budget": budget(service),
                "budget_text": budget_text(service),
            }
            for name, service in inventory.services.items()
        ],
        "edges": [
            {"consumer": name, "provider": edge.provider, "kind": edge.kind, "needs": edge.needs, "at": edge.at}
            for name, service in inventory.services.items()
            for edge in service.depends_on
        ],
    }


def budget_text(service: Service) -> str:
    """`2 must stay available (quorum)`; the stricter of both budgets wins."""
    stated = budget(service)
    if stated is None:
        return "one at a time (no budget stated)"
    words = []
    if service.min_available is not None and str(service.min_available) != str(stated):
        words.append(str(service.min_available))
    if service.max_unavailable is not None:
        words.append(f"at most {service.max_unavailable} down")
    return f"{stated} must stay available" + _bracket(", ".join(words))


def edge_text(edge: Dependency) -> str:
    """What an edge says beyond its kind: `2 ready are enough`, `at boot`, `restarts with it`, `stand-in declared`."""
    words = []
    if edge.needs is not None:
        words.append(f"{edge.needs} ready {'is' if edge.needs == 1 else 'are'} enough")
    if edge.at != "both":
        words.append(f"at {edge.at}")
    if edge.restart:
        words.append("restarts with it")
    if edge.stand_in is not None:
        words.append("stand-in declared")
    return ", ".join(words)


def providers_first(inventory: Inventory) -> tuple[str, ...]:
    """Names of the services so that providers come before consumers; services of a cycle in the order of the file."""
    consumers = _consumers(inventory)
    waiting = {
        name: len({edge.provider for edge in service.depends_on}) for name, service in inventory.services.items()
    }
    order: dict[str, None] = {}
    queue = [name for name, number in waiting.items() if number == 0]
    left = iter(inventory.services)
    while len(order) < len(inventory.services):
        if not queue:
            # Everything left hangs on a cycle: the first of the file opens it.
            queue.append(next(name for name in left if name not in order))
        name = queue.pop(0)
        if name in order:
            continue
        order[name] = None
        for consumer in consumers.get(name, ()):
            waiting[consumer] -= 1
            if waiting[consumer] == 0:
                queue.append(consumer)
    return tuple(order)


def _consumers(inventory: Inventory) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, service in inventory.services.items():
        for provider in dict.fromkeys(edge.provider for edge in service.depends_on):
            found.setdefault(provider, []).append(name)
    return found


def _bracket(text: str) -> str:
    return f" ({text})" if text else ""


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _mermaid(text: str) -> str:
    return text.replace("#", "#35;").replace('"', "#quot;")
