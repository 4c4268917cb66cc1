"""`wattbook latest` and `query`: what the book says, read beside a running daemon."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from wattbook import config as configuration
from wattbook.cli.show import HERE, ConfigOption, JsonOption, bar, console, for_people, local, print_line, print_reading
from wattbook.config import Config
from wattbook.engine.query import Answer, Question, ask
from wattbook.model import ConfigError, Kind, SystemClock, quantity
from wattbook.model.nearest import did_you_mean
from wattbook.store import BookReader


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command()(latest)
    app.command()(query)


def latest(
    meters: Annotated[list[str] | None, typer.Argument(metavar="[METER]...", help="Only these.")] = None,
    *,
    path: ConfigOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Print the latest reading of each meter."""
    config = configuration.load(path)
    for name in meters or []:
        _check_meter(config, name)
    with BookReader(config.book) as reader:
        readings = reader.latest(meters or None, now=SystemClock().now())
    for reading in readings:
        print_reading(reading, as_json=as_json, zone=config.site.timezone)
    if not readings and not as_json:
        console(stderr=True).print("The book has no reading yet.")


def query(
    meter: str,
    name: Annotated[str, typer.Argument(metavar="QUANTITY")],
    *,
    start: Annotated[str, typer.Option("--from", help="An instant: ISO 8601, today, yesterday, -24h.")] = "today",
    end: Annotated[str, typer.Option("--to", help="An instant, not included.")] = "now",
    every: Annotated[str, typer.Option(help="Step: 15min, 1h, 1d, 1w, 1mo. Registers give the energy of each.")] = "",
    aggregate: Annotated[str, typer.Option(help="Of gauges: mean, min, max, last.")] = "mean",
    path: ConfigOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Print what a meter told over a stretch of time: raw values, or energy and means by step."""
    config = configuration.load(path)
    _check_meter(config, meter)
    quantity(name)
    question = Question.parse(
        meter=meter,
        quantity=name,
        start=start,
        end=end,
        every=every,
        aggregate=aggregate,
        zone=config.site.timezone,
        now=SystemClock().now(),
    )
    with BookReader(config.book) as reader:
        answer = ask(reader, question, period_s=config.every_s(_meter(config, meter)))
    if as_json:
        print_line(json.dumps(answer.to_json(), ensure_ascii=False))
    else:
        _print_table(answer, config)


def _meter(config: Config, name: str) -> configuration.MeterSettings:
    return next(meter for meter in config.meters if meter.name == name)


def _check_meter(config: Config, name: str) -> None:
    names = [meter.name for meter in config.meters]
    if name not in names:
        raise ConfigError(f'no meter is called "{name}"{did_you_mean(name, names)}', place=str(config.path.name))


def _print_table(answer: Answer, config: Config) -> None:
    """Values in local time, with a bar each so that the shape of a day is seen."""
    if not answer.points:
        span = answer.question.span
        begin, end = local(span.start, config.site.timezone), local(span.end, config.site.timezone)
        console(stderr=True).print(f"No reading from {begin} to {end}.", highlight=False)
        return
    table = Table("from", answer.title, "", "", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    # A register that only grows has no shape worth a bar; its energy by step has.
    shape = answer.question.every is not None or quantity(answer.question.quantity).kind is Kind.GAUGE
    most = max((abs(point.value) for point in answer.points if point.value is not None), default=0.0)
    for point in answer.points:
        shown, unit = ("-", "") if point.value is None else for_people(point.value, answer.unit)
        doubt = "" if point.quality in ("good", "measured") else str(point.quality)
        length = bar(abs(point.value) / most) if shape and point.value is not None and most else ""
        table.add_row(local(point.at, config.site.timezone), f"{shown} {unit}".rstrip(), length, doubt)
    console().print(table)
