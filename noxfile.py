"""The one door: `nox` runs everything CI runs; `nox -s NAME` one of it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "types", "layers", "tests", "simulate", "e2e", "machines"]


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: rules and format."""
    session.install("ruff>=0.9")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict."""
    session.install("-e", ".[dev]")
    session.run("mypy")


@nox.session
def layers(session: nox.Session) -> None:
    """import-linter: the floors of the house, the pure folders, one home for each library."""
    session.install("-e", ".", "import-linter>=2.1")
    session.run("lint-imports")


@nox.session
def tests(session: nox.Session) -> None:
    """The quick suite: no root, no installed server, under a minute."""
    session.install("-e", ".[test]")
    session.run(
        "pytest",
        "-n",
        "2",
        "-m",
        "not e2e and not machines and not bench",
        "--ignore=tests/simulator",
        *session.posargs,
    )


@nox.session
def simulate(session: nox.Session) -> None:
    """The simulator: the cards, the physics, the faults, the referee and its mutants."""
    session.install("-e", ".[test]")
    session.run(
        "pytest", "-n", "2", "-m", "not e2e and not machines and not bench", "tests/simulator", *session.posargs
    )


@nox.session
def e2e(session: nox.Session) -> None:
    """Real OpenSSH servers, each host in its own mount namespace. Needs Linux, root and openssh-server."""
    needs = {
        "Linux": sys.platform == "linux",
        "root": hasattr(os, "geteuid") and os.geteuid() == 0,
        "openssh-server": Path("/usr/sbin/sshd").exists(),
    }
    missing = [need for need, there in needs.items() if not there]
    if missing and "CI" not in os.environ:
        session.skip(f"NOT RUN: the end-to-end fleet needs {', '.join(missing)}")
    session.install("-e", ".[test]")
    # The tests wait for boots most of the time, each for a fleet of its own.
    session.run("pytest", "-n", "4", "-m", "e2e", *session.posargs)


def _machines_can(session: nox.Session, *more: str) -> None:
    """Skip where the machines cannot be; in CI nothing is passed over, and the tests themselves say what is missing."""
    programs = ("qemu-system-x86_64", "dropbear", "etcd", "cpio", *more)
    needs = {
        "Linux": sys.platform == "linux",
        "root": hasattr(os, "geteuid") and os.geteuid() == 0,
        **{program: shutil.which(program) is not None for program in programs},
    }
    missing = [need for need, there in needs.items() if not there]
    if missing and "CI" not in os.environ:
        session.skip(f"NOT RUN: the machines need {', '.join(missing)}")


@nox.session
def machines(session: nox.Session) -> None:
    """Virtual machines that really reboot. Needs Linux, root, QEMU, dropbear, etcd."""
    _machines_can(session)
    session.install("-e", ".[test]")
    # Each test boots machines of its own in a network of their own, and waits for them most of the time.
    side_by_side = ("-n", "3", "--dist", "worksteal", "--durations", "20")
    session.run("pytest", *side_by_side, "-m", "machines and not debian", "tests/machines", *session.posargs)


@nox.session
def debian(session: nox.Session) -> None:
    """A whole Debian with systemd, on which preflight's defects are planted; not part of the default, it takes about ten minutes. Needs mmdebstrap, too."""
    _machines_can(session, "mmdebstrap")
    session.install("-e", ".[test]")
    session.run("pytest", "-m", "debian", "-s", "tests/machines", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measurements, printed as ratios; none fails on a time, but plans must be near the best that an exact solver finds."""
    session.install("-e", ".[bench]")
    session.run("pytest", "-m", "bench", "-s", *session.posargs)
