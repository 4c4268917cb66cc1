"""How large a number may be and still be exact: the one place that says so."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeVar

from wattbook.model.errors import Garbled

EXACT_MAX = 2**53 - 1  # the greatest whole number that a float tells from its neighbours; no value may be greater
RAW_MAX = 2**52  # up to it a count divided by ten comes back; beyond, two neighbours may give the same float


def plain_number(value: float) -> float | int:
    """A value as JSON, CSV and people's tables write it: 25409587 and not 25409587.0."""
    return int(value) if -EXACT_MAX <= value <= EXACT_MAX and value == int(value) else value


def exact_raw(raw: int, name: str) -> int:
    """Return a count as a meter tells it. Raises Garbled, naming it, when it is beyond `RAW_MAX`."""
    if not -RAW_MAX <= raw <= RAW_MAX:
        raise Garbled(f"{name} has more digits than can be kept exactly")  # nor can so many always be printed
    return raw


Number = TypeVar("Number", float, Decimal)


def exact_value(value: Number, name: str) -> Number:
    """Return a value in its base unit. Raises Garbled, naming it, when it is not finite or beyond `EXACT_MAX`."""
    if not -EXACT_MAX <= value <= EXACT_MAX:
        raise Garbled(f"{name} is no number that can be kept")
    return value
