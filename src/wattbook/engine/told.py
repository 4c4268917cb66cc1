"""What the real meters of a configuration told the book, energy from their powers included.

Loaded only when somebody asks: numpy takes 17 MB.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from wattbook.config import Config, MeterSettings
from wattbook.engine.integrate import energy_of_power, missing
from wattbook.engine.places import energy_of_stays, one_after_the_other
from wattbook.model import Series, Span
from wattbook.model.derive import power_of
from wattbook.store import Aggregate, BookReader, Step, UnknownMeter
from wattbook.store.steps import boundaries


@dataclass(frozen=True)
class Told:
    """Answers about single real meters, in the terms of the configuration. Lives as long as one question."""

    reader: BookReader
    config: Config
    stays: dict[str, Sequence[Span]] = field(default_factory=dict)  # meters that count only while they were there
    _hot: dict[str, Collection[str]] = field(default_factory=dict)  # meter -> quantities that are not sealed yet

    def tells(self, meter: str, name: str) -> bool:
        """Whether a meter tells a quantity itself: by its model, or as far as the book knows."""
        modbus = self.config.profiles[meter].modbus
        if modbus and any(register.quantity == name for register in modbus.registers):
            return True
        if meter not in self._hot:
            self._hot[meter] = self.reader.hot_quantities(meter)
        return name in self._hot[meter] or name in self._sealed.get(meter, ())

    def answers(self, meter: str, name: str) -> bool:
        """Whether a meter tells a quantity, or the power that it is the integral of."""
        return self.tells(meter, name) or self.integrates(meter, name)

    def integrates(self, meter: str, name: str) -> bool:
        """Whether an energy can only come from a meter's power: it tells that, and no register of it."""
        power = power_of(name)
        return power is not None and not self.tells(meter, name) and self.tells(meter, power.quantity)

    def energy(self, meter: str, name: str, span: Span, every: Step, zone: ZoneInfo) -> Series:
        """The energy of each step, from the meter's register, else from its power (`estimated`)."""
        if meter not in self.stays:
            return self._energy(meter, name, span, every, zone)
        parts = [self._energy(meter, name, part, every, zone) for part in self._stays(meter, span)]
        return energy_of_stays(parts, boundaries(span, every, zone))

    def _stays(self, meter: str, span: Span) -> list[Span]:
        cut = [Span(max(each.start, span.start), max(each.start, span.start, min(each.end, span.end)))
               for each in self.stays[meter]]  # fmt: skip
        return [each for each in cut if each.duration]

    def _energy(self, meter: str, name: str, span: Span, every: Step, zone: ZoneInfo) -> Series:
        power, period = power_of(name), self._period(meter)
        if power is not None and self.integrates(meter, name):
            return energy_of_power(self.reader, meter, power, span, boundaries(span, every, zone), period)
        try:
            return self.reader.energy(meter, name, span, every, zone, period=period)
        except UnknownMeter:  # it is configured and has told nothing yet
            return missing(boundaries(span, every, zone))

    def aggregate(
        self, meter: str, name: str, span: Span, every: Step, zone: ZoneInfo, aggregate: Aggregate = "mean"
    ) -> Series:
        """One value of a gauge for each step that has any."""
        if meter not in self.stays:
            return self._aggregate(meter, name, span, every, zone, aggregate)
        stays = self._stays(meter, span)
        return one_after_the_other([self._aggregate(meter, name, part, every, zone, aggregate) for part in stays])

    def _aggregate(
        self, meter: str, name: str, span: Span, every: Step, zone: ZoneInfo, aggregate: Aggregate
    ) -> Series:
        try:
            return self.reader.aggregate(meter, name, span, every, zone, aggregate)
        except UnknownMeter:
            return Series.empty()

    def range(self, meter: str, name: str, span: Span, limit: int | None = None) -> Series:
        """The values as they were read; of more than `limit` the first ones."""
        if meter not in self.stays:
            return self._range(meter, name, span, limit)
        return one_after_the_other([self._range(meter, name, part, limit) for part in self._stays(meter, span)])

    def _range(self, meter: str, name: str, span: Span, limit: int | None) -> Series:
        try:
            return self.reader.range(meter, name, span, limit=limit)
        except UnknownMeter:
            return Series.empty()

    def period_s(self, meter: str) -> float:
        """How often a meter is read; 0 = nobody says."""
        return self.config.every_s(self._settings[meter])

    def _period(self, meter: str) -> timedelta | None:
        return timedelta(seconds=self.period_s(meter)) or None

    @cached_property
    def _settings(self) -> Mapping[str, MeterSettings]:
        return {meter.name: meter for meter in self.config.meters}

    @cached_property
    def _sealed(self) -> Mapping[str, Sequence[str]]:
        return self.reader.sealed_quantities()
