"""What a shell offers behind a command: names that the configuration, the book and the library of models have.

A shell wants names or nothing. Where the file or the book cannot be read nothing is offered, and the command itself,
once it is sent, says why. What reads them is imported when a shell asks: every command imports this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from wattbook.model.errors import WattbookError

if TYPE_CHECKING:
    from wattbook.access.people import People
    from wattbook.config import Config

Offered = list[str | tuple[str, str]]  # names, with what they are where that helps
Offer = Callable[[typer.Context], Offered]


def _named(names_of: Callable[[Config], Iterable[str]]) -> Offer:
    """Offers what the command's configuration names."""

    def offer(ctx: typer.Context) -> Offered:
        try:
            return list(names_of(_config(ctx)))
        except WattbookError:
            return []

    return offer


def _config(ctx: typer.Context) -> Config:
    from wattbook.config import load

    return load(Path(ctx.params["path"]))


def _places(config: Config) -> Iterable[str]:
    from wattbook.engine.asked import and_above

    return and_above([meter.location for meter in config.meter_tables])


def _people(config: Config) -> People:
    from wattbook.access import PeopleFile

    return PeopleFile(config.people).people()


meters = _named(lambda config: config.meter_names)
own_meters = _named(lambda config: [meter.name for meter in config.meters])  # without those computed from others
locations = _named(_places)
lines = _named(lambda config: [line.name for line in config.lines])
sinks = _named(lambda config: [sink.name for sink in config.sinks])
alerts = _named(lambda config: [*(each.name for each in config.alerts), *(each.name for each in config.notify)])
users = _named(lambda config: [user.name for user in _people(config).users])
tokens = _named(lambda config: [token.name for token in _people(config).tokens])


def quantities(ctx: typer.Context) -> Offered:
    """Offers what the book has of the meter named before."""
    return _told_by(ctx, [ctx.params["meter"]])


def meters_and_quantities(ctx: typer.Context) -> Offered:
    """Offers meters, and behind some what the book has of them."""
    return [*meters(ctx), *_told_by(ctx, [*(ctx.params["meters"] or ()), ctx.params["name"]])]


def models(ctx: typer.Context) -> Offered:
    """Offers the library's models, and those of a folder of one's own."""
    from wattbook.cli.library import library_of

    folder = ctx.params.get("folder")
    try:
        return [(profile.name, profile.title) for profile in library_of(folder)]
    except WattbookError:
        return []


def _told_by(ctx: typer.Context, names: Iterable[Any]) -> Offered:
    from wattbook.model import SystemClock, quantity
    from wattbook.store import BookReader

    try:
        config = _config(ctx)
        parts = [part for name in names if name in config.meter_names for part in config.parts_of(name)]
        if not parts:
            return []
        with BookReader(config.book) as reader:
            readings = reader.latest(parts, now=SystemClock().now())
    except WattbookError:
        return []
    told = dict.fromkeys(name for reading in readings for name in reading.values)
    return [(name, quantity(name).title) for name in told]
