"""Where the energy of a house comes from."""

from __future__ import annotations

from typing import Literal, get_args

Source = Literal["utility", "generator", "solar", "battery"]
SOURCES: tuple[str, ...] = get_args(Source)  # in the order of answers
