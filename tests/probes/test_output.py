from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restart.probes.output import last_lines, one_line, struck, url_for_people


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2",
        "DB_PASSWORD: hunter2",
        '{"api_key": "hunter2"}',
        "Authorization: Bearer hunter2hunter2",
        "authorization=hunter2",
        "curl -H 'Authorization: Basic hunter2hunter2'",
        "psql --password hunter2",
        "postgres://ann:hunter2@db/x",
        "token='hunter2 hunter2'",
    ],
)
def test_secrets_are_struck_out(text: str) -> None:
    assert "hunter2" not in struck(text)


def test_ordinary_words_stay() -> None:
    assert struck("3 of 4 members ready, leader db-1: ok") == "3 of 4 members ready, leader db-1: ok"


def test_a_url_loses_user_query_and_fragment() -> None:
    assert url_for_people("https://ann:pw@h:1/p?token=x#y") == "https://h:1/p?…"


@given(st.text(), st.integers(2, 300))
def test_one_line_is_one_bounded_line(text: str, characters_max: int) -> None:
    line = one_line(text, characters_max)
    assert len(line) <= characters_max
    assert len(line.splitlines()) <= 1


@given(st.text())
def test_last_lines_are_bounded(text: str) -> None:
    assert len(last_lines(text).splitlines()) <= 10
