"""In which order the meters stand: as in the configuration, or by a column. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wattbook.top.answers import Meter
from wattbook.top.house import House
from wattbook.top.rows import Column, gauge

TEXTS = ("name", "state", "location")  # from A to Z at first; numbers from the greatest
_FIXED = ("spark",)  # a line of blocks has no order


@dataclass(frozen=True, slots=True)
class Sorting:
    """By which column; "" = as in the configuration. `turned`: the other way round than at first."""

    key: str = ""
    turned: bool = False

    @property
    def mark(self) -> str:
        """The arrow beside the column's title."""
        return "▲" if (self.key in TEXTS) != self.turned else "▼"

    def next(self, shown: Sequence[Column]) -> Sorting:
        """By the next column that is shown; after the last as in the configuration."""
        keys = ["", *(column.key for column in shown if column.key not in _FIXED)]
        place = keys.index(self.key) if self.key in keys else 0
        return Sorting(keys[(place + 1) % len(keys)])

    def by(self, key: str) -> Sorting:
        """By this column; a second time turned, a third time not at all."""
        if key in _FIXED:
            return self
        if key != self.key:
            return Sorting(key)
        return Sorting() if self.turned else Sorting(key, turned=True)

    def turn(self) -> Sorting:
        """The other way round."""
        return Sorting(self.key, not self.turned)


def in_order(house: House, meters: Iterable[Meter], sorting: Sorting) -> list[Meter]:
    """The meters in this order; those of which nothing is known stand last, whichever way round."""
    listed = list(meters)
    if not sorting.key:
        return listed
    known = [(value, meter) for meter in listed if (value := _value(house, meter, sorting.key)) is not None]
    falling = (sorting.key not in TEXTS) != sorting.turned
    known.sort(key=lambda each: each[0], reverse=falling)
    names = {meter.name for _, meter in known}
    return [*(meter for _, meter in known), *(meter for meter in listed if meter.name not in names)]


def _value(house: House, meter: Meter, key: str) -> tuple[str, float] | None:
    """What a column tells of a meter, to be compared within the column."""
    reading = house.readings.get(meter.name)
    match key:
        case "name" | "state" | "location":
            return str(getattr(meter, key)).casefold(), 0.0
        case "age":
            return ("", -reading.at.timestamp()) if reading else None
        case "today" | "change":
            today, before = (known.get(meter.name) for known in (house.energy.today, house.energy.yesterday))
            number = today if key == "today" or today is None else today / before if before else None
        case quantity:
            told = gauge(reading, quantity) if reading and (meter.live or not house.connected) else None
            number = told[0] if told else None
    return None if number is None else ("", number)
