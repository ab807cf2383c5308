"""`python -m sparkads.cli` is `sparkads`."""

from sparkads.cli import main

main()
