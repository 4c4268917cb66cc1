"""`wattbook sink`: how readings reach other systems; pause, resume, replay."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from wattbook import config as configuration
from wattbook.cli import complete
from wattbook.cli.show import HERE, ConfigOption, JsonOption, console, local, print_line
from wattbook.cli.through import ask_daemon, through_daemon
from wattbook.config import Config
from wattbook.engine.deliver import PAUSED, REPLAYED, RESUMED
from wattbook.engine.instants import parse_instant
from wattbook.engine.order_sinks import sink_json
from wattbook.engine.run_sinks import check_replay, position_name, replayed
from wattbook.engine.try_again import set_aside
from wattbook.model import ConfigError, Event, SystemClock
from wattbook.model.nearest import did_you_mean
from wattbook.store import Book, BookHeld, BookReader

app = typer.Typer(help="How readings reach other systems.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Its name in wattbook.toml.", autocompletion=complete.sinks)]


def register(typer_app: typer.Typer) -> None:
    """Add this room's commands."""
    typer_app.add_typer(app, name="sink")


@app.command()
def status(*, path: ConfigOption = HERE, as_json: JsonOption = False) -> None:
    """Print how each sink fares: state, what waits for it, what it refused."""
    config = configuration.load(path)
    sinks = _from_daemon(config) or _from_book(config)
    if as_json:
        for sink in sinks:
            print_line(json.dumps(sink, ensure_ascii=False))
        return
    if not sinks:
        console(stderr=True).print("wattbook.toml has no [[sink]].")
        return
    table = Table("sink", "kind", "state", "waiting", "newest", "set aside", box=None, pad_edge=False)
    for sink in sinks:
        newest = local(datetime.fromisoformat(sink["newest"]), config.site.timezone) if sink["newest"] else ""
        table.add_row(sink["name"], sink["kind"], sink["state"], str(sink["behind"]), newest, str(sink["set_aside"]))
    console().print(table)
    for sink in sinks:
        if sink["reason"]:  # whole: an address that is cut off helps nobody
            print_line(f"{sink['name']}: {sink['reason']}")


@app.command()
def pause(name: Name, *, path: ConfigOption = HERE) -> None:
    """Send a sink nothing until it is resumed, also over restarts. Nothing is lost: what comes waits for it."""
    _order(path, name, {"do": "pause"})
    console(stderr=True).print(f"{name}: paused", highlight=False)


@app.command()
def resume(name: Name, *, path: ConfigOption = HERE) -> None:
    """Send a paused sink what has waited for it, and go on."""
    _order(path, name, {"do": "resume"})
    console(stderr=True).print(f"{name}: goes on", highlight=False)


@app.command()
def replay(
    name: Name,
    *,
    start: Annotated[str, typer.Option("--from", help="An instant: ISO 8601, today, -24h. Else the beginning.")] = "",
    refused: Annotated[bool, typer.Option("--refused", help="Only what was set aside, once more.")] = False,
    path: ConfigOption = HERE,
) -> None:
    """Send a sink once more what it should have: everything from an instant on, or what it had refused."""
    order: dict[str, Any] = (
        {"do": "replay"} | ({"from": start} if start else {}) | ({"refused": True} if refused else {})
    )
    answer = _order(path, name, order)
    if refused:
        console(stderr=True).print(f"{name}: took {answer['taken']} of what was set aside", highlight=False)
    else:
        console(stderr=True).print(f"{name}: delivers once more {f'from {start}' if start else 'everything'}")


def _from_daemon(config: Config) -> Sequence[Mapping[str, Any]]:
    return list(ask_daemon(config, "/api/v1/sinks") or ())


def _from_book(config: Config) -> Sequence[Mapping[str, Any]]:
    with BookReader(config.book) as reader:
        return [
            sink_json(settings, reader, None, set_aside=len(set_aside(reader, settings.name).readings))
            for settings in config.sinks
        ]


def _order(path: Path, name: str, order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Through the daemon, or into the book where none runs."""
    config = configuration.load(path)
    names = [sink.name for sink in config.sinks]
    if name not in names:
        raise ConfigError(f'no sink is called "{name}"{did_you_mean(name, names)}', place=config.path.name)
    who = getpass.getuser()
    clock = SystemClock()
    try:
        with Book.open(config.book, clock=clock, site=config.site.name) as book, BookReader(config.book) as reader:
            return _enter(config, book, reader, name, order, Event("", name, clock.now(), {}, who))
    except BookHeld as held:
        return through_daemon(config, held, f"/api/v1/sinks/{name}", {**order, "who": who})


def _enter(
    config: Config, book: Book, reader: BookReader, name: str, order: Mapping[str, Any], by: Event
) -> Mapping[str, Any]:
    """Write down what the daemon will find when it starts."""
    if order.get("refused"):
        raise ConfigError("what was set aside is sent by the running daemon; start it first")
    kind = {"pause": PAUSED, "resume": RESUMED, "replay": REPLAYED}[order["do"]]
    body: dict[str, Any] = {}
    if kind == REPLAYED:
        settings = next(sink for sink in config.sinks if sink.name == name)
        check_replay(name, settings.make(config.surroundings))
        start = order.get("from", "")
        since = parse_instant(start, zone=config.site.timezone, now=by.at) if start else None
        position = replayed(book, reader, settings, since)
        book.acknowledge(position_name(name), position.after, position.bookmark)
        body = {"from": since.isoformat() if since else ""}
    book.append_event(Event(kind, name, by.at, body, by.actor)).result()
    return {"done": order["do"]}
