"""Faults in words: `db-2 never returns`, `app-* goes down at 5m for 10m`, `controller dies at event 40`.

A sentence is one of `SENTENCES` with its capital words filled in, and behind it what `MODIFIERS` it takes, in any order. HOSTS is a
selection (`restart.rules.names`): a name, a glob, a range, `service:NAME`, `label:KEY=VALUE`, several joined by commas.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches

from restart.errors import UsageMistake
from restart.model.inventory import Inventory
from restart.rules.durations import seconds
from restart.rules.names import select, terms
from restart.simulator.faults import Fault
from restart.simulator.physics.unkept import LOSABLE, losable

PHASES = ("connect", "banner", "auth", "channel", "command")
WORDS = ("pause", "go", "stop", "let-go", "approve", "done", "retry", "skip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One thing that can go wrong: its words (`|` between forms of one), its fault's kind, its modifiers, and what it means."""

    words: str
    kind: str
    takes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    means: str

    @property
    def tokens(self) -> tuple[str, ...]:
        """The words one by one."""
        return tuple(self.words.split())

    @property
    def places(self) -> tuple[str, ...]:
        """The capital words, to be filled in."""
        return tuple(token for token in self.tokens if token.isupper())

    @property
    def spoken(self) -> str:
        """As it is best written: the first form of each word."""
        return " ".join(token.split("|")[0] for token in self.tokens)


_AT_FOR = ("at", "for")

SENTENCES = (
    Sentence(
        words="HOSTS never returns|return",
        kind="never_returns",
        takes=("times",),
        means="restarts of it end in silence, always or so many times",
    ),
    Sentence(
        words="HOSTS returns|return late",
        kind="returns_late",
        takes=("by",),
        needs=("by",),
        means="each boot takes so much longer",
    ),
    Sentence(words="HOSTS goes|go down", kind="goes_down", takes=_AT_FOR, means="it fails by itself"),
    Sentence(words="HOSTS fails|fail|dies|die", kind="goes_down", takes=_AT_FOR, means="the same"),
    Sentence(
        words="HOSTS flaps|flap",
        kind="flaps",
        takes=(*_AT_FOR, "every"),
        means="its services work and fail by turns",
    ),
    Sentence(words="HOSTS lies|lie", kind="lies", takes=_AT_FOR, means="its ports are open and its services dead"),
    Sentence(
        words="HOSTS comes|come back corrupt",
        kind="comes_back_corrupt",
        takes=("at", "for"),
        means="from its next start on its process runs and it does not work, until so long after that start",
    ),
    Sentence(
        words="HOSTS loses|lose THING at boot",
        kind="loses_at_boot",
        means="what was set up by hand and does not survive a boot: :443, unit:web.service, mount:/srv, route:default",
    ),
    Sentence(
        words="HOSTS keeps|keep its|their|the boot id|ids", kind="same_boot_id", means="it boots with the same boot id"
    ),
    Sentence(
        words="HOSTS ignores|ignore the|its|their reboot|reboots",
        kind="ignores_reboot",
        takes=_AT_FOR,
        means="the command is taken and nothing happens",
    ),
    Sentence(
        words="HOSTS hangs|hang",
        kind="ssh_hangs",
        takes=(*_AT_FOR, "in"),
        means=f"SSH hangs (in {', '.join(PHASES)})",
    ),
    Sentence(words="HOSTS is|are unknown", kind="unknown", takes=_AT_FOR, means="its checks cannot be learnt"),
    Sentence(
        words="HOSTS loses|lose answers",
        kind="answers_lost",
        takes=(*_AT_FOR, "with"),
        means="its answers are lost, all or so many of a hundred",
    ),
    Sentence(
        words="HOSTS fails|fail its|their|the drain|drains", kind="step_fails", takes=_AT_FOR, means="steps for it fail"
    ),
    Sentence(
        words="power of HOSTS is|are unknown",
        kind="power_unknown",
        takes=_AT_FOR,
        means="its power control does not answer",
    ),
    Sentence(words="HOSTS is|are claimed", kind="foreign_claim", takes=_AT_FOR, means="another run holds it"),
    Sentence(words="someone reboots HOSTS", kind="someone_reboots", takes=("at",), means="somebody else restarts it"),
    Sentence(
        words="gate|gates of SERVICES is|are unknown", kind="unknown", takes=_AT_FOR, means="nobody can say how it is"
    ),
    Sentence(words="someone unseals SERVICES", kind="unseals", takes=("at",), means="a person unseals their members"),
    Sentence(words="watch|watches is|are unknown", kind="unknown", takes=_AT_FOR, means="monitoring is gone"),
    Sentence(words="an alert on HOSTS fires|fire", kind="alert", takes=_AT_FOR, means="monitoring pages about it"),
    Sentence(words="an alert fires", kind="alert", takes=_AT_FOR, means="monitoring pages about something else"),
    Sentence(
        words="hook fails",
        kind="hook_fails",
        takes=("at", "for", "on"),
        needs=("on",),
        means="it can be neither set nor undone; on which",
    ),
    Sentence(words="controller dies", kind="controller_dies", takes=("at",), means="and is resumed"),
    Sentence(words="disk is full", kind="disk_full", takes=_AT_FOR, means="the journal cannot be written"),
    Sentence(words="clock steps", kind="clock_steps", takes=("at", "by"), needs=("by",), means="the controller's"),
    Sentence(words="lease is lost", kind="lease_lost", takes=("at",), means="another controller takes over"),
    Sentence(words="operator says WORD", kind="says", takes=("at", "on"), means=f"one of {', '.join(WORDS)}; on whom"),
)
"""All that can be said."""

MODIFIERS = {
    "at": "at 5m, or at event 40: when (default: from the start)",
    "for": "for 10m: how long (default: for good)",
    "by": "by 5m: how much",
    "every": "every 5s: how often it changes (default: 5s)",
    "times": "3 times, or once: how often (default: always)",
    "with": "with 30%: how likely (default: always)",
    "in": "in auth: where (default: banner)",
    "on": "on db-1: about whom, or which hook",
}
"""What may stand behind a sentence, and what it says."""


def read_what_if(text: str, inventory: Inventory) -> Fault:
    """The fault that `text` says. Raises `UsageMistake`, with what was probably meant, where it says none."""
    tokens = re.sub(r"\s*,\s*", ",", text.strip()).split()
    if tokens and tokens[0].lower() == "the":
        tokens = tokens[1:]
    # Fewest places to fill first: `controller dies` is not said of a host named controller.
    for sentence in sorted(SENTENCES, key=lambda found: (len(found.places), -len(found.tokens))):
        filled = _filled(sentence, tokens)
        if filled is not None:
            fault = _with_subject(sentence, filled, text, inventory)
            return _with_modifiers(sentence, fault, tokens[len(sentence.tokens) :], text)
    raise _not_a_sentence(text, tokens, inventory)


def said(fault: Fault) -> str:
    """The kind of a fault in words: `never_returns` -> `never returns`."""
    return fault.kind.replace("_", " ")


def grammar() -> Iterator[tuple[str, str]]:
    """Each sentence with the modifiers it takes, and what it means."""
    for sentence in SENTENCES:
        behind = "".join(f" [{MODIFIERS[name].split(':')[0].split(',')[0]}]" for name in sentence.takes)
        yield sentence.spoken + behind, sentence.means


def _filled(sentence: Sentence, tokens: list[str]) -> dict[str, str] | None:
    """What stands in the places of the sentence's capital words; None: these are not its words."""
    if len(tokens) < len(sentence.tokens):
        return None
    filled = {}
    for wanted, token in zip(sentence.tokens, tokens, strict=False):
        if wanted.isupper():
            filled[wanted] = token
        elif token.lower() not in wanted.split("|"):
            return None
    return filled


def _with_subject(sentence: Sentence, filled: dict[str, str], text: str, inventory: Inventory) -> Fault:
    fault = Fault(kind=sentence.kind)
    if "HOSTS" in filled:
        fault = replace(fault, hosts=_hosts(filled["HOSTS"], text, inventory))
        return replace(fault, target=_thing(filled["THING"], text)) if "THING" in filled else fault
    if "SERVICES" in filled:
        names = terms(filled["SERVICES"])
        for name in names:
            if name not in inventory.services:
                raise _mistake(text, f"{inventory.fleet} has no service {name!r}", _near(name, inventory.services))
        return replace(fault, services=tuple(names))
    if "WORD" in filled:
        word = filled["WORD"].lower()
        if word not in WORDS:
            raise _mistake(
                text, f"{word!r} is no word of an operator", _near(word, WORDS) or f"one of {', '.join(WORDS)}"
            )
        return replace(fault, word=word)
    return fault


def _thing(said: str, text: str) -> str:
    key = losable(said)
    if key is None:
        raise _mistake(text, f"{said!r} is nothing that a boot loses", f"one of {LOSABLE}")
    return key


def _hosts(term: str, text: str, inventory: Inventory) -> tuple[str, ...]:
    members = {name: service.hosts for name, service in inventory.services.items()}
    try:
        return select(term, inventory.hosts, members)
    except ValueError as error:
        wrong = next((part for part in terms(term) if part.lstrip("!") not in inventory.hosts), term)
        remedy = _near(wrong.lstrip("!"), inventory.hosts)
        without_places = [sentence.spoken for sentence in SENTENCES if not sentence.places]
        if not remedy and (near := get_close_matches(text.lower(), without_places, n=1)):
            remedy = f"did you mean: {near[0]}?"
        raise _mistake(text, str(error), remedy) from error


def _with_modifiers(sentence: Sentence, fault: Fault, rest: list[str], text: str) -> Fault:
    given: set[str] = set()
    while rest:
        name, value, rest = _modifier(rest, text)
        if name not in sentence.takes:
            takes = "; ".join(MODIFIERS[taken] for taken in sentence.takes) or "nothing"
            raise _mistake(text, f"{sentence.spoken!r} takes no {name!r}", f"it takes: {takes}")
        if name in given:
            raise _mistake(text, f"{name!r} is said twice", "say it once")
        given.add(name)
        try:
            fault = _set(fault, name, value)
        except ValueError as error:
            raise _mistake(text, str(error), MODIFIERS[name]) from error
    for name in sentence.needs:
        if name not in given:
            raise _mistake(text, f"{sentence.spoken!r} needs {name!r}", f"add {MODIFIERS[name]}")
    return fault


def _modifier(rest: list[str], text: str) -> tuple[str, str, list[str]]:
    """The modifier that stands first: its name, its value, and what follows."""
    first = rest[0].lower()
    if first in ("once", "twice"):
        return "times", "1" if first == "once" else "2", rest[1:]
    if len(rest) >= 2 and rest[1].lower() in ("times", "time"):
        return "times", first, rest[2:]
    name = "at" if first == "from" else first
    if name in MODIFIERS and name != "times":
        length = 3 if name == "at" and len(rest) > 1 and rest[1].lower() == "event" else 2
        if len(rest) < length:
            raise _mistake(text, f"something is missing behind {name!r}", MODIFIERS[name])
        return name, " ".join(rest[1:length]), rest[length:]
    near = _near(first, MODIFIERS) or f"behind the fault may stand: {', '.join(MODIFIERS)}"
    raise _mistake(text, f"{' '.join(rest)!r} is not understood", near)


def _set(fault: Fault, name: str, value: str) -> Fault:
    """`fault` with one modifier. Raises `ValueError` where the value cannot be."""
    match name:
        case "at" if value.lower().startswith("event "):
            if fault.kind not in ("controller_dies", "disk_full"):
                raise ValueError("only the controller and its disk fail at an event; the others at a time")
            return replace(fault, event=_whole(value.split()[1]))
        case "at":
            return replace(fault, at_s=seconds(value))
        case "for":
            return replace(fault, for_s=seconds(value))
        case "by" if value.startswith("-") and fault.kind == "clock_steps":
            return replace(fault, by_s=-seconds(value[1:]))
        case "by" | "every":
            return replace(fault, by_s=seconds(value))
        case "times":
            return replace(fault, times=_whole(value))
        case "with":
            if not re.fullmatch(r"[0-9]+(\.[0-9]+)?%", value) or float(value[:-1]) > 100:
                raise ValueError(f"{value!r} is no percentage from 0% to 100%")
            return replace(fault, chance=float(value[:-1]) / 100)
        case "in":
            if value not in PHASES:
                raise ValueError(f"{value!r} is no phase of SSH: {', '.join(PHASES)}")
            return replace(fault, phase=value)
        case _:
            return replace(fault, target=value)


def _whole(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
        raise ValueError(f"{text!r} is no whole number from 1")
    return int(text)


def _not_a_sentence(text: str, tokens: list[str], inventory: Inventory) -> UsageMistake:
    """What is probably meant: the sentence whose words are nearest, with the subject that was given."""
    if not tokens:
        return _mistake(text, "it says nothing", "such as: 'db-2 never returns'")
    verbs = {sentence.spoken.removeprefix("HOSTS "): sentence for sentence in SENTENCES}
    host_first = [verb for verb, sentence in verbs.items() if sentence.tokens[0] == "HOSTS"]
    near = get_close_matches(" ".join(tokens[1:4]).lower(), host_first, n=1, cutoff=0.5) or get_close_matches(
        " ".join(tokens[1:2]).lower(), host_first, n=1, cutoff=0.5
    )
    if near:
        return _mistake(text, "that is no fault", f"did you mean: {tokens[0]} {near[0]}?")
    near = get_close_matches(" ".join(tokens).lower(), list(verbs), n=1, cutoff=0.5)
    if near:
        return _mistake(text, "that is no fault", f"did you mean: {near[0]}?")
    names = tuple(inventory.hosts)
    example = names[0] if names else "HOST"
    known = "; ".join(sentence.spoken for sentence in SENTENCES)
    return _mistake(text, "that is no fault", f"such as '{example} never returns'; what can be said: {known}")


def _near(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]}?" if near else ""


def _mistake(text: str, what: str, remedy: str) -> UsageMistake:
    return UsageMistake(f"--what-if {text!r}: {what}", remedy=remedy)
