"""Values of one quantity as columns: what history answers with, so that a year costs no objects."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from wattbook.model.batch import from_ms
from wattbook.model.reading import EnergyQuality, Quality

VALUE_QUALITIES: tuple[Quality, ...] = (Quality.GOOD, Quality.SUSPECT)  # in the order of QUALITY_CODES
ENERGY_QUALITIES: tuple[EnergyQuality, ...] = (
    EnergyQuality.MEASURED,
    EnergyQuality.SPREAD,
    EnergyQuality.ESTIMATED,
    EnergyQuality.MISSING,
)  # from the best to the worst


@dataclass(frozen=True, slots=True)
class Point:
    """A value at an instant, or of the step that starts there. None = nothing is known."""

    at: datetime
    value: float | None
    quality: Quality | EnergyQuality


@dataclass(frozen=True, slots=True)
class Series:
    """Values in order of time. All columns have the same length."""

    at_ms: array[int]  # 'q', milliseconds since 1970 UTC: of the value, or the start of the step
    values: array[float]  # 'd', in the base unit; NaN = nothing is known
    quality: array[int]  # 'B', places in `qualities`
    qualities: tuple[Quality, ...] | tuple[EnergyQuality, ...] = VALUE_QUALITIES

    @classmethod
    def empty(cls) -> Series:
        """No values."""
        return cls(array("q"), array("d"), array("B"))

    def __len__(self) -> int:
        return len(self.at_ms)

    def __iter__(self) -> Iterator[Point]:
        for at_ms, value, code in zip(self.at_ms, self.values, self.quality, strict=True):
            yield Point(from_ms(at_ms), value if value == value else None, self.qualities[code])
