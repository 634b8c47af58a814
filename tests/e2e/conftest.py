"""Everything in this folder is marked `e2e`, and fails with a plain word where it cannot run."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder; the hook sees the items of all folders."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(autouse=True, scope="session")
def _machine_that_can() -> None:
    """A missing requirement is a failure, not a skip: these tests are the proof that the tool works."""
    missing = [
        name for name in ("/usr/sbin/sshd", "ssh", "ssh-keygen", "ipmitool", "ipmi_sim") if shutil.which(name) is None
    ]
    if sys.platform != "linux" or os.geteuid() != 0 or missing:
        pytest.fail(
            f"the end-to-end tests need Linux, root, openssh-server, ipmitool and openipmi; missing: {missing or 'Linux or root'}"
        )
