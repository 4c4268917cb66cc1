"""A half-open stretch of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Span:
    """From `start`, included, to `end`, excluded. Both aware; an empty span is allowed, a reversed one is not."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("a span needs aware instants")
        if self.end < self.start:
            raise ValueError(f"a span cannot end ({self.end}) before it starts ({self.start})")

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end

    @property
    def duration(self) -> timedelta:
        return self.end - self.start

    def steps(self, every: timedelta) -> Iterator[Span]:
        """Cut into pieces of `every`, aligned to the span's own start; the last may be shorter."""
        if every <= timedelta(0):
            raise ValueError(f"a step must be longer than nothing, not {every}")
        start = self.start
        while start < self.end:
            end = min(start + every, self.end)
            yield Span(start, end)
            start = end
