"""`wattbook decode`: captured bytes to readings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.text import Text

from wattbook.cli import complete
from wattbook.cli.files import read_bytes
from wattbook.cli.library import FolderOption, library_of
from wattbook.cli.show import JsonOption, console, print_line, print_reading
from wattbook.codecs.detect import Decoded
from wattbook.codecs.detect import decode as decode_bytes
from wattbook.codecs.telegram import Damage
from wattbook.model import Reading, SystemClock
from wattbook.profiles import Library, Profile

_SIZE_MAX = 16_000_000  # bytes: a day of a meter that speaks every second

Format = Literal["auto", "iec", "dsmr", "sml", "modbus", "cirbus"]


def register(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command()(decode)


def decode(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE|-...", help="Bytes or hexadecimal text; - is standard input.")
    ],
    *,
    format: Annotated[Format, typer.Option(help="What it is; else found out.")] = "auto",
    model: Annotated[
        str,
        typer.Option(
            help="Read it as this model sends it; Modbus and CIRBUS need one.", autocompletion=complete.models
        ),
    ] = "",
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what captured telegrams, readouts or Modbus answers say. Exits with 1 when any of it is damaged."""
    library = library_of(folder)
    profile = library.get(model) if model else None
    damaged = False
    for file in files:
        damaged |= _decode_file(file, format, profile, library, as_json=as_json)
    if damaged:
        raise typer.Exit(1)


def _decode_file(file: Path, format: Format, profile: Profile | None, library: Library, *, as_json: bool) -> bool:
    """Print one file; return whether any of it was damaged."""
    found = decode_bytes(read_bytes(file, _SIZE_MAX, advice="; cut it", stdin=True), format, profile, models=library)
    # A capture says nothing about when it was taken, unless it is a file.
    now = SystemClock().now()
    damaged = False
    if any(isinstance(item, Decoded) and item.nameless for item in found):
        advice = "only --model says what its values are; `wattbook models list` has the names"
        console(stderr=True).print(f"{file}: {advice}", highlight=False)
    for item in found:
        if isinstance(item, Damage):
            damaged = True
            _print_damage(item, as_json=as_json)
        else:
            measured = item.measured
            reading = Reading(item.meter or "unknown", now, measured.values, doubt=measured.doubt)
            print_reading(reading, as_json=as_json)
    return damaged


def _print_damage(damage: Damage, *, as_json: bool) -> None:
    if as_json:
        print_line(json.dumps({"error": damage.message, "offset": damage.offset}, ensure_ascii=False))
    else:
        console().print(Text("damaged", "red"), f"at byte {damage.offset}: {damage.message}", highlight=False)
