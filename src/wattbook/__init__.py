"""wattbook: the account book for electricity."""

__version__ = "0.1.0"
