"""Inventories and playbooks: YAML to the model, with every problem at once as file:line:column.

`read(paths, gates)` gives the resolved inventory, `schema(gates)` the JSON Schema for editors, `starter_inventory()` and
`starter_playbook()` the texts of `restart init`.
"""

from __future__ import annotations

from restart.inventory.reader import read
from restart.inventory.schema import schema
from restart.inventory.starter import starter_inventory, starter_playbook

__all__ = ["read", "schema", "starter_inventory", "starter_playbook"]
