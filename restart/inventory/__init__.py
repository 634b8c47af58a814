"""YAML -> model; every problem at once, with file, line and column. A plugin shelf."""
