"""What the days of a simulated house are like: seasons and weather for a heat pump, habits and holidays for people."""

from __future__ import annotations

import math

from wattbook.simulate.load import DAYS
from wattbook.simulate.source import share

_YEAR = 365.25  # days
_COLDEST = 14  # day of the cycle, which begins on 4 January
_HOLIDAYS = (range(190, 204), range(355, 360))  # days of a year on which nobody is at home
_EMPTY = 0.3  # of the usual energy: the refrigerator and what is on standby


def weather(seed: int) -> tuple[float, ...]:
    """How much a heat pump takes on each day: a third of the mean in summer, for hot water, and twice it in winter."""
    return tuple(_season(day) * (0.8 + 0.4 * _spell(seed, day)) for day in range(DAYS))


def habits(seed: int, name: str) -> tuple[float, ...]:
    """How much people use on each day: a little more when it is dark early, little when they are away."""
    return tuple(_use(seed, name, day) for day in range(DAYS))


def _season(day: int) -> float:
    return 1.15 + 0.85 * math.cos(math.tau * (day - _COLDEST) / _YEAR)


def _spell(seed: int, day: int) -> float:
    """Cold or mild, 0 to 1: weather lasts for days, so each is half the one before."""
    return (2 * share(seed, "weather", day // 3) + share(seed, "weather", "day", day)) / 3


def _use(seed: int, name: str, day: int) -> float:
    if any(int(day % _YEAR) in span for span in _HOLIDAYS):
        return _EMPTY
    dark = 0.06 * math.cos(math.tau * (day - _COLDEST) / _YEAR)
    return 0.84 + dark + 0.32 * share(seed, "habits", name, day)
