"""Everything in this folder is marked `machines`, and fails with a plain word where it cannot run."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
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


TOLD = "told"
_told: list[tuple[str, str]] = []


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Tells a table to whoever reads the session's log. What is printed is lost where tests run in processes of their own; this is not."""
    return lambda text: request.node.user_properties.append((TOLD, text))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """The last report of a test has all that was told, also what its fixtures told as they ended."""
    if report.when == "teardown":
        _told.extend((report.nodeid, str(text)) for name, text in report.user_properties if name == TOLD)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the machines themselves said: boot ids before and after, seconds, writes."""
    for test, text in _told:
        terminalreporter.section(test, sep="-")
        terminalreporter.write_line(text.strip("\n"))
