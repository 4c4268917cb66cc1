"""`wattbook mover`: history from one store into another, compared at the end."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import UTC
from pathlib import Path
from typing import Annotated

import typer

from wattbook import config as configuration
from wattbook.cli.importing import zone_called
from wattbook.cli.mover_ends import Ends, SourceWishes
from wattbook.cli.mover_told import moved_as_json, show_moved
from wattbook.cli.progress import progress
from wattbook.cli.show import HERE, ConfigOption, JsonOption, print_line
from wattbook.config import Config
from wattbook.engine.instants import parse_instant
from wattbook.engine.move import move
from wattbook.engine.move_from import whole_time
from wattbook.exchange import AUTO, SYSTEMS
from wattbook.model import ConfigError, Span, SystemClock
from wattbook.values import Secret


def register(app: typer.Typer) -> None:
    """Add this room's command."""
    app.command()(mover)


def mover(
    ends: Annotated[
        list[str],
        typer.Argument(
            metavar="FROM... TO",
            help="book, a [[sink]] by its name, files of one system, or the address of a database "
            "(http://HOST:8086/DATABASE, postgresql://…, mongodb://…). TO may also be a kind of sink, with --set.",
        ),
    ],
    *,
    start: Annotated[str, typer.Option("--from", help="An instant: ISO 8601, today, yesterday, -24h.")] = "",
    end: Annotated[str, typer.Option("--to", help="An instant, not included.")] = "",
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of the sink that is made for it.")
    ] = None,
    table: Annotated[str, typer.Option(help="The table, collection or measurement that is read.")] = "",
    password: Annotated[
        Path | None, typer.Option("--password-file", help="The password of the database that is read.")
    ] = None,
    system: Annotated[str, typer.Option(help=f"Of files: {', '.join((AUTO, *SYSTEMS))}.")] = AUTO,
    maps: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="NAME=METER.QUANTITY[:UNIT]", help="What a column, field or series is."),
    ] = None,
    meter: Annotated[str, typer.Option(help="Whose readings they are, where nothing there names a meter.")] = "",
    time: Annotated[str, typer.Option("--time", metavar="COLUMN", help="The time; DATE+TIME joins two.")] = "",
    time_format: Annotated[str, typer.Option(help='iso, unix, or as "%d.%m.%Y %H:%M"; else it is recognised.')] = "",
    zone: Annotated[str, typer.Option(help="Of times without an offset; else the site's.")] = "",
    verify: Annotated[bool, typer.Option(help="Read again what then stands there, and compare.")] = True,
    path: ConfigOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Copy history between any two stores; a checksum of every value tells whether all of it is there."""
    if len(ends) < 2:
        raise ConfigError("say where from and where to: wattbook mover http://127.0.0.1:8086/housePower book")
    config = configuration.load(path)
    wishes = SourceWishes(tuple(maps or ()), meter, time, time_format, zone_called(zone, config), _password(password))
    with ExitStack() as opened:
        named = Ends(config, _span(start, end, config), wishes, opened)
        origin = named.origin(ends[:-1], table, system)
        goal = named.goal(ends[-1], origin, sets or [])
        told = opened.enter_context(progress(f"{origin.title} → {goal.title}"))
        moved = move(origin, goal, told, verify=verify)
    if as_json:
        print_line(json.dumps(moved_as_json(moved, origin, goal), ensure_ascii=False))
    else:
        show_moved(moved, origin, goal)
    if not moved.good:
        raise typer.Exit(1)


def _password(file: Path | None) -> Secret | None:
    try:
        return None if file is None else Secret(file.read_text(encoding="utf-8").rstrip("\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", place=str(file)) from error


def _span(start: str, end: str, config: Config) -> Span:
    now, zone, whole = SystemClock().now(), config.site.timezone, whole_time()
    begin = parse_instant(start, zone=zone, now=now).astimezone(UTC) if start else whole.start
    stop = parse_instant(end, zone=zone, now=now).astimezone(UTC) if end else whole.end
    if stop < begin:
        raise ConfigError(f'"{end}" lies before "{start}"')
    return Span(begin, stop)
