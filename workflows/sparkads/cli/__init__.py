"""The command line, `sparkads`: one command a verb, grouped by noun."""

from __future__ import annotations

import sys

from sparkads.cli.garbage import loading


def main() -> None:
    """Do what the command line asks for, and exit with the code that its help explains."""
    try:
        loading()
        from sparkads.cli.app import run
    except KeyboardInterrupt:
        sys.exit(130)
    run()
