"""Restart a fleet of servers in safe waves, with health gates."""

__version__ = "0.1.0"
