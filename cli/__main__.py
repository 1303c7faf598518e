"""`python -m cli` is `livinglab`."""

from cli.main import main

main()
