"""The JSON Schema for editors: valid in itself, complete, and of one mind with our own reader."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from restart.errors import InventoryInvalid
from restart.inventory import read, schema, starter_inventory, starter_playbook
from restart.inventory.leaves import Report
from restart.inventory.problems import Problems
from restart.inventory.shape import compiled
from restart.inventory.tree import Block
from tests.inventory.reading import GATES, ROOT, problems_of, small
from tests.inventory.test_format import EVERY_KEY

SCHEMA = schema(GATES)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
INVENTORIES = sorted(path for path in (ROOT / "inventories").rglob("*.yml") if path.parent.name != "scenarios")
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))


class Strict(yaml.SafeLoader):
    """YAML 1.2's booleans, as editors read them."""


Strict.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in copy.deepcopy(yaml.SafeLoader.yaml_implicit_resolvers).items()
}
Strict.add_implicit_resolver("tag:yaml.org,2002:bool", __import__("re").compile(r"^(?:true|false)$"), list("tf"))


def document(text: str) -> Any:
    """As the standard library of editors would hand it to a validator: keys are texts."""
    return json.loads(json.dumps(yaml.load(text, Strict)))


def nodes(held: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema that describes a key, with the way to it."""
    if isinstance(held, dict):
        for name, part in held.get("properties", {}).items() if isinstance(held.get("properties"), dict) else ():
            yield f"{path}.{name}", part
        for key, part in held.items():
            yield from nodes(part, f"{path}.{key}")
    elif isinstance(held, list):
        for index, part in enumerate(held):
            yield from nodes(part, f"{path}[{index}]")


def test_the_schema_is_valid_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_every_key_has_a_description() -> None:
    bare = [path for path, part in nodes(SCHEMA) if "$ref" not in part and not part.get("description")]
    assert bare == []


@pytest.mark.parametrize("file", [*INVENTORIES, *PLAYBOOKS], ids=lambda file: str(file.relative_to(ROOT)))
def test_every_example_is_valid_by_the_schema(file: Path) -> None:
    assert list(VALIDATOR.iter_errors(document(file.read_text()))) == []


@pytest.mark.parametrize("text", [EVERY_KEY, starter_inventory(), starter_playbook()])
def test_what_our_reader_takes_the_schema_takes(text: str) -> None:
    assert list(VALIDATOR.iter_errors(document(text))) == []


WRONG = [
    "{on_failure: hold}",
    "{max_failures: -1}",
    "{max_failures: 1.5}",
    "{confirm_above: 0.1}",
    "{confirm_above: 101%}",
    "{ready_fresh: 30}",
    "{ready_fresh: 30 s}",
    "{cluster_by: rack}",
    "{cluster_by: [1]}",
    "{unknown: 1}",
    "[]",
    "text",
    "{windows: [{}]}",
]
WRONG_SERVICES = [
    "{}",
    "{hosts: 1}",
    "{hosts: []}",
    "{hosts: db-*, min_available: 101%}",
    "{hosts: db-*, min_available: most}",
    "{hosts: db-*, ready: [{tcp: 0}]}",
    "{hosts: db-*, ready: [{tcp: {prt: 1}}]}",
    "{hosts: db-*, ready: [{http: {url: x}}]}",
    "{hosts: db-*, ready: [{ssh: {}, timeout: 0s}]}",
    "{hosts: db-*, ready: {tcp: 1}}",
    "{hosts: db-*, depends_on: [db]}",
    "{hosts: db-*, path: yes}",
]


@pytest.mark.parametrize(
    "text",
    [small(policy=f" {policy}") for policy in WRONG] + [small(services=f"\n  db: {held}") for held in WRONG_SERVICES],
)
def test_what_the_schema_refuses_our_reader_refuses(tmp_path: Path, text: str) -> None:
    assert not VALIDATOR.is_valid(document(text))
    assert problems_of(tmp_path, text)


def test_a_pattern_ends_where_editors_say_it_ends(tmp_path: Path) -> None:
    assert problems_of(tmp_path, small(services='\n  db: {hosts: db-*, settle: "1m\\n"}'))
    assert problems_of(tmp_path, small(services='\n  db: {hosts: db-*, settle: "٣s"}'))


def test_a_keyword_that_we_do_not_know_is_never_skipped() -> None:
    with pytest.raises(ValueError, match="unevaluatedProperties"):
        compiled({"type": "object", "unevaluatedProperties": False})


def test_trying_an_alternative_leaves_the_value_as_it_was() -> None:
    def part(key: str) -> dict[str, Any]:
        return {"type": "object", "properties": {key: {}}, "required": [key], "additionalProperties": False}

    checker = compiled({"oneOf": [part("a"), part("b"), part("c")]})
    block = Block(0)
    block.update(c=1)
    block.places = [0, 0]
    report = Report(Problems(), None)
    assert checker(block, (), report)
    assert (block, report.count) == ({"c": 1}, 0)


def test_the_starters_are_valid_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "reboot.yml").write_text(starter_playbook())
    file = tmp_path / "inventory.yml"
    file.write_text(starter_inventory())
    inventory = read([file], GATES, cycles_are_problems=True)
    assert inventory.playbooks["reboot"].restart[0].kind == "reboot"
    file.write_text(starter_inventory().replace("port", "prot").replace("8080", "80x80"))
    (tmp_path / "playbooks" / "reboot.yml").write_text(starter_playbook().replace("10m", "10"))
    with pytest.raises(InventoryInvalid, match="write 10s"):
        read([file], GATES)
