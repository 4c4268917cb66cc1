"""The prices of one source in one direction: which of them holds by the clock, and which by the meter's register."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from wattbook.tariffs.calendar import DAYS, MONTHS
from wattbook.tariffs.price import EnergyPrice


@dataclass(frozen=True)
class Zones:
    """Prices that share out all time. A price without any `when` is for the rest of it."""

    prices: tuple[EnergyPrice, ...]
    holidays: frozenset[date] = frozenset()

    @cached_property
    def registers(self) -> Mapping[str, EnergyPrice]:
        """Register ("t1") -> its price."""
        return {each.register: each for each in self.prices if each.register}

    @cached_property
    def by_clock(self) -> bool:
        """Whether the clock says which price holds; with several prices of the rest only registers do."""
        return len(self._rest) < 2

    @cached_property
    def edges(self) -> frozenset[int]:
        """The minutes of a day at which the price may change."""
        return frozenset(minute for each in self._timed for minute in each.when.edges())

    def at(self, local: datetime) -> EnergyPrice | None:
        """The price by the clock at a local time; None = none holds then."""
        moment = local.month, self._day(local.date()), local.hour * 60 + local.minute
        if moment not in self._known:
            self._known[moment] = self._search(*moment)
        return self._known[moment]

    def _day(self, day: date) -> str:
        return "holiday" if self._knows_holidays and day in self.holidays else DAYS[day.weekday()]

    @cached_property
    def _knows_holidays(self) -> bool:
        """Where no price names holidays they are days as others."""
        return any("holiday" in each.when.days for each in self._timed)

    @cached_property
    def _timed(self) -> Sequence[EnergyPrice]:
        return [each for each in self.prices if not each.when.always]

    @cached_property
    def _rest(self) -> Sequence[EnergyPrice]:
        return [each for each in self.prices if each.when.always]

    @cached_property
    def _known(self) -> dict[tuple[int, str, int], EnergyPrice | None]:
        """What was found before: at the most each minute of each kind of day of a year, 138,240."""
        return {}

    def _search(self, month: int, day: str, minute: int) -> EnergyPrice | None:
        for each in self._timed:
            if each.when.holds(month, day, minute):
                return each
        return self._rest[0] if len(self._rest) == 1 else None

    def problems(self) -> Iterator[str]:
        """Why these prices do not share out all time, in words: the first of each kind."""
        yield from self._of_registers()
        if len(self._rest) > 1 and (self._timed or not all(each.register for each in self._rest)):
            first, second = self._rest[:2]
            yield f'"{first.name}" and "{second.name}" both hold all the time; say of one when it holds'
            return
        if self.by_clock:
            yield from self._overlap()
            if not self._rest:
                yield from self._uncovered()

    def _of_registers(self) -> Iterator[str]:
        named = [each.register for each in self.prices if each.register]
        for register in sorted({each for each in named if named.count(each) > 1}):
            yield f'two prices are of register "{register}"; a season of its own is a [[tariff]] of its own'
        without = next((each.name for each in self.prices if not each.register), None)
        if named and without is not None:
            yield f'"{without}" names no register, and others do: what the meter counts there would cost nothing'

    def _overlap(self) -> Iterator[str]:
        for month, day, minute in self._moments():
            held = [each for each in self._timed if each.when.holds(month, day, minute)]
            if len(held) > 1:
                yield f'"{held[0].name}" and "{held[1].name}" both hold {_moment(month, day, minute)}'
                return

    def _uncovered(self) -> Iterator[str]:
        for month, day, minute in self._moments():
            if not any(each.when.holds(month, day, minute) for each in self._timed):
                yield f"no price holds {_moment(month, day, minute)}; a price without times is for the rest"
                return

    def _moments(self) -> Iterator[tuple[int, str, int]]:
        """One minute of each stretch in which nothing can change."""
        days = DAYS if self._knows_holidays else DAYS[:-1]
        minutes = sorted({0, *self.edges})
        return ((month, day, minute) for month in MONTHS for day in days for minute in minutes)


def _moment(month: int, day: str, minute: int) -> str:
    return f"in month {month}, {day}, at {minute // 60:02}:{minute % 60:02}"
