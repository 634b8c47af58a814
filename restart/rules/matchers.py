"""Matchers of Prometheus' Alertmanager: `severity=page`, `team=~"db|infra"`, `env!=test`."""

from __future__ import annotations

import re

MATCHER = r'^[a-zA-Z_:][a-zA-Z0-9_:]*\s*(=~|!~|!=|=)\s*("[^"\\]*"|[^"\\\s][^"\\]*|)$'


def parted(matcher: str) -> tuple[str, str, str]:
    """Label, sign and value of a matcher. Raises `ValueError` where it is none."""
    match = re.match(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|!~|!=|=)\s*(.*)$", matcher)
    if match is None:
        raise ValueError(f"{matcher!r} is no matcher")
    return match[1], match[2], match[3].removeprefix('"').removesuffix('"')
