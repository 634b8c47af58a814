"""Health questions: `ask()` makes requests, `judge()` reads the answers. Pure. One module for each kind of check.

FAIL only where something is proved bad (a port that refuses, a status that differs, a command's own exit status);
whatever could not be learnt is UNKNOWN, which never opens anything.
"""
