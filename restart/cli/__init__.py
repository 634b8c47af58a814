"""The command line: click; one file wires options to objects."""
