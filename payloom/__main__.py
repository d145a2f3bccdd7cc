"""`python -m payloom` is the `payloom` command."""

from payloom.cli import main

main()
