"""Golden files: what operators read is kept beside the tests and compared byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No property hangs on how fast this machine is, and who else is on it.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew; read the diff")
    parser.addoption("--swarm-seed", type=int, help="play this one seed of tests/simulator/test_swarm.py, and no other")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)`: `text` is what `golden/NAME` beside the test file holds."""
    folder = request.path.parent / "golden"
    update = request.config.getoption("--update-golden")

    def compare(name: str, text: str) -> None:
        file = folder / name
        if update:
            folder.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert text == _read(file), f"{file.name} differs; when the new text is right: pytest --update-golden"

    return compare


def _read(file: Path) -> str:
    assert file.is_file(), f"{file} is missing; pytest --update-golden writes it"
    return file.read_text(encoding="utf-8")
