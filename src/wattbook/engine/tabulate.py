"""Answers side by side, as a table for a spreadsheet: a column for each meter, source or location."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from wattbook.engine.answer import Answer
from wattbook.model import EnergyQuality, Point, Quality

WORST = (Quality.GOOD, EnergyQuality.MEASURED, EnergyQuality.SPREAD, EnergyQuality.ESTIMATED, Quality.SUSPECT,
         EnergyQuality.MISSING)  # fmt: skip
Row = tuple[datetime, Sequence[float | None], str]  # of each answer what it says, in base units; the worst quality


def table_rows(answers: Sequence[Answer]) -> Iterator[Row]:
    """One row for each instant, in order of time."""
    for at, points in side_by_side(answers).items():
        worst = max((WORST.index(point.quality) for point in points if point), default=0)
        yield at, [None if point is None else point.value for point in points], str(WORST[worst])


def side_by_side(answers: Sequence[Answer]) -> Mapping[datetime, Sequence[Point | None]]:
    """Instant -> what each answer says of it; in order of time."""
    rows: dict[datetime, list[Point | None]] = {}
    for place, answer in enumerate(answers):
        for point in answer.series:
            rows.setdefault(point.at, [None] * len(answers))[place] = point
    return dict(sorted(rows.items()))


def label(answer: Answer) -> str:
    """What a column is called."""
    return f"{answer.meter}: {answer.source}" if answer.source else answer.meter
