"""What a command printed, made fit for people: one line or the last few, bounded, secrets struck out."""

from __future__ import annotations

import re

STRUCK = "***"

_SECRET = re.compile(
    r"""(?ix)
    (?P<key> (?:[\w-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key)[\w-]*)
             ["']? \s* (?:=|:\s) \s* )
    (?P<value> "[^"]*" | '[^']*' | [^\s,;&"']+ )
    | (?P<auth> authorization ["']? \s* [:=] \s* ["']? (?:(?:basic|bearer|digest|token)\s+)? ) [^\s"',;]+
    | (?P<bearer> \b(?:bearer|basic) \s+ ) [A-Za-z0-9+/._~=-]{12,}
    | (?P<flag> --?(?:password|passwd|token|secret)[ =] ) \S+
    """
)
_USERINFO = re.compile(r"(://)[^\s/@]*@")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def struck(text: str) -> str:
    """`text` with what looks like a secret replaced by `***`: `password=...`, `token: ...`, bearer tokens, a URL's user part."""

    def strike(match: re.Match[str]) -> str:
        kept = match["auth"] or match["key"] or match["bearer"] or match["flag"] or ""
        return kept + STRUCK

    return _USERINFO.sub(r"\1", _SECRET.sub(strike, text))


def one_line(text: str, characters_max: int = 200) -> str:
    """The first line of `text` that is not blank, on one line of at most `characters_max`, secrets struck out."""
    for line in text[:65536].splitlines():
        clean = _CONTROL.sub(" ", line).strip()
        if clean:
            return _cut(struck(clean), characters_max)
    return ""


def last_lines(text: str, lines_max: int = 10, characters_max: int = 2000) -> str:
    """The last lines of `text` that are not blank, secrets struck out, control characters gone."""
    lines = [_CONTROL.sub(" ", line).rstrip() for line in text[-65536:].splitlines()]
    kept = struck("\n".join([line for line in lines if line][-lines_max:]))
    return kept if len(kept) <= characters_max else "…" + kept[-(characters_max - 1) :]


def url_for_people(url: str) -> str:
    """`url` without the user part, the query's content and the fragment: those are where secrets sit."""
    bare, mark, _ = _USERINFO.sub(r"\1", url.split("#", 1)[0]).partition("?")
    return _cut(_CONTROL.sub(" ", bare) + ("?…" if mark else ""), 200)


def _cut(text: str, characters_max: int) -> str:
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"
