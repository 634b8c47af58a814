"""The embedded fleet of real SSH servers."""
