"""`python -m roadwatch` is `roadwatch`."""

from roadwatch.cli import main

main()
