"""What a preflight found, for people and for machines: each finding once, the gravest first, with the hosts that have it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from restart.model.preflight import GRADES, Grade, Preflight
from restart.reports.prose import count, listed, printable, wrapped
from restart.rules.durations import spoken

HEADS: dict[Grade, str] = {Grade.BLOCKS: "BLOCKS", Grade.WARNS: "Warns", Grade.NOTES: "Notes"}


def preflight_text(preflight: Preflight, *, took_s: float, unseen: Sequence[str] = (), width: int = 80) -> str:
    """The preflight. `unseen` are hosts that were to be looked at when it was ended early. Ends with a newline."""
    hosts = preflight.hosts
    clean = [host for host, looked in hosts.items() if not looked.found]
    of = f"{len(hosts)} of {count(len(hosts) + len(unseen), 'host')}" if unseen else count(len(hosts), "host")
    early = ", ended early" if unseen else ""
    head = f"{preflight.fleet}: looked at {of} at {preflight.at}, in {spoken(took_s)}{early}"
    lines = [*wrapped(head, width=width, rest="  "), ""]
    if unseen:
        text = (
            f"{listed(unseen)}: not looked at. What was known of them stays; look again: restart preflight --limit HOST"
        )
        lines += [*wrapped(text, width=width, first="UNKNOWN  ", rest="         "), ""]
    for grade in GRADES:
        lines += _of_grade(preflight, grade, width)
    if clean:
        lines += [*wrapped(listed(clean), width=width, first=f"Nothing found on {len(clean)}: ", rest="  "), ""]
    blocked = [host for host, looked in hosts.items() if any(one.grade == Grade.BLOCKS for one in looked.found)]
    if blocked:
        text = f"{count(len(blocked), 'host')} blocked: {listed(blocked)}. plan and run refuse them until this is mended and looked at again, or overridden: --override preflight.RULE"
        lines += wrapped(text, width=width, rest="  ")
    else:
        lines.append("Nothing blocks those that were looked at." if unseen else "Nothing blocks.")
    return "\n".join(lines) + "\n"


def _of_grade(preflight: Preflight, grade: Grade, width: int) -> Iterator[str]:
    # What is said once of a rule, and below it each evidence with the hosts that have it.
    groups: dict[tuple[str, str, str], dict[str, list[str]]] = {}
    for host, looked in preflight.hosts.items():
        for one in looked.found:
            if one.grade == grade:
                group = groups.setdefault((one.rule, one.why, one.mend), {})
                group.setdefault(one.evidence, []).append(host)
    for (rule, why, mend), evidences in groups.items():
        yield f"{HEADS[grade]}  {rule}"
        for evidence, hosts in evidences.items():
            yield from wrapped(f"{listed(hosts)}: {printable(evidence)}", width=width, first="  ", rest="      ")
        yield from wrapped(f"why: {printable(why)}", width=width, first="    ", rest="         ")
        yield from wrapped(f"mend: {printable(mend)}", width=width, first="    ", rest="          ")
        yield ""


def summary_json(preflight: Preflight, *, took_s: float, unseen: Sequence[str] = ()) -> dict[str, Any]:
    """What a machine wants to read beside the findings; `unseen` as for `preflight_text`."""
    counts = {
        grade: sum(any(one.grade == grade for one in looked.found) for looked in preflight.hosts.values())
        for grade in GRADES
    }
    return {
        "took_s": round(took_s, 3),
        "hosts": len(preflight.hosts),
        "hosts_by_grade": counts,
        "not_looked_at": list(unseen),
    }
