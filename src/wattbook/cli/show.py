"""How answers look: one JSON object a line for scripts, tables and bars for people."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wattbook.codecs.reading_json import encode
from wattbook.model import Quality, Reading, quantity

HERE = Path("wattbook.toml")
ConfigOption = Annotated[Path, typer.Option("-c", "--config", help="The configuration file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
_KILO = ("Wh", "varh", "VAh")


def console(*, stderr: bool = False) -> Console:
    """Where people look. Brackets and colons are text: names, paths, [[tables]] and line numbers have them."""
    return Console(stderr=stderr, soft_wrap=True, markup=False, emoji=False)


def counted(count: int, what: str) -> str:
    """So many of something: 1 reading, 2 readings."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def print_line(text: str) -> None:
    """Write one line for a script, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def print_reading(reading: Reading, *, as_json: bool, zone: tzinfo | None = None) -> None:
    """Print a reading as one line of JSON, or as a table for people in local time."""
    if as_json:
        print_line(encode(reading).decode())
        return
    out = console()
    out.print(Text(reading.meter, "bold"), f" {local(reading.at, zone)}", highlight=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    for column in ("left", "right", "left", "left"):
        table.add_column(justify=column)
    for name, value in reading.values.items():
        shown, unit = for_people(value, quantity(name).unit)
        table.add_row(quantity(name).title, shown, unit, _doubt(reading.quality, reading.doubt, name))
    out.print(table)


def _doubt(quality: Quality, doubt: Mapping[str, Quality], name: str) -> str:
    found = doubt.get(name, quality)
    return "" if found is Quality.GOOD else str(found)


def for_people(value: float, unit: str) -> tuple[str, str]:
    """A base-unit value as people read it: energy in kWh, no unit for ratios."""
    if unit in _KILO:
        return f"{value / 1000:,.3f}".replace(",", "\u202f"), f"k{unit}"
    return f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}", "" if unit == "1" else unit


def local(at: datetime, zone: tzinfo | None) -> str:
    """An instant in local time, to the second."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def bar(share: float, width: int = 24) -> str:
    """A horizontal bar of eighth blocks: `share` from 0 to 1."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    return "█" * (eighths // 8) + ("" if eighths % 8 == 0 else "▏▎▍▌▋▊▉"[eighths % 8 - 1])
