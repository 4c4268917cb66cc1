"""[[tariff]]: what energy costs, and from when to when. Read into the shapes of the room `tariffs`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, PlainValidator

from wattbook.model.nearest import did_you_mean
from wattbook.model.sources import Source
from wattbook.tariffs import DAYS, MINOR_DIGITS, EnergyPrice, Version, When
from wattbook.values import Name

PRICE_MAX = Decimal(1_000_000_000)  # of a kWh, in any currency
PLACES_MAX = 12  # decimals of a price
PRICES_MAX = 200  # in one version
HOLIDAYS_MAX = 1_000
_TIMES = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_GROUPS = {"workday": DAYS[:5], "weekend": DAYS[5:7]}
_STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


def _price(given: object) -> Decimal:
    """A number as it is written: Python shows a float by the shortest text that is it."""
    try:
        price = Decimal(str(given)) if isinstance(given, str | int | float) and not isinstance(given, bool) else None
    except InvalidOperation:
        price = None
    if price is None or not price.is_finite():
        raise ValueError(f'a price is a number such as 5.42 or "5.42", not {given!r}')
    if abs(price) > PRICE_MAX or -int(price.as_tuple().exponent) > PLACES_MAX:
        raise ValueError(f"a price has up to {PLACES_MAX} decimals and is under {PRICE_MAX:,}, not {given!r}")
    return price


def _date(given: object) -> date:
    try:
        return given if type(given) is date else date.fromisoformat(given)  # type: ignore[arg-type]  # a TypeError is told
    except (TypeError, ValueError) as error:
        raise ValueError(f"a date is written as 2026-01-31, without a time, not {given!r}") from error


def _currency(given: object) -> str:
    if given not in MINOR_DIGITS:
        near = did_you_mean(str(given), MINOR_DIGITS)
        raise ValueError(f"no currency of ISO 4217 is called {given!r}{near}; write for example EUR, CZK or MYR")
    return str(given)


def _day(given: object) -> str:
    known = (*DAYS, *_GROUPS)
    if given not in known:
        raise ValueError(f"no day is called {given!r}{did_you_mean(str(given), known)}; one of: {', '.join(known)}")
    return str(given)


def _times(given: object) -> tuple[int, int]:
    """Minutes of the day of "22:00-06:00"; 24:00 is its end."""
    match = _TIMES.fullmatch(given) if isinstance(given, str) else None
    start, end = (int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])) if match else (0, 0)
    if start == end or end > 24 * 60:
        raise ValueError(f'times are a text like "22:00-06:00" or "17:00-24:00", not {given!r}')
    return start, end


Price = Annotated[Decimal, PlainValidator(_price)]
Day = Annotated[date, PlainValidator(_date)]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyPriceSettings:
    """[[tariff.energy]]: the price of a kWh; those of one source share out all time."""

    __pydantic_config__ = _STRICT
    name: Name  # "low tariff"
    price: Price  # of a kWh, exact: 5.42; may be 0 or negative
    source: Source = "utility"  # solar and battery cost 0 by themselves
    export: bool = False  # what is paid for a kWh that is given away: a credit
    register: Literal["", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"] = ""  # where a meter has it, it decides
    days: Annotated[
        tuple[Annotated[str, PlainValidator(_day)], ...], Field(max_length=10)
    ] = ()  # mon … sun, workday, weekend, holiday; () = all
    times: Annotated[
        tuple[Annotated[tuple[int, int], PlainValidator(_times)], ...], Field(max_length=48)
    ] = ()  # "22:00-06:00", local
    months: Annotated[tuple[Annotated[int, Field(ge=1, le=12)], ...], Field(max_length=12)] = ()  # 1 to 12; () = all

    def made(self) -> EnergyPrice:
        """As the room `tariffs` knows it."""
        days = frozenset(day for each in self.days for day in _GROUPS.get(each, (each,)))
        when = When(frozenset(self.months), days, self.times)
        return EnergyPrice(self.name, self.price, self.source, self.export, self.register, when)


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffSettings:
    """[[tariff]]: prices from one day to another; new prices are a table more, and the old ones stay."""

    __pydantic_config__ = _STRICT
    currency: Annotated[str, PlainValidator(_currency)]  # of ISO 4217: EUR
    energy: Annotated[tuple[EnergyPriceSettings, ...], Field(min_length=1, max_length=PRICES_MAX)]  # the tables below
    valid_from: Day | None = None  # the first local day: 2026-01-01; else since ever
    valid_to: Day | None = None  # the first local day that it does not hold; else until the next table
    holidays: Annotated[tuple[Day, ...], Field(max_length=HOLIDAYS_MAX)] = ()  # what `days = ["holiday"]` means

    def made(self) -> Version:
        """As the room `tariffs` knows it."""
        prices = tuple(each.made() for each in self.energy)
        return Version(self.currency, prices, self.valid_from, self.valid_to, frozenset(self.holidays))
