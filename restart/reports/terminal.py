"""Plain text made easier on the eyes of a terminal: headings bold, alarms red. Never says what the words do not."""

from __future__ import annotations

import re

_ALARM = re.compile(
    r"\b(OUTAGE|HALTED|QUARANTINED|IN DOUBT|INTERRUPTED|FAIL|UNKNOWN|DRIFT|UNSAFE|NOT HELD|NOT MET|NOT AS EXPECTED)\b"
)
BOLD, RED, OFF = "\x1b[1m", "\x1b[31m", "\x1b[0m"


def painted(text: str) -> str:
    """`text` with the escapes of a terminal; a heading is a line that begins at the margin."""
    return "".join(_line(line) for line in text.splitlines(keepends=True))


def _line(line: str) -> str:
    body = line.rstrip("\n")
    body = _ALARM.sub(lambda match: f"{RED}{match[0]}{OFF}", body)
    if body and not body.startswith((" ", "-", "|")):
        # A red word ends in OFF, which ends the bold as well: it is opened again behind it.
        body = BOLD + body.replace(OFF, OFF + BOLD) + OFF
    return body + line[len(line.rstrip("\n")) :]
