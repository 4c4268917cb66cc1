"""Addresses of systems that wattbook replaces, byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from wattbook.api.answers import compact
from wattbook.model import Quality, Span, quantity
from wattbook.model.vocabulary import unit_factor
from wattbook.profiles import Display
from wattbook.store import BookReader

ENERGY_PATH = "/electricity_meter/api/v1.0/energy"
# In the order in which Flask sorted the keys; the Czech meter counts high tariff in register 1, low in 2.
_ENERGY_KEYS: Mapping[str, str] = {
    "highTarif": "active_energy_import_t1",
    "lowTarif": "active_energy_import_t2",
    "suma": "active_energy_import",
}
_DISPLAY = Display(integer_digits=7, decimals=3)  # of the meter behind the replaced program
# Before the last reading, nearest first: a register that every reading lacks would else be sought in the whole book.
_LOOK_BACK = (timedelta(days=1), timedelta(days=31))
_GRAIN = timedelta(milliseconds=1)


class LastGood:
    """The last good values of one meter's registers: a readout that lacks or doubts one does not hide what it was."""

    def __init__(self, reader: BookReader, meter: str) -> None:
        self._reader, self._meter = reader, meter
        self._values: dict[str, float] = {}
        self._seen: datetime | None = None  # the book, up to the last reading of that time

    def values(self, now: datetime) -> Mapping[str, float]:
        """Register -> value; without those that were never read."""
        for last in self._reader.latest([self._meter], now=now):
            good = dict(last.good_values())
            for name in _ENERGY_KEYS.values():
                value = good[name] if name in good else self._before(last.at, name)
                if value is not None:
                    self._values[name] = value
            self._seen = last.at
        return self._values

    def _before(self, end: datetime, name: str) -> float | None:
        """The last good value since the book was last looked at, or in the time worth looking back to."""
        for back in _LOOK_BACK:
            start = end - back
            if self._seen is not None:
                start = max(start, self._seen + _GRAIN)
            if start >= end:
                return None
            value = None
            for point in self._reader.range(self._meter, name, Span(start, end)):
                if point.quality == Quality.GOOD:
                    value = point.value
            if value is not None:
                return value
        return None


def energy(values: Mapping[str, float], display: Display | None) -> bytes:
    """The answer of the optical reader: the texts on the meter's display, and the number 0 for what was never read.

    Flask's `jsonify` wrote it: keys sorted, no spaces, a line feed at the end.
    """
    display = display or _DISPLAY
    shown = {key: _shown(values[name], name, display) if name in values else 0 for key, name in _ENERGY_KEYS.items()}
    return compact({"energy": shown}) + b"\n"


def _shown(value: float, name: str, display: Display) -> str:
    return display.text(value, unit_factor(display.unit, quantity(name).unit))
