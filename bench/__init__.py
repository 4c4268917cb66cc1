"""What wattbook promises, measured: `python -m bench` runs all of it and prints one table."""
