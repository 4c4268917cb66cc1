"""Meters and lines that answer from profiles, with true byte timing and faults."""
