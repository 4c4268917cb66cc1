"""A question about money -> what each meter's energy costs, or that of several together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from wattbook.codecs.reading_json import format_instant
from wattbook.config import Config
from wattbook.engine.ask import able_of, of_each_place
from wattbook.engine.asked import NotThere
from wattbook.engine.query import Question
from wattbook.engine.tabulate import WORST, Row
from wattbook.model import ConfigError
from wattbook.model.batch import from_ms
from wattbook.model.nearest import did_you_mean
from wattbook.model.sources import SOURCES
from wattbook.store import BookReader
from wattbook.tariffs import EnergyPrice, Tariff, amount_of, plain, rounded

if TYPE_CHECKING:  # these load numpy, 17 MB, which is loaded when the first question comes
    from wattbook.engine.cost import Charge

POINTS_MAX = 20_000  # of all answers to one question: each is exact decimal text with its parts
NO_TARIFF = "nobody says what energy costs: add a [[tariff]] to wattbook.toml (see how-to/cost)"


class NoTariff(ConfigError):
    """The configuration has no prices."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What the energy of one meter costs, or that of several together."""

    meter: str
    currency: str
    charges: Sequence[Charge]  # one for each step

    @property
    def total(self) -> Charge:
        """All steps as one."""
        from wattbook.engine.cost import in_all

        return in_all(self.charges)

    def to_json(self, *, stepped: bool) -> Mapping[str, Any]:
        """Amounts are decimal text; `rounded` is as it is paid."""
        total = self.total
        told: dict[str, Any] = {"meter": self.meter, "total": _charge_json(total)}
        if total.known:
            told["total"]["rounded"] = format(rounded(total.amount, self.currency), "f")
        told["prices"] = [_part_json(price, wh) for price, wh in total.parts.items()]
        if stepped:
            told["points"] = [{"at": format_instant(from_ms(each.at_ms))} | _charge_json(each) for each in self.charges]
        return told


def ask_cost(
    reader: BookReader, question: Question, config: Config, sources: Sequence[str] = ()
) -> tuple[str, Sequence[Cost]]:
    """The currency, and one answer for each meter, or one for all where the question says together.

    Raises NoTariff, NotThere, ConfigError for what cannot be asked, BookError when it would be too long.
    """
    from wattbook.engine.cost import charges_of, currency_of, together
    from wattbook.engine.told import Told

    tariff = tariff_of(config)
    currency = currency_of(tariff, question)
    if question.by_location:
        return currency, list(of_each_place(question, lambda one: ask_cost(reader, one, config)[1]))
    told = Told(reader, config)
    costs: list[Cost] = []
    for each in able_of(told, question):
        costs.append(Cost(each.name, currency, charges_of(told, each, question, tariff)))
        if sum(len(cost.charges) for cost in costs) > POINTS_MAX:
            raise ConfigError(f"more than {POINTS_MAX} amounts; choose longer steps, or a shorter time")
    if question.together and costs:
        name = " + ".join((*sources, *question.locations) or question.meters)
        return currency, [Cost(name, currency, together([cost.charges for cost in costs]))]
    return currency, costs


def tariff_of(config: Config) -> Tariff:
    """The prices of a configuration. Raises NoTariff."""
    if config.tariff is None:
        raise NoTariff(NO_TARIFF)
    return config.tariff


def with_sources(question_meters: Sequence[str], sources: Sequence[str], config: Config) -> Sequence[str]:
    """The meters that are named and those that stand at a source. Raises NotThere."""
    found = list(question_meters)
    for source in sources:
        if source not in SOURCES:
            near = did_you_mean(source, SOURCES)
            raise NotThere(f'no source is called "{source}"{near}; one of: {", ".join(SOURCES)}')
        at = [meter.name for meter in config.meter_tables if meter.source == source]
        if not at:
            raise NotThere(f'no meter has source = "{source}"')
        found += at
    return list(dict.fromkeys(found))


def cost_rows(costs: Sequence[Cost]) -> Iterator[Row]:
    """One row for each step: what it costs for each of them, for a spreadsheet, and the worst quality."""
    for charges in zip(*(cost.charges for cost in costs), strict=True):
        worst = max(WORST.index(each.quality) for each in charges)
        amounts = [float(each.amount) if each.known else None for each in charges]
        yield from_ms(charges[0].at_ms), amounts, str(WORST[worst])


def _charge_json(charge: Charge) -> dict[str, Any]:
    known = charge.known
    told: dict[str, Any] = {
        "amount": plain(charge.amount) if known else None,
        "energy": plain(charge.energy_wh) if known else None,
        "quality": str(charge.quality),
    }
    return told | ({"missing_s": charge.missing_ms // 1000} if charge.missing_ms else {})


def _part_json(price: EnergyPrice, wh: Decimal) -> Mapping[str, Any]:
    amount = amount_of(wh, price.price)
    return {
        "name": price.name,
        "source": price.source,
        "export": price.export,
        "price": plain(price.price),
        "energy": plain(wh),
        "amount": plain(-amount if price.export else amount),
    }
