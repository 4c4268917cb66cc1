"""`wattbook cost`: what the energy of meters costs, by the prices of [[tariff]]."""

from __future__ import annotations

import json
from datetime import tzinfo
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from wattbook import config as configuration
from wattbook.cli import complete
from wattbook.cli.show import HERE, ConfigOption, JsonOption, bar, console, for_people, local, print_line
from wattbook.engine.ask_cost import Cost, NoTariff, ask_cost, tariff_of, with_sources
from wattbook.engine.asked import NotThere
from wattbook.engine.query import Question
from wattbook.model import ConfigError, EnergyQuality, SystemClock
from wattbook.model.batch import from_ms
from wattbook.store import BookReader
from wattbook.tariffs import amount_of, plain, rounded

if TYPE_CHECKING:  # it loads numpy
    from wattbook.engine.cost import Charge

_SOURCE = "All meters that stand at this source: utility, generator, solar, battery; may be repeated."
_LOCATION = 'And all meters at or below this place, as "plant/hall 2"; may be repeated.'


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command()(cost)


def cost(
    meters: Annotated[
        list[str] | None, typer.Argument(metavar="METER", show_default=False, autocompletion=complete.meters)
    ] = None,
    *,
    start: Annotated[str, typer.Option("--from", help="An instant: ISO 8601, today, yesterday, -24h.")] = "today",
    end: Annotated[str, typer.Option("--to", help="An instant, not included.")] = "now",
    every: Annotated[str, typer.Option(help="Step: 15min, 1h, 1d, 1w, 1mo, 1y. Else one amount in all.")] = "",
    sources: Annotated[list[str] | None, typer.Option("--source", help=_SOURCE)] = None,
    locations: Annotated[
        list[str] | None, typer.Option("--location", help=_LOCATION, autocompletion=complete.locations)
    ] = None,
    together: Annotated[bool, typer.Option("--sum", help="Add all of them up.")] = False,
    path: ConfigOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Print what energy costs: in all and by price, or step by step."""
    config = configuration.load(path)
    try:
        tariff_of(config)
        question = Question.parse(
            meters=with_sources(meters or (), sources or (), config),
            quantity="active_energy_import",
            start=start,
            end=end,
            zone=config.site.timezone,
            now=SystemClock().now(),
            locations=locations or (),
            every=every,
            together=together,
        )
        with BookReader(config.book) as reader:
            currency, costs = ask_cost(reader, question, config, sources or ())
    except (NoTariff, NotThere) as error:
        raise ConfigError(str(error), place=config.path.name) from error
    for each in costs:
        if as_json:
            told = {"currency": currency} | dict(each.to_json(stepped=question.every is not None))
            print_line(json.dumps(told, ensure_ascii=False, separators=(",", ":")))
        elif question.every is None:
            _print_prices(each)
        else:
            _print_steps(each, config.site.timezone)


def _print_prices(cost: Cost) -> None:
    """How much at which price, and the sum."""
    total = cost.total
    table = _table(cost.meter, "source", "energy", "price", cost.currency)
    for price, wh in total.parts.items():
        amount = amount_of(wh, price.price)
        paid = rounded(-amount if price.export else amount, cost.currency)
        name = f"{price.name} (export)" if price.export else price.name
        table.add_row(name, price.source, _energy(wh), plain(price.price), f"{paid:f}")
    known = total.known
    paid_in_all = f"{rounded(total.amount, cost.currency):f}" if known else "-"
    table.add_row("total", _doubt(total), _energy(total.energy_wh) if known else "-", "", paid_in_all)
    console().print(table)


def _print_steps(cost: Cost, zone: tzinfo) -> None:
    table = _table("from", cost.currency, "energy", "", "")
    amounts = [each.amount if each.known else None for each in cost.charges]
    most = max((abs(each) for each in amounts if each is not None), default=0)
    for each, amount in zip(cost.charges, amounts, strict=True):
        told = "-" if amount is None else f"{rounded(amount, cost.currency):f}"
        energy = "-" if amount is None else _energy(each.energy_wh)
        length = bar(float(abs(amount) / most)) if amount and most else ""
        table.add_row(local(from_ms(each.at_ms), zone), told, energy, length, _doubt(each))
    console().print(Text(cost.meter, "bold"))
    console().print(table)


def _table(*titles: str) -> Table:
    table = Table(*titles, box=None, pad_edge=False)
    for column in table.columns[1:4]:
        column.justify = "right"
    return table


def _energy(wh: Decimal) -> str:
    return " ".join(for_people(float(wh), "Wh"))


def _doubt(charge: Charge) -> str:
    return "" if charge.quality is EnergyQuality.MEASURED else str(charge.quality)
