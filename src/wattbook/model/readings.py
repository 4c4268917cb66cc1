"""Readings of many meters as columns, as one body of HTTP brings them: objects are made only for those who ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import overload

from wattbook.model.reading import Quality, Reading


@dataclass(frozen=True, slots=True)
class Readings(Sequence[Reading]):
    """A sequence of readings, in the order in which they came. All columns are equally long."""

    meter: Sequence[str]
    at: Sequence[datetime]  # aware, UTC
    values: Sequence[Mapping[str, float]]
    quality: Sequence[Quality]
    doubt: Sequence[Mapping[str, Quality]]
    site: Sequence[str]

    @classmethod
    def of(cls, readings: Sequence[Reading]) -> Readings:
        """The same readings as columns."""
        return readings if isinstance(readings, cls) else cls(
            [each.meter for each in readings],
            [each.at for each in readings],
            [each.values for each in readings],
            [each.quality for each in readings],
            [each.doubt for each in readings],
            [each.site for each in readings],
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.at)

    @overload
    def __getitem__(self, place: int) -> Reading: ...
    @overload
    def __getitem__(self, place: slice) -> Readings: ...
    def __getitem__(self, place: int | slice) -> Reading | Readings:
        columns = self.meter, self.at, self.values, self.quality, self.doubt, self.site
        if isinstance(place, slice):
            return Readings(*(column[place] for column in columns))  # type: ignore[arg-type]  # each keeps its type
        return Reading(*(column[place] for column in columns))  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Reading]:
        return map(Reading, self.meter, self.at, self.values, self.quality, self.doubt, self.site)

    def newest(self) -> dict[tuple[str, str], int]:
        """(site, meter) -> the place of its newest reading; of two of one instant the last."""
        at = self.at
        in_time = sorted(range(len(at)), key=at.__getitem__)
        return {(self.site[place], self.meter[place]): place for place in in_time}
