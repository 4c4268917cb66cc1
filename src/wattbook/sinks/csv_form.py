"""How a table is written: what is between its cells, how numbers and texts look in them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from wattbook.model.exact import plain_number
from wattbook.model.template import Cells

BOM = b"\xef\xbb\xbf"  # by it Excel sees that a file is UTF-8
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what makes Excel take a text for a formula


@dataclass(frozen=True, slots=True)
class Form:
    """The form of one file."""

    delimiter: str = ","
    decimal: str = "."
    newline: str = "\n"
    bom: bool = False
    guarded: bool = False  # texts that a spreadsheet would take for formulas get an apostrophe

    def cells(self, cells: Cells, spec: str = "") -> Sequence[object]:
        """A column as it is written: texts on one line, "" for absent, numbers as `spec` says.

        Without one, whole numbers have no point, and others as many digits as tell them apart.
        """
        if spec:
            return ["" if cell is None else f"{cell:z{spec}}".replace(".", self.decimal) for cell in cells]
        if isinstance(cells, tuple) and cells and isinstance(cells[0], str):
            return (self._text(cells[0]),) * len(cells)  # of a meter, not of a reading: the same in all rows
        whole: list[object] = [plain_number(cell) if isinstance(cell, float) else cell for cell in cells]
        if str in set(map(type, whole)):
            whole = [self._text(cell) if isinstance(cell, str) else cell for cell in whole]
        if self.decimal == ".":
            return whole
        return [repr(cell).replace(".", self.decimal) if isinstance(cell, float) else cell for cell in whole]

    def encode(self, rows: Iterable[Iterable[object]]) -> bytes:
        """Rows as the bytes of their lines."""
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self.delimiter, lineterminator=self.newline).writerows(rows)
        return text.getvalue().encode()

    def header(self, names: Sequence[str]) -> bytes:
        """The beginning of a file."""
        return (BOM if self.bom else b"") + self.encode([[self._text(name) for name in names]])

    def split(self, line: str) -> list[str]:
        """The cells of a line without its end. Raises csv.Error."""
        if '"' not in line:
            return line.split(self.delimiter)
        return next(csv.reader([line], delimiter=self.delimiter), [])

    def of_line(self, line: bytes) -> Form:
        """This form with the line end of a file that is there."""
        return replace(self, newline="\r\n" if line.endswith(b"\r\n") else "\n", bom=False)

    def _text(self, cell: str) -> str:
        if not cell.isprintable():
            cell = "".join(each if each.isprintable() else " " for each in cell)
        return f"'{cell}" if self.guarded and cell.startswith(_FORMULA) else cell


def as_text(cell: object) -> str:
    """A cell as it stands in the file, without quotes."""
    if cell is None:
        return ""
    return repr(cell) if isinstance(cell, float) else str(cell)
