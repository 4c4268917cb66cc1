"""Locations: paths from the largest to the smallest, "plant/hall 2/press"."""

from __future__ import annotations


def path_of(location: str) -> tuple[str, ...]:
    """The parts of a location, from the largest."""
    return tuple(part for part in (each.strip() for each in location.split("/")) if part)


def lies_at(place: str, location: str) -> bool:
    """Whether a place is a location or below it; "/" is everywhere."""
    wanted = path_of(location)
    return path_of(place)[: len(wanted)] == wanted
