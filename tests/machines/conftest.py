"""Everything in this folder is marked `machines`, and fails with a plain word where it cannot run."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NEEDS = (
    "qemu-system-x86_64",
    "dropbear",
    "dropbearkey",
    "etcd",
    "etcdctl",
    "cpio",
    "mke2fs",
    "ip",
    "nsenter",
    "setpriv",
    "ssh-keygen",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder; the hook sees the items of all folders."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.machines)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(autouse=True, scope="session")
def _machine_that_can() -> None:
    """A missing requirement is a failure, not a skip: these tests are the last word on whether the tool works."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [name for name in NEEDS if shutil.which(name, path=path) is None]
    if sys.platform != "linux" or os.geteuid() != 0 or missing:
        pytest.fail(f"the machines need Linux, root and Debian's packages; missing: {missing or 'Linux or root'}")
