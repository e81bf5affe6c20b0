"""`python -m chaoscheck`."""

from chaoscheck.cli.app import main

main()
