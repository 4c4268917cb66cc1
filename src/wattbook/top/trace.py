"""The power of one meter over the last minutes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

SPAN_S = 900.0  # what the terminal remembers
POINTS_MAX = 4000  # 15 minutes at the fastest that a line polls one meter


class Trace:
    """Seconds since 1970 and watts, the oldest first."""

    def __init__(self) -> None:
        self._at: list[float] = []
        self._power: list[float] = []
        self.version = 0  # another one after each change

    def bounds(self) -> tuple[float, float]:
        """The least and the greatest power; there must be one."""
        return min(self._power), max(self._power)

    def add(self, at_s: float, power: float) -> None:
        """The next value. The same may come again, and a clock may be set back: a trace only goes forward."""
        self.version += 1
        place = bisect_left(self._at, at_s)
        del self._at[place:], self._power[place:]
        self._at.append(at_s)
        self._power.append(power)
        first = max(bisect_left(self._at, at_s - SPAN_S), len(self._at) - POINTS_MAX)
        del self._at[:first], self._power[:first]

    def fill(self, past: Iterable[tuple[float, float]]) -> None:
        """Put what the book knows before what came since."""
        fresh = list(zip(self._at, self._power, strict=True))
        self._at, self._power = [], []
        known = list(past)
        last = known[-1][0] if known else float("-inf")
        for at_s, power in [*known, *(each for each in fresh if each[0] > last)]:
            self.add(at_s, power)

    def means(self, count: int, now_s: float, span_s: float) -> list[float | None]:
        """The mean in each of `count` equal parts of the last `span_s` seconds; None where nothing is known.

        A part shorter than the meter's period takes the value before, for at most two periods.
        """
        step_s = span_s / count
        sums, counts = [0.0] * count, [0] * count
        for at_s, power in zip(self._at, self._power, strict=True):
            place = int((at_s - (now_s - span_s)) // step_s)
            if 0 <= place < count:
                sums[place] += power
                counts[place] += 1
        means = [total / found if found else None for total, found in zip(sums, counts, strict=True)]
        return _carried(means, int(2 * self._period_s() // step_s))

    def _period_s(self) -> float:
        gaps = sorted(later - sooner for sooner, later in zip(self._at, self._at[1:], strict=False))
        return gaps[len(gaps) // 2] if gaps else 0.0


def _carried(means: list[float | None], parts_max: int) -> list[float | None]:
    carried, last, age = [], None, 0
    for mean in means:
        last, age = (mean, 0) if mean is not None else (last, age + 1)
        carried.append(last if age <= parts_max else None)
    return carried
