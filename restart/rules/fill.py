"""Placeholders: `{host}`, `{address}`, `{service}`, `{label.NAME}`, and of a spare `{member}`, each value quoted for its place."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from urllib.parse import quote

from restart.model.inventory import Host

PLACEHOLDER = re.compile(r"\{(host|address|service|member|label\.[A-Za-z0-9_.-]+)\}")


def placeholders(text: str) -> tuple[str, ...]:
    """The names between braces that `text` uses, known ones only."""
    return tuple(PLACEHOLDER.findall(text))


def fill(
    text: str,
    host: Host | None,
    service: str | None,
    quoting: Callable[[str], str] = shlex.quote,
    *,
    member: str | None = None,
) -> str:
    """`text` with its placeholders filled, each value passed through `quoting` (default: for a POSIX shell).

    `member`: the lost one whose place a spare takes; nobody else has it. Raises `ValueError` where a value is not known: nothing is ever run with a hole in it.
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        found: str | None
        if name == "service":
            found = service
        elif name == "member":
            found = member
        elif host is None:
            found = None
        elif name == "host":
            found = host.name
        elif name == "address":
            found = host.address
        else:
            found = host.labels.get(name.removeprefix("label."))
        if found is None:
            raise ValueError(f"{{{name}}} has no value here")
        return quoting(found)

    return PLACEHOLDER.sub(value, text)


def fill_known(text: str, host: Host | None, service: str | None, *, member: str | None = None) -> str:
    """`text` for people: placeholders that have a value here are filled as they are, the others stay."""

    def value(match: re.Match[str]) -> str:
        try:
            return fill(match.group(0), host, service, plain, member=member)
        except ValueError:
            return match.group(0)

    return PLACEHOLDER.sub(value, text)


def for_url(value: str) -> str:
    """Quoted for a URL; colons and brackets stay, for IPv6 addresses."""
    return quote(value, safe="[]:.-_~")


def plain(value: str) -> str:
    """As it is, for places that nothing parses."""
    return value
