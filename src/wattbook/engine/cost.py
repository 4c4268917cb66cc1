"""What energy costs: each short step of it at the price that holds then, added up exactly.

A meter at a source is priced as that source; the utility's by its registers t1, t2 … where the tariff has prices for
them and the meter has them. Any other meter's energy is shared out as the sources gave at that time (`by_source`); in a
house whose meters stand at no source all of it is the utility's. Each version of the tariff decides for its own time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import groupby
from math import gcd

from wattbook.config import Config
from wattbook.engine.asked import Asked
from wattbook.engine.computed import energy_of
from wattbook.engine.query import Question
from wattbook.engine.told import Told
from wattbook.model import ConfigError, EnergyQuality, Series, Span
from wattbook.model.batch import from_ms, to_ms
from wattbook.model.series import ENERGY_QUALITIES
from wattbook.store import Step
from wattbook.store.steps import boundaries
from wattbook.tariffs import ZERO, EnergyPrice, Tariff, Version, Zones, amount_of, total_of

IMPORT, EXPORT = "active_energy_import", "active_energy_export"
_SHARED_MIN = 15  # minutes: how energy is shared out by source
_SPREAD, _ESTIMATED, _MISSING = map(
    ENERGY_QUALITIES.index, (EnergyQuality.SPREAD, EnergyQuality.ESTIMATED, EnergyQuality.MISSING)
)


@dataclass(frozen=True, slots=True)
class Way:
    """How a meter's energy is priced under one version of the tariff."""

    taken: tuple[str, ...] = ("",)  # registers that decide; "" = the one of all energy, by the clock
    sold: tuple[str, ...] = ()  # the same of export; () = no credit is due
    shared: bool = False  # by where it came from


@dataclass(frozen=True, slots=True)
class Flow:
    """Energy that is priced in one way, in short steps."""

    series: Series
    source: str
    export: bool = False
    register: str = ""  # its price is that of this register, whatever the clock says
    guessed: bool = False  # nobody knows that it came from there

    def price(self, tariff: Tariff, at_ms: int) -> EnergyPrice | None:
        """What a kWh of it costs in the short step that begins then."""
        at = from_ms(at_ms)
        if self.register:
            return tariff.price_of_register(at, self.register, export=self.export)
        return tariff.price(at, self.source, export=self.export)


@dataclass(slots=True)
class Charge:
    """What the energy of one step costs."""

    at_ms: int
    parts: dict[EnergyPrice, Decimal] = field(default_factory=dict)  # Wh at each price
    worst: int = 0  # place in ENERGY_QUALITIES of the worst that is known
    missing_ms: int = 0  # of its time, without energy or without a price

    @property
    def known(self) -> bool:
        """Whether there is anything to add up."""
        return bool(self.parts)

    @property
    def amount(self) -> Decimal:
        """Exact, in the tariff's currency; a credit is negative."""
        return total_of(_signed(price, amount_of(wh, price.price)) for price, wh in self.parts.items())

    @property
    def energy_wh(self) -> Decimal:
        """What was taken; what was given away is not subtracted."""
        return total_of(wh for price, wh in self.parts.items() if not price.export)

    @property
    def quality(self) -> EnergyQuality:
        """As that of energy: `missing` where nothing is known, at least `spread` where a part of it is."""
        if not self.known:
            return EnergyQuality.MISSING
        return ENERGY_QUALITIES[max(self.worst, _SPREAD) if self.missing_ms else self.worst]

    def add(self, other: Charge) -> None:
        """Put another meter's same step, or a later step of the same, into this one; the caller counts its time."""
        for price, wh in other.parts.items():
            self.parts[price] = self.parts.get(price, ZERO) + wh
        self.worst = max(self.worst, other.worst)


def _signed(price: EnergyPrice, amount: Decimal) -> Decimal:
    return -amount if price.export else amount


def charges_of(told: Told, asked: Asked, question: Question, tariff: Tariff) -> Sequence[Charge]:
    """One charge for each step of a question; one in all, where it has no steps. Raises ConfigError or BookError."""
    edges = boundaries(question.span, question.every or Step(10, "y"), question.zone)
    charges = [Charge(at_ms) for at_ms in (edges[:-1] if question.every else edges[:1])]
    short = _short_step(question.every, tariff.grid_min)
    starts = [charge.at_ms for charge in charges]
    for span, way in _ways(told, asked, question.span, tariff):
        for part in _parts(span, short):
            missing: dict[int, int] = {}  # start of a short step -> its length: counted once, whatever is missing in it
            for flow in _flows(told, asked, replace(question, quantity=IMPORT, span=part, every=short), way):
                _charge(flow, tariff, charges, starts, missing, to_ms(part.end))
            for at_ms, length in missing.items():
                charges[bisect_right(starts, at_ms) - 1].missing_ms += length
    return charges


def _parts(span: Span, short: Step) -> Iterable[Span]:
    """Parts with not too many short steps for one question to the book. Raises ConfigError."""
    if short.unit not in ("s", "min"):
        return [span]
    from wattbook.engine.by_source import SHARED_STEPS_MAX, parts_of

    if span.duration / short.short > SHARED_STEPS_MAX:
        raise ConfigError("too long for prices that change within a day; ask for a shorter time")
    return parts_of(span, short)


def _charge(
    flow: Flow, tariff: Tariff, charges: Sequence[Charge], starts: Sequence[int], missing: dict[int, int], end_ms: int
) -> None:
    at, values = flow.series.at_ms, flow.series.values
    for place, (at_ms, value, code) in enumerate(zip(at, values, flow.series.quality, strict=True)):
        price = flow.price(tariff, at_ms)
        if value != value or price is None:
            missing[at_ms] = (at[place + 1] if place + 1 < len(at) else end_ms) - at_ms
            continue
        charge = charges[bisect_right(starts, at_ms) - 1]
        charge.parts[price] = charge.parts.get(price, ZERO) + Decimal(repr(value))
        if value or not flow.guessed:
            charge.worst = max(charge.worst, _ESTIMATED if flow.guessed else code)


def together(several: Sequence[Sequence[Charge]]) -> Sequence[Charge]:
    """The same steps of several meters as one; its time is missing where it is for any of them."""
    total = [Charge(each.at_ms) for each in several[0]]
    for charges in several:
        for sum_, charge in zip(total, charges, strict=True):
            sum_.add(charge)
            sum_.missing_ms = max(sum_.missing_ms, charge.missing_ms)
    return total


def in_all(charges: Sequence[Charge]) -> Charge:
    """All steps as one."""
    total = Charge(charges[0].at_ms)
    for charge in charges:
        total.add(charge)
        total.missing_ms += charge.missing_ms
    return total


def _short_step(every: Step | None, grid_min: int | None) -> Step:
    """The longest step that lies in one of the question's and in which no price changes."""
    if grid_min is None and (every is None or not every.is_short):
        return Step(1, "d")
    if every is None or not every.is_short:
        return Step(grid_min or _SHARED_MIN, "min")
    every_s = int(every.short.total_seconds())
    return Step(gcd(every_s, grid_min * 60), "s") if grid_min else every


def _ways(told: Told, asked: Asked, span: Span, tariff: Tariff) -> Iterator[tuple[Span, Way]]:
    """Cut a span where energy begins to be priced in another way. Raises ConfigError."""
    for way, group in groupby(tariff.parts(span), lambda part: _way(told, asked, part[1])):
        parts = [part for part, _ in group]
        yield Span(parts[0].start, parts[-1].end), way


def _way(told: Told, asked: Asked, version: Version | None) -> Way:
    source = source_of(told.config, asked)
    if version is None or source not in ("", "utility"):
        return Way()
    taken = _registers(told, asked, IMPORT, version.of("utility"))
    if taken == ("",) and not source and any(meter.source for meter in told.config.meter_tables):
        return Way(shared=True)  # what a consumer gives away is not sold
    return Way(taken, _sold(told, asked, version.of("utility", export=True)))


def _registers(told: Told, asked: Asked, name: str, prices: Zones) -> tuple[str, ...]:
    """The registers that have prices, where the meter has all of them; else the one of all energy, by the clock."""
    registers = sorted(prices.registers)
    if registers and _tells(told, asked, name, registers):
        return tuple(registers)
    if not prices.by_clock:
        of_export = " of export" if name == EXPORT else ""
        raise ConfigError(
            f'"{asked.name}" has no registers {", ".join(registers)}{of_export}, and [tariff] does not say when '
            'their prices hold; add "times" to all of them but one'
        )
    return ("",)


def _sold(told: Told, asked: Asked, prices: Zones) -> tuple[str, ...]:
    """Only registers tell that a credit is due: a power that is added up would make all of it `estimated`."""
    counted = any(each and _tells(told, asked, EXPORT, each) for each in ([*prices.registers], [""]))
    return _registers(told, asked, EXPORT, prices) if prices.prices and counted else ()


def _tells(told: Told, asked: Asked, name: str, registers: Sequence[str]) -> bool:
    """Whether every real meter of this one has all these registers."""
    return all(told.tells(part, _quantity(name, each)) for part in asked.parts for each in registers)


def _quantity(name: str, register: str) -> str:
    return f"{name}_{register}" if register else name


def _flows(told: Told, asked: Asked, question: Question, way: Way) -> Iterator[Flow]:
    if way.shared:
        yield from _shared(told, asked, question)
        return
    source = source_of(told.config, asked) or "utility"
    for register in way.taken:
        name = _quantity(IMPORT, register) if register else _counted(told, asked)
        yield Flow(_energy(told, asked, question, name), source, register=register)
    for register in way.sold:
        series = _energy(told, asked, question, _quantity(EXPORT, register))
        yield Flow(series, source, export=True, register=register)


def _energy(told: Told, asked: Asked, question: Question, name: str) -> Series:
    return energy_of(told, asked, replace(question, quantity=name), _step(question))


def _shared(told: Told, asked: Asked, question: Question) -> Iterator[Flow]:
    from wattbook.engine.by_source import by_source

    step = _step(question)
    if not step.is_short:  # shared out by quarters, priced in them too
        question = replace(question, every=Step(_SHARED_MIN, "min"))
    for answer in by_source(told, asked, question):
        guessed = answer.source == "unknown"
        yield Flow(answer.series, "utility" if guessed else answer.source, guessed=guessed)


def _step(question: Question) -> Step:
    assert question.every is not None, "set by charges_of"
    return question.every


def source_of(config: Config, asked: Asked) -> str:
    """Where a meter stands; "" = at none of the sources."""
    return next((meter.source for meter in config.meter_tables if meter.name == asked.name), "")


def _counted(told: Told, asked: Asked) -> str:
    """A generator's or the sun's meter may count what it gives as export."""
    return IMPORT if any(told.answers(part, IMPORT) for part in asked.parts) else EXPORT


def currency_of(tariff: Tariff, question: Question) -> str:
    """The one currency of a question's time. Raises ConfigError where it changes."""
    found = dict.fromkeys(version.currency for _, version in tariff.parts(question.span) if version)
    if len(found) > 1:
        raise ConfigError(f"prices are in {' and '.join(found)} in that time; ask for each by itself")
    return next(iter(found), tariff.currency(question.span.start))
