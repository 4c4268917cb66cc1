"""`wattbook query`: what meters told over a stretch of time, read beside a running daemon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from wattbook import config as configuration
from wattbook.cli import complete
from wattbook.cli.query_table import print_csv, print_table
from wattbook.cli.show import HERE, ConfigOption, JsonOption, console, print_line
from wattbook.engine.answer import Answer
from wattbook.engine.ask import ask
from wattbook.engine.asked import NotThere
from wattbook.engine.query import Question
from wattbook.model import ConfigError, SystemClock
from wattbook.model.vocabulary import all_names
from wattbook.store import BookReader

_FROM = "An instant: ISO 8601, today, yesterday, -24h."
_EVERY = "Step: 15min, 1h, 1d, 1w, 1mo, 1y. Registers give the energy of each."
_LOCATION = 'And all meters at or below this place, as "plant/hall 2"; may be repeated.'
_POINTS = "Without --every: so many values at the most, with every peak."


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command()(query)


def query(
    meters: Annotated[
        list[str] | None,
        typer.Argument(metavar="METER", show_default=False, autocompletion=complete.meters_and_quantities),
    ] = None,
    *,
    name: Annotated[str, typer.Argument(metavar="QUANTITY", autocompletion=complete.meters_and_quantities)],
    start: Annotated[str, typer.Option("--from", help=_FROM)] = "today",
    end: Annotated[str, typer.Option("--to", help="An instant, not included.")] = "now",
    every: Annotated[str, typer.Option(help=_EVERY)] = "",
    aggregate: Annotated[str, typer.Option(help="Of gauges: mean, min, max, last.")] = "mean",
    locations: Annotated[
        list[str] | None, typer.Option("--location", help=_LOCATION, autocompletion=complete.locations)
    ] = None,
    together: Annotated[bool, typer.Option("--sum", help="Add all of them up.")] = False,
    by: Annotated[str, typer.Option(help='"source": energy by where it came from; "location": a sum for each.')] = "",
    points: Annotated[int | None, typer.Option(help=_POINTS)] = None,
    path: ConfigOption = HERE,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A table for a spreadsheet, in base units.")] = False,
) -> None:
    """Print what meters told over a stretch of time: raw values, or energy and means by step."""
    if as_json and as_csv:
        raise ConfigError("choose --json or --csv")
    config = configuration.load(path)
    if name in config.meter_names and name not in all_names():
        advice = f"it is a meter, and a quantity comes after it: query {name} active_power"
        raise ConfigError(f'no quantity is called "{name}"; {advice}')
    question = Question.parse(
        meters=meters or (),
        quantity=name,
        start=start,
        end=end,
        zone=config.site.timezone,
        now=SystemClock().now(),
        locations=locations or (),
        every=every,
        aggregate=aggregate,
        together=together,
        by=by,
        points=points,
    )
    with BookReader(config.book) as reader:
        try:
            answers = ask(reader, question, config)
        except NotThere as error:
            raise ConfigError(str(error), place=config.path.name) from error
    if as_json:
        for answer in answers:
            print_line(answer.to_json().decode())
        return
    (print_csv if as_csv else print_table)(answers, config.site.timezone)
    _print_notes(answers)


def _print_notes(answers: Sequence[Answer]) -> None:
    """Say on standard error what the numbers alone do not tell."""
    told = console(stderr=True)
    for meter in dict.fromkeys(meter for answer in answers for meter in answer.integrated):
        told.print(f"{meter} has no register of this: its power was added up.", highlight=False)
    for answer in answers:
        for meter, steps in answer.gaps.items():
            told.print(f"{answer.meter}: {meter} is missing in {steps} of the steps.", highlight=False)
