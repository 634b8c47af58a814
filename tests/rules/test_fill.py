"""Placeholders, each value quoted for its place."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restart.model.inventory import Host
from restart.rules.fill import fill, fill_known, for_url, placeholders, plain

HOST = Host(name="db-1", address="10.0.0.1", labels={"rack": "r 1", "x.y-z": "1"})


def test_every_placeholder_is_filled() -> None:
    text = "{host} {address} {service} {label.rack} {label.x.y-z}"
    assert fill(text, HOST, "postgres") == "db-1 10.0.0.1 postgres 'r 1' 1"


def test_other_braces_are_left_alone() -> None:
    text = "awk '{print $1}' | jq '{a}' ${x} {{.State}} {HOST} {label.}"
    assert fill(text, HOST, None) == text
    assert placeholders(text) == ()
    assert placeholders("{host}{label.rack}{host}") == ("host", "label.rack", "host")


@pytest.mark.parametrize(
    ("text", "host", "service"),
    [("{host}", None, "web"), ("{address}", None, None), ("{label.zone}", HOST, None), ("{service}", HOST, None)],
)
def test_nothing_is_run_with_a_hole_in_it(text: str, host: Host | None, service: str | None) -> None:
    with pytest.raises(ValueError, match="has no value here"):
        fill(text, host, service)


@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=40))
def test_a_value_reaches_the_shell_as_one_word(value: str) -> None:
    host = Host(name="h", address="a", labels={"v": value})
    assert shlex.split(fill("printf {label.v} end", host, None)) == ["printf", value, "end"]


def test_a_hostile_label_runs_nothing() -> None:
    host = Host(name="h", address="a", labels={"v": "$(echo pwned); echo `id` '\""})
    ran = subprocess.run(
        ["sh", "-c", fill("printf %s {label.v}", host, None)], capture_output=True, text=True, check=True
    )
    assert ran.stdout == host.labels["v"]


def test_a_value_cannot_leave_its_place_in_a_url() -> None:
    host = Host(name="h", address="fe80::1", labels={"v": "a/../b?c=d&e#f"})
    assert fill("http://[{address}]/{label.v}", host, None, for_url) == "http://[fe80::1]/a%2F..%2Fb%3Fc%3Dd%26e%23f"


def test_a_filled_value_is_not_filled_again() -> None:
    host = Host(name="{service}", address="a", labels={})
    assert fill("{host}", host, "web", plain) == "{service}"


def test_for_people_what_is_known_is_filled_and_the_rest_stays() -> None:
    host = Host(name="db-1", address="192.0.2.1")
    assert fill_known("http://{address}/{label.zone}: 503", host, None) == "http://192.0.2.1/{label.zone}: 503"
