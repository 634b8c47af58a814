"""Other documents in the inventory's YAML, such as a simulator's scenario: read by the same reader, with the same problems."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path as FilePath
from typing import Any

from restart.errors import InventoryInvalid
from restart.inventory.files import source_of
from restart.inventory.leaves import Report
from restart.inventory.problems import Path, Problems, Source
from restart.inventory.reader import read, read_block
from restart.inventory.schema import definitions
from restart.inventory.shape import compiled
from restart.inventory.tree import Block
from restart.model.inventory import Inventory
from restart.model.world import Gate


class Document:
    """One YAML file that was held against a schema; what is wrong in it is collected, each problem with its place."""

    def __init__(self, file: FilePath, schema: Mapping[str, Any], gates: Mapping[str, Gate]) -> None:
        """Read `file`. Its `$ref`s may name the parts of the inventory's own schema too. Raises `InventoryInvalid` where it is no document."""
        self.file = file
        self._gates = gates
        self._problems = Problems()
        source = source_of(file, self._problems)
        if source is None:
            raise InventoryInvalid(self._problems.in_order())
        self._source: Source = source
        named = {**definitions(gates), **schema.get("$defs", {})}
        compiled({**schema, "$defs": named})(source.root, (), Report(self._problems, source))

    @property
    def root(self) -> Block:
        """Its top mapping, without what did not fit the schema."""
        return self._source.root

    def problem(self, path: Path, what: str, way_out: str = "", *, key: bool = False) -> None:
        """One more problem, at the value under `path` or at its key."""
        self._problems.at(self._source, path, what, way_out, key=key)

    def meant(self, word: str, candidates: list[str]) -> str:
        """`did you mean db-1?`, or nothing."""
        return self._problems.meant(word, candidates)

    def raise_if_any(self) -> None:
        """Raise `InventoryInvalid` with every problem found so far."""
        self._problems.raise_if_any()

    def inventory_within(self, key: str, fleet: str) -> Inventory | None:
        """The inventory that stands under `key`; `fleet` and version 1 are its own where it does not say. None where it is wrong.

        Playbooks that stand under `playbooks` go before those in folders.
        """
        source = self._part(self.root[key], version=1, fleet=fleet)
        playbooks = {
            name: self._part(block, version=1, name=name) for name, block in self.root.get("playbooks", {}).items()
        }
        return self._read(lambda: read_block(source, self.file, self._gates, playbooks))

    def _part(self, block: Block, **own: Any) -> Source:
        """A part of the document as a document; `own` is what one has to say at its top, where it does not."""
        for key, value in own.items():
            if key not in block:
                block[key] = value
                block.places += [block.place, block.place]
        return Source(self._source.file, block)

    def inventory_beside(self, key: str) -> Inventory | None:
        """The inventory in the file that `key` names, relative to this one. None where it is wrong."""
        return self._read(lambda: read([self.file.parent / self.root[key]], self._gates))

    def _read(self, reading: Callable[[], Inventory]) -> Inventory | None:
        try:
            return reading()
        except InventoryInvalid as invalid:
            for problem in invalid.problems:
                self._problems.take(problem)
            return None
