"""`wattbook decode`: captured bytes to readings."""
