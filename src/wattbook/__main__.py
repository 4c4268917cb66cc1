"""`python -m wattbook` is `wattbook`."""

from wattbook.cli.main import main

main()
