"""When a price holds: months, kinds of days and times of the local day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday")  # kinds of days; a holiday is no weekday
MONTHS = range(1, 13)
DAY_MIN = 24 * 60  # minutes on a wall clock, also where a day has 23 or 25 hours


@dataclass(frozen=True, slots=True)
class When:
    """Nothing said of months, days or times means all of them."""

    months: frozenset[int] = frozenset()  # 1 to 12
    days: frozenset[str] = frozenset()  # of DAYS
    times: tuple[tuple[int, int], ...] = ()  # minutes of the day, half-open; (1320, 360) is over midnight

    @property
    def always(self) -> bool:
        """Whether it says nothing at all."""
        return not (self.months or self.days or self.times)

    def holds(self, month: int, day: str, minute: int) -> bool:
        """Whether it holds in this minute of such a day. Over midnight, both ends are of the same day."""
        return (
            (not self.months or month in self.months)
            and (not self.days or day in self.days)
            and (not self.times or any(_within(minute, *each) for each in self.times))
        )

    def edges(self) -> Iterator[int]:
        """The minutes of a day at which it may begin or end."""
        for start, end in self.times:
            yield from (start, end % DAY_MIN)


def _within(minute: int, start: int, end: int) -> bool:
    return start <= minute < end if start < end else minute >= start or minute < end
