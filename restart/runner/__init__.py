"""The loop: drive, journal, lease, and the live world."""
