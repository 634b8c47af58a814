"""Inventory + Observation -> Plan, or refusals. Pure."""
