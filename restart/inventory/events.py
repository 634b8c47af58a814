"""Bytes to YAML events: encoding, size and syntax errors, in the operator's words.

libyaml's parser where PyYAML was built with it, else PyYAML's own. Neither recurses while it only makes events.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from restart.inventory.tree import Place, Unreadable, place

BYTES_MAX = 64 * 1024 * 1024
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")


def text_of(data: bytes) -> str:
    """The text in `data`. Raises `Unreadable` for what is too large, empty, not UTF-8, or no text at all."""
    text = _decoded(data)
    if not text.strip():
        raise Unreadable(0, "the file is empty", "`restart init` writes a starter to copy from")
    if bad := _FORBIDDEN.search(text):
        raise Unreadable(
            _place_at(text, bad.start()),
            f"a character that YAML does not allow (U+{ord(bad[0]):04X})",
            "is this a text file? save it as plain UTF-8",
        )
    return text


def _decoded(data: bytes) -> str:
    if len(data) > BYTES_MAX:
        raise Unreadable(0, f"the file is larger than {BYTES_MAX >> 20} MiB", "split it into a folder of files")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or (b"\x00" in data[:4] and len(data) > 1):
        raise Unreadable(0, "not UTF-8; it looks like UTF-16 or UTF-32, or is not text at all", "save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", errors="replace")
        raise Unreadable(
            _place_at(before, len(before)),
            f"not UTF-8 (byte 0x{data[error.start]:02x})",
            "an old encoding such as latin-1? save it as UTF-8",
        ) from None


def _place_at(text: str, index: int) -> Place:
    return place(text.count("\n", 0, index), index - (text.rfind("\n", 0, index) + 1))


def events(text: str, *, pure: bool) -> Iterator[Any]:
    """PyYAML's events of `text`; `pure` leaves libyaml aside. Raises `Unreadable` where the syntax is wrong."""
    import yaml  # here, so that commands that read no inventory do not pay for it

    parser: Any
    if not pure and getattr(yaml, "__with_libyaml__", False):
        from yaml._yaml import CParser

        parser = CParser(text.encode())
    else:
        from yaml.parser import Parser
        from yaml.reader import Reader
        from yaml.scanner import Scanner

        class PureParser(Reader, Scanner, Parser):
            def __init__(self) -> None:
                Reader.__init__(self, text)
                Scanner.__init__(self)
                Parser.__init__(self)

        parser = PureParser()
    try:
        while (event := parser.get_event()) is not None:
            yield event
    except yaml.MarkedYAMLError as error:
        raise _syntax(text, error) from None
    except yaml.YAMLError as error:
        raise Unreadable(0, f"not readable as YAML: {str(error).splitlines()[0][:100]}") from None


def _syntax(text: str, error: Any) -> Unreadable:
    """PyYAML's complaint, with the way out for the usual ones."""
    mark = error.problem_mark or error.context_mark
    where = place(mark.line, mark.column) if mark else 0
    problem = str(error.problem or error.context or "syntax error")
    lines = text.split("\n", mark.line + 1) if mark else []
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    here = line[mark.column : mark.column + 1] if mark else ""
    if here == "\t" or (line.startswith("\t") and "token" in problem):
        return Unreadable(where, "a tab where YAML wants spaces", "indent with spaces")
    if "cannot start any token" in problem:
        return Unreadable(where, f"a text cannot start with {here}", "put it in quotes")
    if "mapping values are not allowed" in problem:
        return Unreadable(
            where, "a second `: ` where no key can stand", "quote text that holds `: `, check the indentation"
        )
    if "undefined alias" in problem:
        return Unreadable(
            where, "this alias (*name) has no anchor (&name) before it", "quote a text that starts with *"
        )
    if "',' or '" in problem:
        return Unreadable(
            where, f"not readable as YAML: {problem}", "inside {} and [] quote text that holds [ ] { } or a comma"
        )
    if "duplicate anchor" in problem:
        return Unreadable(where, "this anchor (&name) exists already")
    return Unreadable(where, f"not readable as YAML: {problem}", "check the indentation and the quotes")
