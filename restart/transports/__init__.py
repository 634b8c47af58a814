"""Hands: what carries questions and commands out to the world. Whatever goes wrong comes back as `NoAnswer`."""
