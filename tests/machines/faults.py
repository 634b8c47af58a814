"""What is planted in a machine, in words: `WORD[=SECONDS]@BOOTS`, where BOOTS is a boot's number, `N-` (from it on) or `*`.

hang@2          the second boot stops before SSH is served
panic@2         its kernel panics, and boots once more 5 s later
off@2-          it switches itself off, from the second boot on: never returns
late=20@2       HTTP says that it is well only 20 s after SSH is there
slow-down=15@1  its way down takes 15 s, with SSH answering in the old boot
again=5@2       it reboots once more, 5 s after it said that it is well
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORD = re.compile(r"(?P<word>hang|panic|off|late=\d+|slow-down=\d+|again=\d+)@(?P<first>\*|\d+)(?P<on>-?)")


def words_at(faults: Iterable[str], boot: int) -> tuple[str, ...]:
    """The words for this boot, counted from 1. Raises `ValueError` on a word that cannot be."""
    found = []
    for fault in faults:
        read = _WORD.fullmatch(fault)
        if read is None:
            raise ValueError(f"{fault!r} is no fault: WORD[=SECONDS]@BOOTS")
        first = 1 if read["first"] == "*" else int(read["first"])
        if boot == first or (boot > first and (read["on"] or read["first"] == "*")):
            found.append(read["word"])
    return tuple(found)
