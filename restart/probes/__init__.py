"""Everything that is sent to a host, as POSIX shell text, and the parsers of what comes back. Pure."""
