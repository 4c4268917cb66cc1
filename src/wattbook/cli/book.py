"""`wattbook latest`: what the book says last, read beside a running daemon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from wattbook import config as configuration
from wattbook.cli import complete
from wattbook.cli.show import HERE, ConfigOption, JsonOption, console, print_reading
from wattbook.config import Config
from wattbook.model import ConfigError, SystemClock
from wattbook.model.nearest import did_you_mean
from wattbook.store import BookReader


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command()(latest)


def latest(
    meters: Annotated[
        list[str] | None, typer.Argument(metavar="[METER]...", help="Only these.", autocompletion=complete.own_meters)
    ] = None,
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
    if not as_json:
        _tell_missing(meters or [], [reading.meter for reading in readings])


def _tell_missing(asked: Sequence[str], told: Sequence[str]) -> None:
    err = console(stderr=True)
    for name in asked:
        if name not in told:
            err.print(f"The book has no reading of {name} yet.", highlight=False)
    if not asked and not told:
        err.print("The book has no reading yet.")


def _check_meter(config: Config, name: str) -> None:
    if name in config.formulas:
        raise ConfigError(f'"{name}" is computed from others and has no readings of its own; `wattbook query` tells')
    names = [meter.name for meter in config.meters]
    if name not in names:
        raise ConfigError(f'no meter is called "{name}"{did_you_mean(name, names)}', place=str(config.path.name))
