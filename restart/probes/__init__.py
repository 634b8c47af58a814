"""The one POSIX script that is sent to hosts, and the parser of its answer. Pure."""
