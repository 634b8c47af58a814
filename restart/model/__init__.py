"""Nouns: frozen dataclasses and protocols. Standard library only, no I/O."""
