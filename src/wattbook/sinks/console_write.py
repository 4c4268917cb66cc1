"""Tables of readings for people, written to a terminal or a log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import ClassVar, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from wattbook.model import Batch, Columns, SinkUnavailable
from wattbook.model.template import Template
from wattbook.sinks.sink import Written

ROWS_MAX = 100  # of one table: more than a screen

_log = logging.getLogger("wattbook.console")


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
