"""Bytes to meaning and back. Nothing here does I/O, waits, logs or knows the time."""
