"""On which kind of file system a file lies. Network file systems keep neither SQLite's locks nor `flock` between machines."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

# As they are named in /proc/mounts (Linux) and by `mount` (macOS, BSD). Shares between a virtual machine and its host
# are among them: each side has locks of its own.
_NETWORK = re.compile(
    r"""
      nfs4? | cifs | smb[23]? | smbfs | afpfs | afs | ncpfs | webdav | davfs2?
    | 9p | virtiofs | vboxsf | prl_fs | vmhgfs | drvfs
    | glusterfs | ceph | lustre | gpfs | beegfs | panfs | orangefs | pvfs2 | ocfs2 | gfs2? | coda | acfs
    | fuse\.(sshfs | glusterfs | ceph(-fuse)? | s3fs | gcsfuse | rclone | davfs2? | mfs | moosefs | juicefs | seaweedfs
             | smbnetfs | curlftpfs | cifs | vmhgfs-fuse)
    | (macfuse|osxfuse)_sshfs
    """,
    re.VERBOSE,
)

# A line of `mount` on macOS and BSD: `server:/home on /home (nfs, nodev, nosuid)`.
_MOUNT_LINE = re.compile(r"^.* on (?P<where>/.*) \((?P<kind>[\w.]+)")


def network_file_system(place: Path) -> str | None:
    """The kind of network file system that holds `place` (absolute, links resolved), or None where it is a local one.

    None as well where the machine does not tell: then the locks themselves are all we have.
    """
    return network_kind(place, _mounts())


def network_kind(place: Path, mounts: Iterable[tuple[str, str]]) -> str | None:
    """The same, among `mounts`: (mount point, kind). The longest that leads to `place` holds it; of equals the last."""
    best, kind = -1, ""
    for where, of_kind in mounts:
        depth = len(Path(where).parts)
        if depth >= best and place.is_relative_to(where):
            best, kind = depth, of_kind
    return kind if _NETWORK.fullmatch(kind) else None


def linux_mounts(text: str) -> list[tuple[str, str]]:
    """Mount points and kinds from the text of /proc/mounts, where a blank in a path is written as `\\040`."""
    rows = [line.split(" ") for line in text.splitlines()]
    return [(re.sub(r"\\([0-7]{3})", _octal, row[1]), row[2]) for row in rows if len(row) > 2]


def bsd_mounts(text: str) -> list[tuple[str, str]]:
    """Mount points and kinds from what `mount` prints on macOS and BSD."""
    found = [_MOUNT_LINE.match(line) for line in text.splitlines()]
    return [(match["where"], match["kind"]) for match in found if match]


def _octal(match: re.Match[str]) -> str:
    return chr(int(match[1], 8))


def _mounts() -> list[tuple[str, str]]:
    try:
        return linux_mounts(Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:
        pass
    try:
        said = subprocess.run(["/sbin/mount"], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return bsd_mounts(said.stdout)
