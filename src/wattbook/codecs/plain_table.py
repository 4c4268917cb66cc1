"""THE plain table: CSV of readings in base units, written by export and taken by import and HTTP.

    meter,at,voltage,active_energy_import
    main-a,2026-11-21T01:02:03.000Z,230.1,25409587

An empty cell is an absent value. `at` is ISO 8601 with an offset.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from datetime import datetime

from wattbook.codecs.reading_json import NAME_SIZE_MAX, VALUES_MAX, BadReading, cut_instant, format_instant
from wattbook.model import Reading, UnknownQuantity, quantity
from wattbook.model.exact import EXACT_MAX, plain_number

_FIRST = ["meter", "at"]


def encode(readings: Iterable[Reading]) -> bytes:
    """Write readings, one a line, with a column for every quantity that any of them has. Quality does not fit in."""
    rows = list(readings)
    names = list(dict.fromkeys(name for reading in rows for name in reading.values))
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*_FIRST, *names])
    for reading in rows:
        cells = [plain_number(reading.values[name]) if name in reading.values else "" for name in names]
        table.writerow([reading.meter, format_instant(reading.at), *cells])
    return text.getvalue().encode()


def decode(body: bytes) -> list[Reading]:
    """Read a table. Raises BadReading with the row, counted from 1 below the header."""
    try:
        text = body.decode("utf-8-sig")
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        names = _names(next(rows, []))
        return [_reading(cells, names, number) for number, cells in enumerate(rows, 1) if cells]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadReading(f"no CSV: {error}") from error


def _names(header: Sequence[str]) -> Sequence[str]:
    header = [cell.strip() for cell in header]
    if header[:2] != _FIRST:
        raise BadReading("the first line must be meter,at,<quantity>,...")
    names = header[2:]
    if not names:
        raise BadReading(f"the first line names no quantity; a reading has 1 to {VALUES_MAX}")
    if len(set(names)) < len(names):
        raise BadReading("a quantity stands twice in the first line")
    try:
        return [quantity(name).name for name in names]
    except UnknownQuantity as error:
        raise BadReading(str(error)) from error


def _reading(cells: Sequence[str], names: Sequence[str], number: int) -> Reading:
    if len(cells) != len(names) + 2:
        raise BadReading(f"{len(cells)} cells where the first line has {len(names) + 2}", row=number)
    meter = cells[0]
    if not 1 <= len(meter) <= NAME_SIZE_MAX:
        raise BadReading(f"the meter's name must have 1 to {NAME_SIZE_MAX} characters", row=number)
    values = {name: _value(cell, name, number) for name, cell in zip(names, cells[2:], strict=True) if cell.strip()}
    if not values:
        raise BadReading("no value at all", row=number)
    if len(values) > VALUES_MAX:
        raise BadReading(f"more than {VALUES_MAX} values in one reading", row=number)
    return Reading(meter, _instant(cells[1], number), values)


def _instant(cell: str, number: int) -> datetime:
    try:
        at = datetime.fromisoformat(cell.strip())
        if at.tzinfo is None:
            raise ValueError("no offset")
        return cut_instant(at)
    except ValueError as error:
        message = f'at: "{cell}" is no instant such as 2026-11-21T01:02:03Z ({error})'
        raise BadReading(message, row=number) from error


def _value(cell: str, name: str, number: int) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in cell:
        raise BadReading(f'{name}: "{cell}" is no number', row=number)
    if not -EXACT_MAX <= value <= EXACT_MAX:
        raise BadReading(f"{name}: {cell} is beyond ±{EXACT_MAX} and cannot be kept exactly", row=number)
    return value
