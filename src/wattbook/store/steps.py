"""Steps of time as people mean them: a day has 23, 24 or 25 hours, a month its own length."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, cast
from zoneinfo import ZoneInfo

from wattbook.model import BookError, Span

STEPS_MAX = 100_000  # in one answer: a year of 5-minute steps; more is an export

_SHORT = {"s": timedelta(seconds=1), "min": timedelta(minutes=1), "h": timedelta(hours=1)}
_COUNT_MAX = {"d": 3_660, "w": 520, "mo": 120, "y": 10}
_YEARS = range(1900, 2201)  # outside, calendars end and no meter was read
_TEXT = re.compile(r"([0-9]{1,5})(s|min|h|d|w|mo|y)")


@dataclass(frozen=True, slots=True)
class Step:
    """A number of units, such as 15 min or 1 mo. Steps under a day begin anew at every local midnight."""

    count: int
    unit: Literal["s", "min", "h", "d", "w", "mo", "y"]

    @classmethod
    def parse(cls, text: str) -> Step:
        """Read "15min", "1h", "1d", "1w", "1mo", "1y". Raises BookError."""
        match = _TEXT.fullmatch(text)
        if match is None or not int(match[1]):
            raise BookError(f'"{text}" is no step of time; write for example 15min, 1h, 1d, 1w or 1mo')
        step = cls(int(match[1]), cast(Literal["s", "min", "h", "d", "w", "mo", "y"], match[2]))
        if step.unit in _SHORT and step.short > timedelta(days=1):
            raise BookError(f'"{text}" is more than a day; write it in days (d)')
        if step.count > _COUNT_MAX.get(step.unit, step.count):
            raise BookError(f'"{text}" is more than ten years; choose a shorter step')
        return step

    @property
    def short(self) -> timedelta:
        """The length of a step under a day."""
        return self.count * _SHORT[self.unit]


def boundaries(span: Span, every: Step, zone: ZoneInfo) -> list[datetime]:
    """The instants (UTC) that cut a span into steps aligned to the local calendar, with both ends of the span.

    Raises BookError when there would be more than STEPS_MAX steps, or for years no meter was read in.
    """
    if span.start.year not in _YEARS or span.end.year not in _YEARS:
        raise BookError(f"choose instants from {_YEARS[0]} to {_YEARS[-1]}")
    edges = [span.start.astimezone(UTC)]
    for edge in _edges(edges[0].astimezone(zone), every, zone):
        if edge >= span.end:
            break
        if edge > edges[-1]:
            edges.append(edge)
        if len(edges) > STEPS_MAX:
            raise BookError(f"more than {STEPS_MAX} steps; choose a longer one, or a shorter time")
    return [*edges, span.end.astimezone(UTC)]


def _edges(local: datetime, every: Step, zone: ZoneInfo) -> Iterator[datetime]:
    """Edges of steps from the one at or before this local time, without end."""
    day = local.date()
    match every.unit:
        case "s" | "min" | "h":
            while True:  # the caller stops at its span's end
                yield from _within(day, every.short, zone)
                day += timedelta(days=1)
        case "d" | "w":
            days = every.count * (7 if every.unit == "w" else 1)
            anchor = date(1970, 1, 5)  # a Monday
            day -= timedelta(days=(day - anchor).days % days)
            while True:
                yield midnight(day, zone)
                day += timedelta(days=days)
        case "mo" | "y":
            months = every.count * (12 if every.unit == "y" else 1)
            month = day.year * 12 + day.month - 1
            month -= month % months
            while True:
                yield midnight(date(month // 12, month % 12 + 1, 1), zone)
                month += months


def _within(day: date, length: timedelta, zone: ZoneInfo) -> Iterator[datetime]:
    edge, end = midnight(day, zone), midnight(day + timedelta(days=1), zone)
    while edge < end:
        yield edge
        edge += length


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant (UTC) a local day begins; where the clocks skip midnight, the first instant after."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
