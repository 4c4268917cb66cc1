"""Steps of time as people mean them: a day has 23, 24 or 25 hours, a month its own length."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal, cast
from zoneinfo import ZoneInfo

from wattbook.model import BookError, Span
from wattbook.model.batch import to_ms
from wattbook.model.era import ERA, ERA_SAID

STEPS_MAX = 100_000  # in one answer: a year of 5-minute steps; more is an export

_SHORT = {"s": timedelta(seconds=1), "min": timedelta(minutes=1), "h": timedelta(hours=1)}
_COUNT_MAX = {"d": 3_660, "w": 520, "mo": 120, "y": 10}
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
        if step.is_short and step.short > timedelta(days=1):
            raise BookError(f'"{text}" is more than a day; write it in days (d)')
        if step.count > _COUNT_MAX.get(step.unit, step.count):
            raise BookError(f'"{text}" is more than ten years; choose a shorter step')
        return step

    @property
    def is_short(self) -> bool:
        """Whether it is told in hours or less, and so always of the same length."""
        return self.unit in _SHORT

    @property
    def short(self) -> timedelta:
        """The length of such a step."""
        return self.count * _SHORT[self.unit]


# A question asks the same of many meters, and "now" makes each question another one: the longest take 4 MB each.
@lru_cache(maxsize=8)
def boundaries(span: Span, every: Step, zone: ZoneInfo) -> tuple[int, ...]:
    """The instants (ms since 1970 UTC) that cut a span into steps of the local calendar, with both ends of the span.

    Raises BookError when there would be more than STEPS_MAX steps, or for years no meter was read in.
    """
    if span.start not in ERA or span.end not in ERA:
        raise BookError(f"choose instants {ERA_SAID}")
    return cut(span, every, zone)


def cut(span: Span, every: Step, zone: ZoneInfo) -> tuple[int, ...]:
    """The same of a span that may reach a few days beyond the era, around an instant in it."""
    start_ms, end_ms = to_ms(span.start), to_ms(span.end)
    edges = [start_ms]
    for edge_ms in _edges(span.start.astimezone(zone).date(), every, zone):
        if edge_ms >= end_ms:
            break
        if edge_ms > edges[-1]:
            edges.append(edge_ms)
        if len(edges) > STEPS_MAX:
            raise BookError(f"more than {STEPS_MAX} steps; choose a longer one, or a shorter time")
    return (*edges, end_ms)


def _edges(day: date, every: Step, zone: ZoneInfo) -> Iterator[int]:
    """Edges of steps from the one at or before the start of this local day, without end."""
    match every.unit:
        case "s" | "min" | "h":
            step_ms = every.short // timedelta(milliseconds=1)
            edge_ms = midnight_ms(day, zone)
            while True:  # the caller stops at its span's end
                day += timedelta(days=1)
                next_ms = midnight_ms(day, zone)
                yield from range(edge_ms, next_ms, step_ms)
                edge_ms = next_ms
        case "d" | "w":
            days = every.count * (7 if every.unit == "w" else 1)
            anchor = date(1970, 1, 5)  # a Monday
            day -= timedelta(days=(day - anchor).days % days)
            while True:
                yield midnight_ms(day, zone)
                day += timedelta(days=days)
        case "mo" | "y":
            months = every.count * (12 if every.unit == "y" else 1)
            month = day.year * 12 + day.month - 1
            month -= month % months
            while True:
                yield midnight_ms(date(month // 12, month % 12 + 1, 1), zone)
                month += months


def midnight_ms(day: date, zone: ZoneInfo) -> int:
    """The instant (ms since 1970 UTC) a local day begins; where the clocks skip midnight, the first instant after."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1000
