"""The text of `ssh_config` files with their `Include`s in place, which the library that reads them does not know."""

from __future__ import annotations

import glob
import re
from pathlib import Path

from restart.errors import UsageMistake

_INCLUDE = re.compile(r"^\s*include(?:\s+|\s*=\s*)(?P<patterns>.+?)\s*$", re.IGNORECASE)
_HEADER = re.compile(r"^\s*(?:host|match)(?:\s|=)", re.IGNORECASE)
DEPTH_MAX = 16


def config_text(path: str | None) -> str:
    """The file `path`, or the user's and then the system's, with includes in place. Raises `UsageMistake` where it cannot be read."""
    files = [Path(path)] if path else [Path("~/.ssh/config"), Path("/etc/ssh/ssh_config")]
    texts = []
    for file in files:
        try:
            texts.append(_expanded(file.expanduser(), 0))
        except FileNotFoundError as error:
            if path is not None:
                what = f"cannot read the ssh_config {file}: {error.strerror}"
                raise UsageMistake(what, remedy="name a file that can be read in ssh.config") from None
        except (OSError, ValueError) as error:
            raise UsageMistake(f"cannot read the ssh_config {file}: {error}", remedy="mend the file") from None
    # The files' sections do not run into each other.
    return "Host *\n".join(texts)


def _expanded(path: Path, depth: int) -> str:
    """`path` with its includes in place. A name without a slash in front is looked for beside the file.

    After an include the section goes on in which it stood.
    """
    if depth >= DEPTH_MAX:
        raise ValueError(f"includes go deeper than {DEPTH_MAX} levels")
    lines: list[str] = []
    header = "Host *"
    for line in path.read_text(errors="replace").splitlines():
        match = _INCLUDE.match(line)
        if match is None:
            header = line if _HEADER.match(line) else header
            lines.append(line)
            continue
        for pattern in match["patterns"].replace('"', " ").split():
            place = path.parent / Path(pattern).expanduser()
            lines += [_expanded(Path(found), depth + 1) for found in sorted(glob.glob(str(place)))]
        lines.append(header)
    return "\n".join(lines) + "\n"
