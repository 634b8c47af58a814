"""`python -m restart` and the `restart` command."""

from __future__ import annotations

from restart.cli.main import main

if __name__ == "__main__":
    main()
