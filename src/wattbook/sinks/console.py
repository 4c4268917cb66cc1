"""A table on the terminal or in the log, every two minutes unless told otherwise, as small loggers show it."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, TextIO

from pydantic import Field
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wattbook.model import Batch, Columns, SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.model.template import Template, parse_template
from wattbook.sinks.sink import SinkSettings, Written
from wattbook.values import Seconds, Start

ROWS_MAX = 100  # of one table: more than a screen
_DEFAULT: Mapping[str, str] = {
    "time": "{at:YYYY-MM-DD HH:MM:SS}",
    "meter": "{meter}",
    "V": "{voltage:.1f}",
    **{f"V {line.upper()}": f"{{voltage_{line}:.1f}}" for line in ("l1", "l2", "l3")},
    "A": "{current:.2f}",
    **{f"A {line.upper()}": f"{{current_{line}:.2f}}" for line in ("l1", "l2", "l3")},
    "kW": "{active_power:kW .3f}",
    "cos φ": "{power_factor:.2f}",
    "Hz": "{frequency:.2f}",
    "kWh in": "{active_energy_import:kWh .3f}",
    "kWh out": "{active_energy_export:kWh .3f}",
}

_log = logging.getLogger("wattbook.console")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings(SinkSettings):
    """A table of readings for people, on the terminal or in the log."""

    kind: Literal["console"] = "console"  # a table for people
    every: Annotated[Seconds | None, Field(ge=1, le=86400)] = 120.0  # a table every so long, with one row a meter
    start: Start = "now"  # what was before is nothing to look at
    to: Literal["terminal", "log"] = "terminal"  # standard output, or the daemon's log
    columns: Mapping[str, str] = field(default_factory=dict)  # header = template; {} = V, A, kW, cos φ, Hz, kWh

    def make(self, around: Surroundings) -> ConsoleSink:
        """The sink of these settings. Raises ValueError."""
        columns = {name: parse_template(text, around) for name, text in (self.columns or _DEFAULT).items()}
        for template in columns.values():
            if template.single:
                raise ValueError(f'columns: "{template.text}" asks for single values; a row has a column for each')
        return ConsoleSink(columns, None if self.to == "log" else sys.stdout)


class ConsoleSink:
    """Tables for people; `out` None = the log. What was shown when a crash came may be shown again."""

    any_order: ClassVar[bool] = False
    append_only: ClassVar[bool] = True

    def __init__(self, columns: Mapping[str, Template], out: TextIO | None) -> None:
        self._columns, self._out = columns, out

    async def write(self, batch: Batch, bookmark: str) -> Written:
        """Show the readings. Raises SinkUnavailable when the terminal is gone."""
        names, rows, left_out = _table(self._columns, batch.columns)
        if rows:
            note = f"({left_out} earlier rows are not shown)" if left_out else ""
            await asyncio.to_thread(self._show, names, rows, note)  # a terminal may be stopped
        return Written(bookmark=bookmark)

    async def aclose(self) -> None:
        """Nothing is held."""

    def _show(self, names: Sequence[str], rows: Sequence[Sequence[str]], note: str) -> None:
        if self._out is None:
            _log.info("%s", "\n".join(["readings", *_aligned(names, rows), *filter(None, [note])]))
            return
        try:
            if self._out.isatty():
                _drawn(names, rows, note, self._out)
            else:
                self._out.write("\n".join([*_aligned(names, rows), *filter(None, [note]), "", ""]))
            self._out.flush()
        except (OSError, ValueError) as error:  # ValueError: it was closed
            raise SinkUnavailable(f"the terminal: {error}") from error


def _table(
    columns: Mapping[str, Template], parts: Sequence[Columns]
) -> tuple[Sequence[str], Sequence[Sequence[str]], int]:
    """The names of columns that hold anything, the latest rows by time, and how many are left out."""
    rows: list[tuple[int, list[str]]] = []
    left_out = 0
    for part in parts:
        latest = part.cut(slice(-ROWS_MAX, None))
        left_out += len(part) - len(latest)
        cells = [_texts(template, latest) for template in columns.values()]
        rows += [(at_ms, list(row)) for at_ms, *row in zip(latest.at_ms, *cells, strict=True)]
    rows.sort(key=lambda row: row[0])
    left_out += max(len(rows) - ROWS_MAX, 0)
    shown = [row for _, row in rows[-ROWS_MAX:]]
    used = [place for place in range(len(columns)) if any(row[place] for row in shown)]
    names = list(columns)
    return [names[place] for place in used], [[row[place] for place in used] for row in shown], left_out


def _texts(template: Template, part: Columns) -> Sequence[str]:
    """A column as people read it: with as many digits as its template says."""
    place = template.parts[0]
    form = str if isinstance(place, str) else place.form  # a template of several parts gives text already
    return [
        "" if cell is None else _one_line(cell if isinstance(cell, str) else form(cell))
        for cell in template.cells(part)
    ]


def _one_line(text: str) -> str:
    """Without what would move the cursor or colour the screen: names come from configurations and from lines."""
    return text if text.isprintable() else "".join(each if each.isprintable() else "?" for each in text)


def _numeric(rows: Sequence[Sequence[str]], place: int) -> bool:
    return all(row[place].replace(".", "", 1).lstrip("-").isdigit() for row in rows if row[place])


def _aligned(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of equal columns: numbers to the right, texts to the left."""
    right = [_numeric(rows, place) for place in range(len(names))]
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in (names, *rows)
    ]


def _drawn(names: Sequence[str], rows: Sequence[Sequence[str]], note: str, out: TextIO) -> None:
    """Draw the table in one piece, so that lines of the log stand before or behind it."""
    console = Console(file=out)
    table = Table(caption=note or None)
    for place, name in enumerate(names):
        table.add_column(Text(name), justify="right" if _numeric(rows, place) else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    with console.capture() as drawn:
        console.print(table)
    out.write(drawn.get())
