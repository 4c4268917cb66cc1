"""A table of steps of time as a file for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from wattbook.exchange.write_csv import number_texts

Row = tuple[datetime, Sequence[float | None], str]  # instant, a value or nothing for each column, quality
_NAN = float("nan")
_EXCEL_ZERO = datetime(1899, 12, 30)  # dates of a spreadsheet have no zone


def table_csv(columns: Sequence[str], rows: Iterable[Row], zone: ZoneInfo) -> bytes:
    """CSV `at,<column>,...,quality`: `at` in local time with its offset, an empty cell = nothing is known."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["at", *map(_no_formula, columns), "quality"])
    for at, values, quality in rows:
        cells = number_texts([_NAN if value is None else value for value in values], len(values))
        writer.writerow([at.astimezone(zone).isoformat(timespec="milliseconds"), *cells, quality])
    return text.getvalue().encode()


def table_xlsx(columns: Sequence[str], rows: Iterable[Row], zone: ZoneInfo) -> bytes:
    """XLSX with the same columns; `at` is a local date for calculating, `offset` what it is ahead of UTC."""
    import xlsxwriter  # only when used: half the start of a command

    file = io.BytesIO()
    # No text becomes a formula or a link, whatever a meter is called.
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(file, options) as book:
        sheet, bold = book.add_worksheet("Table"), book.add_format({"bold": True})
        date = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet.set_column(0, 0, 20)
        sheet.freeze_panes(1, 1)
        for place, title in enumerate(["at", "offset", *columns, "quality"]):
            sheet.write_string(0, place, title, bold)
        for line, (at, values, quality) in enumerate(rows, 1):
            local = at.astimezone(zone)
            sheet.write_number(line, 0, (local.replace(tzinfo=None) - _EXCEL_ZERO) / timedelta(days=1), date)
            sheet.write_string(line, 1, local.isoformat()[-6:])
            for place, value in enumerate(values, 2):
                if value is not None:
                    sheet.write_number(line, place, value)
            sheet.write_string(line, len(columns) + 2, quality)
    return file.getvalue()


def _no_formula(title: str) -> str:
    """A title that a spreadsheet would take for a formula is quoted; meters have no such names, sums may."""
    return f"'{title}" if title.startswith(("=", "+", "-", "@")) else title
