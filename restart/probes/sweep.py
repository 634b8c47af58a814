"""The sweep: the one script that looks at a host, the same for survey, preflight, baseline and discovery. It changes nothing.

It is sent over stdin to a plain `sh` (dash, busybox, bash), needs nothing installed, and asks for what there is before it uses
it. Whoever looks chooses the sections; each is one file in `sections/`, registered in `sections/__init__.py`. To look:

    shell = sweep.shell(host, (boot.SECTION, kernel.SECTION))
    swept = sweep.parse(reply)              # Swept, or NoAnswer
    kernel_seen = swept.of(kernel.SECTION)  # what its `read` made of its lines; None where the host did not answer it

**What comes back**, one frame a line, in the order of the sections, whatever a log-in shell prints around it:

    restart-probe 1 begin
    restart-probe 1 section kernel
    |running 6.1.0-28-amd64
    |installed 6.1.0-29-amd64
    restart-probe 1 end kernel
    restart-probe 1 times
    0m0.01s 0m0.00s
    0m0.02s 0m0.01s
    restart-probe 1 done

Each line of content is behind a `|`, so that no process name or file on a host can pass for a frame. A line `~` says that the
section was cut at `lines_max`; lines are cut at 510 bytes. `times` is what the script cost the host, from POSIX `times`.
The number is the version of all that; a reader that meets another one has no answer.

**A section's text** is the body of a shell function that runs in a subshell of its own. It finds:

- `$p`, `$r` and `$R`: use `"$p/mounts"`, `"$r/reboot-required"`, `"$R/etc/fstab"` for what is under /proc, /run and / (test hosts
  have their own: see `script.py`);
- `has TOOL`: whether there is such a command (on a test host with a /proc of its own: first in its PATH, for the others would tell of
  the machine that it is on); `limited SECONDS COMMAND...`: run it, ended after so long, and
  then told as a line `late COMMAND` (`Swept.late`). Anything that talks to another process (systemctl, a package manager) may hang, and goes behind `limited`;
- `PATH` with the system's folders, `LC_ALL=C`, nothing on stdin, stderr thrown away.

It prints lines `WORD rest of the line`, which `Lines.named`, `values` and `value` read. What is not there is not printed, so that
"no tool" and "none found" are told apart by a word of their own where that matters. It never touches a network file system (a
dead server would hang it beyond any time limit), never writes, never waits. All sections together: 5 s and 300 ms of CPU.

**A section's `read`** is pure, bounded and never raises; `tests/probes/test_sweep.py` throws garbage at every registered one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from restart.errors import must
from restart.model.answer import NoAnswer
from restart.model.question import Shell, ShellReply
from restart.probes import script
from restart.probes.output import one_line
from restart.probes.section import LINE_CHARACTERS_MAX, Lines, Section

T = TypeVar("T")

SWEEP_S = 20.0
"""How long a host may take over the script. A normal one needs less than 5 s; one that is busy booting, more."""

REPLY_BYTES_MAX = 1024 * 1024
"""What is read of one host's answer."""

_FRAME = f"restart-probe {script.VERSION} "

_HEAD = f"""\
{script.SYSTEM_PATHS}; LC_ALL=C; export PATH LC_ALL
p=${{RESTART_PROC:-/proc}}; r=${{RESTART_RUN:-/run}}; R=${{RESTART_ROOT:-${{RESTART_RUN:+$RESTART_RUN/no-root}}}}
has() {{ if [ -n "$RESTART_PROC" ]; then [ -x "${{PATH%%:*}}/$1" ]; else command -v "$1" >/dev/null 2>&1; fi; }}
if timeout 9 true 2>/dev/null; then
in_time() {{ timeout "$@"; }}
else
in_time() {{
s=$1; shift; "$@" & c=$!; ( sleep "$s"; kill "$c" ) >/dev/null 2>&1 & w=$!
wait "$c"; k=$?; kill "$w"; return "$k"
}}
fi
limited() {{ in_time "$@" 3>&-; k=$?; case $k in 124|137|143) echo "late $2" >&3;; esac; return $k; }}
framed() {{
echo "{_FRAME}section $1"
{{ "s_$1" 3>&1; }} | sed -n -e "$2{{s/.*/~/p;q;}}" -e 's/^/|/p'
echo "{_FRAME}end $1"
}}
"""

_TIME = re.compile(r"([0-9]{1,6})m([0-9]{1,2}(?:\.[0-9]{1,9})?)s")
_UNFIT = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one host said. `cpu_s` is what the script cost it, in seconds of CPU; None where it did not say."""

    sections: Mapping[str, Lines] = field(default_factory=dict)
    cpu_s: float | None = None

    def of(self, section: Section[T]) -> T | None:
        """What the host said in `section`; None where it did not answer it to its end."""
        lines = self.sections.get(section.name)
        return None if lines is None else section.read(lines)

    @property
    def late(self) -> Mapping[str, tuple[str, ...]]:
        """By section the commands that did not end in their time: what they would have told is missing."""
        told = {name: tuple(dict.fromkeys(lines.values("late"))) for name, lines in self.sections.items()}
        return {name: commands for name, commands in told.items() if commands}


def text(sections: Sequence[Section[object]]) -> str:
    """The script. The shell reads all of it before it does any of it, so that half of it does nothing."""
    must(len({section.name for section in sections}) == len(sections), "no section is asked twice")
    functions = "".join(f"s_{section.name}() {{\n{section.text.strip()}\n}}\n" for section in sections)
    calls = "".join(f"framed {section.name} {section.lines_max + 1}\n" for section in sections)
    begin, times, done = (f'echo "{_FRAME}{word}"\n' for word in ("begin", "times", "done"))
    # One `cut` for all of them: a process more for each section would cost the host a tenth of the whole look.
    cut = f"cut -b 1-{LINE_CHARACTERS_MAX + 1}"
    return (
        f"{{\n{_HEAD}{functions}{{\n{begin}{calls}{times}times\n{done}}} | {cut}\nexit 0\n}} </dev/null 2>/dev/null\n"
    )


def shell(host: str, sections: Sequence[Section[object]], timeout_s: float = SWEEP_S) -> Shell:
    """The question that looks at `host`; its reply is for `parse`."""
    return Shell(host=host, command="sh", stdin=text(sections), timeout_s=timeout_s, output_bytes_max=REPLY_BYTES_MAX)


def parse(reply: ShellReply | NoAnswer) -> Swept | NoAnswer:
    """What the host said. Never raises; a section counts where it came whole and once. Exit status 0 only."""
    if isinstance(reply, NoAnswer):
        return reply
    found: dict[str, Lines] = {}
    twice: set[str] = set()
    times: list[str] | None = None
    held: list[str] = []
    begun, name, complete = False, "", True
    for line in _lines(reply):
        if line.startswith(_FRAME):
            word, _, rest = line.removeprefix(_FRAME).strip().partition(" ")
            if word == "section" and begun:
                name, held, complete = rest, [], True
            elif word == "end" and name and rest == name:
                twice |= {name} & found.keys()
                found[name] = Lines(text=tuple(held), complete=complete)
                name = ""
            elif word == "begin":
                begun = True
            elif word == "times":
                times = []
        elif name and line.startswith("|"):
            held.append(line[1:])
        elif name and line == "~":
            complete = False
        elif times is not None and not name and len(times) < 2:
            times.append(line)
    if not begun:
        said = one_line(reply.stderr, 80) or one_line(reply.stdout, 80) or "nothing"
        return NoAnswer(reason="command", detail=f"the probe did not run: exit {reply.exit_status}, it said: {said}")
    kept = {name: lines for name, lines in found.items() if name not in twice}
    return Swept(sections=kept, cpu_s=_cpu_s(times or []))


def _lines(reply: ShellReply) -> list[str]:
    if reply.exit_status != 0:
        return []
    return [_UNFIT.sub(" ", line.removesuffix("\r")) for line in reply.stdout[:REPLY_BYTES_MAX].split("\n")]


def _cpu_s(times: Sequence[str]) -> float | None:
    """Seconds of CPU from the two lines of POSIX `times`: the shell's own user and system time, then its children's."""
    found = [_TIME.fullmatch(word) for line in times for word in line.split()]
    if len(found) != 4:
        return None
    spent = [60 * int(match[1]) + float(match[2]) for match in found if match is not None]
    return sum(spent) if len(spent) == 4 else None
