"""Readings as a spreadsheet: sheets "Readings", "Readings 2" ... of as many rows as a sheet can hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from wattbook.exchange.local_time import instants_of, offset_text, offsets_ms
from wattbook.model import Columns, ConfigError, quantity

SHEET_ROWS_MAX = 1_048_576  # of the format, its header included
SHEETS_MAX = 10  # ten million rows: no spreadsheet program opens more
_DAY_MS = 86_400_000
_EXCEL_1970 = 25_569  # days from the spreadsheets' own zero to 1970


def write_xlsx(
    path: Path,
    blocks: Iterable[Columns],
    quantities: Sequence[str],
    zone: ZoneInfo,
    *,
    rows_max: int = SHEET_ROWS_MAX,
    sheets_max: int = SHEETS_MAX,
) -> int:
    """Write the file with constant memory; returns the number of sheets.

    Columns: meter, at (local time, as a date that spreadsheets calculate with), offset from UTC, and the quantities in
    base units. Raises ConfigError when it would need more than `sheets_max` sheets.
    """
    import xlsxwriter  # only when used: half the start of a command
    from xlsxwriter.exceptions import XlsxWriterException

    # No text becomes a formula or a link, whatever a meter is called.
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    try:
        with xlsxwriter.Workbook(path, options) as book:
            sheets = _Sheets(book, quantities, rows_max, sheets_max)
            for block in blocks:
                _write_block(sheets, block, quantities, zone)
    except XlsxWriterException as error:
        raise ConfigError(f"cannot be written: {error}", place=str(path)) from error
    return sheets.count


class _Sheets:
    """The sheet being written, and a next one when it is full."""

    def __init__(self, book: Any, quantities: Sequence[str], rows_max: int, sheets_max: int) -> None:
        self._book, self._rows_max, self._sheets_max = book, rows_max, sheets_max
        self._header = ["meter", "at", "offset", *(f"{name} [{quantity(name).unit}]" for name in quantities)]
        self._bold = book.add_format({"bold": True})
        self.date = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
        self.count = 0
        self._begin()

    def _begin(self) -> None:
        self.count += 1
        if self.count > self._sheets_max:
            rows = self._sheets_max * (self._rows_max - 1)
            raise ConfigError(
                f"more than {rows} readings are too many for a spreadsheet; choose --from and --to, or csv"
            )
        self._sheet = self._book.add_worksheet("Readings" if self.count == 1 else f"Readings {self.count}")
        self._sheet.set_column(1, 1, 24)
        self._sheet.freeze_panes(1, 2)
        for column, title in enumerate(self._header):
            self._sheet.write_string(0, column, title, self._bold)
        self._row = 1

    def next_row(self) -> tuple[Any, int]:
        """The sheet and row for the next reading."""
        if self._row >= self._rows_max:
            self._begin()
        self._row += 1
        return self._sheet, self._row - 1


def _write_block(sheets: _Sheets, block: Columns, quantities: Sequence[str], zone: ZoneInfo) -> None:
    at_ms = instants_of(block)
    offsets = offsets_ms(at_ms, zone)
    days = ((at_ms + offsets) / _DAY_MS + _EXCEL_1970).tolist()
    columns = [(place, block.values[name]) for place, name in enumerate(quantities, 3) if name in block.values]
    for row, (day, offset) in enumerate(zip(days, offsets.tolist(), strict=True)):
        sheet, line = sheets.next_row()
        sheet.write_string(line, 0, block.meter)
        sheet.write_number(line, 1, day, sheets.date)
        sheet.write_string(line, 2, offset_text(offset))
        for place, cells in columns:
            value = cells[row]
            if value == value:
                sheet.write_number(line, place, value)
