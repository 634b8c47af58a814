"""A client that writes to etcd all the time, from outside: `python -m tests.machines.writer FILE URL...` until its standard input ends.

One key after the other; what was acknowledged goes into FILE, a line each: Unix time and the key's number. A write that is not
acknowledged within `PATIENCE_S` is tried at the next member, as any client would.
"""

from __future__ import annotations

import base64
import http.client
import json
import select
import sys
import time
import urllib.request
from pathlib import Path

PATIENCE_S = 3.0
PAUSE_S = 0.1


def put(url: str, key: str, value: str) -> bool:
    """Whether the member at `url` acknowledged the write."""
    body = json.dumps({"key": _coded(key), "value": _coded(value)}).encode()
    return "header" in _post(f"{url}/v3/kv/put", body)


def keys(url: str, prefix: str) -> set[str]:
    """All keys that begin with `prefix`, as a quorum has them. Raises `OSError` where no quorum answers."""
    end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    body = json.dumps({"key": _coded(prefix), "range_end": _coded(end), "keys_only": True}).encode()
    found = _post(f"{url}/v3/kv/range", body)
    if "header" not in found:
        raise OSError(f"no quorum: {found}")
    return {base64.b64decode(row["key"]).decode() for row in found.get("kvs", [])}


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _post(url: str, body: bytes) -> dict[str, object]:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
            found: dict[str, object] = json.load(reply)
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    return found


def main() -> None:
    """Write until standard input ends."""
    file, *urls = sys.argv[1:]
    number, member = 0, 0
    with Path(file).open("a", encoding="utf-8") as acknowledged:
        while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
            if put(urls[member % len(urls)], f"write-{number:06}", "x"):
                acknowledged.write(f"{time.time()} {number}\n")
                acknowledged.flush()
                number += 1
            else:
                member += 1


if __name__ == "__main__":
    if sys.argv[1] == "--keys":
        print(json.dumps(sorted(keys(sys.argv[2], "write-"))))
    else:
        main()
