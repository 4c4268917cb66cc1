"""A driver asks one meter once, or listens to one that speaks first."""
