"""Readings of many meters as columns, as one body of HTTP brings them: objects are made only for those who ask."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import overload

from wattbook.model.reading import Quality, Reading

ALIKE_MIN = 16  # readings of one form; to look at fewer as a table costs as much as it saves


@dataclass(frozen=True, slots=True)
class Alike:
    """Those readings of a body that have the same quantities in the same order."""

    names: tuple[str, ...]
    places: Sequence[int]  # rising
    table: array[float] | None  # 'd', row after row; None = too few of them, or integers beyond every float


@dataclass(frozen=True, slots=True)
class Readings(Sequence[Reading]):
    """A sequence of readings, in the order in which they came. All columns are equally long."""

    meter: Sequence[str]
    at: Sequence[datetime]  # aware, UTC
    values: Sequence[Mapping[str, float]]
    quality: Sequence[Quality]
    doubt: Sequence[Mapping[str, Quality]]
    site: Sequence[str]
    _alike: list[Alike] = field(default_factory=list, init=False, repr=False, compare=False)  # once somebody asked
    _newest: dict[tuple[str, str], int] = field(default_factory=dict, init=False, repr=False, compare=False)
    _at_s: list[float] = field(default_factory=list, init=False, repr=False, compare=False)

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

    def alike(self) -> Sequence[Alike]:
        """All readings by their forms. Made once, for all who look at a body as a whole."""
        if not self._alike:
            forms = list(map(tuple, self.values))
            places: dict[tuple[str, ...], Sequence[int]] = {}
            if forms and forms.count(forms[0]) == len(forms):  # as most senders do
                places[forms[0]] = range(len(forms))
            else:
                for place, names in enumerate(forms):
                    places.setdefault(names, list[int]()).append(place)  # type: ignore[attr-defined]
            self._alike.extend(Alike(names, its, self._table(its)) for names, its in places.items())
        return self._alike

    def _table(self, places: Sequence[int]) -> array[float] | None:
        if len(places) < ALIKE_MIN:
            return None
        several = self.values if len(places) == len(self) else [self.values[place] for place in places]
        try:
            return array("d", list(chain.from_iterable([each.values() for each in several])))  # faster from a list
        except OverflowError:
            return None

    def at_s(self) -> Sequence[float]:
        """All instants in Unix seconds, made once."""
        if not self._at_s:
            self._at_s.extend([at.timestamp() for at in self.at])
        return self._at_s

    def newest(self) -> Mapping[tuple[str, str], int]:
        """(site, meter) -> the place of its newest reading; of two of one instant the last. Found once."""
        if not self._newest:
            at_s, identities = self.at_s(), list(zip(self.site, self.meter, strict=True))
            in_time = sorted(range(len(self)), key=at_s.__getitem__)
            self._newest.update(zip(map(identities.__getitem__, in_time), in_time, strict=True))
        return self._newest
