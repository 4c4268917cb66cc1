"""Register lists as tables: CSV with any delimiter, or markdown. Columns are known by their headers, in any order."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from wattbook.model.errors import ConfigError
from wattbook.profiles.drafts.row import Row, clean, factor_of, guess, kind_of, words

_HEADER_LINES = 30  # where a header is looked for
_COLUMNS_MAX = 100
_HEADER_MAX = 60  # characters of a column's name
_CONVENTIONS = {3: (40001, 400001), 4: (30001, 300001)}  # function -> what the first register is called


def parse_table(text: str) -> tuple[Sequence[Row], Sequence[str]]:
    """The rows of a list, and what was recognised about its addresses. Raises ConfigError without a header."""
    lines = text.splitlines()
    for number, line in enumerate(lines[:_HEADER_LINES]):
        for delimiter in (";", "\t", "|", ","):
            columns = _columns(_cells(line, delimiter))
            if "address" in columns and {"name", "type", "unit"} & columns.keys():
                header = _cells(line, delimiter)[columns["address"]]
                rows = [
                    _row(at, _cells(later, delimiter), columns)
                    for at, later in enumerate(lines[number + 1 :], number + 2)
                    if later.strip() and not re.fullmatch(r"[|:\s-]+", later)
                ]
                return _placed(rows, header)
    raise ConfigError(
        f"no header in the first {_HEADER_LINES} lines: columns must be named, at least address and name, as in "
        '"address;name;type;unit;scale;function"'
    )


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []
    if delimiter == "|" and cells and not cells[0].strip():
        cells = cells[1:]
    return [cell.strip() for cell in cells[:_COLUMNS_MAX]]


def _columns(cells: Sequence[str]) -> dict[str, int]:
    """What each column is: meaning -> place."""
    columns: dict[str, int] = {}
    for place, cell in enumerate(cells):
        plain = re.sub(r"\(.*?\)|[^a-zäöü]", "", cell[:_HEADER_MAX].casefold())
        for meaning, names in words()["headers"].items():
            if plain in names:
                columns.setdefault(meaning, place)
    return columns


def _row(line: int, cells: Sequence[str], columns: Mapping[str, int]) -> Row:
    def cell(meaning: str) -> str:
        place = columns.get(meaning, len(cells))
        return cells[place] if place < len(cells) else ""

    row = Row(line, clean(" ".join(cells)))
    address = _address(cell("address"))
    if address is None:
        return replace(row, reason=f"no address: '{clean(cell('address'))[:30]}'")
    number, unit = re.fullmatch(r"([\d.,]*)\s*(.*)", cell("unit"), re.DOTALL).groups()  # type: ignore[union-attr]  # always
    length = int(cell("length")) if re.fullmatch(r"\d{1,2}", cell("length"), re.ASCII) else 0
    kind, low_first = kind_of(cell("type"), length)
    scale = factor_of(cell("scale") or number)
    divisor = factor_of(cell("divisor"))
    unit = clean(unit)
    row = replace(
        row, address=address, function=_function(cell("function")), type=kind, low_first=low_first, unit=unit,
        quantity=guess(cell("name") or row.words, unit),
    )  # fmt: skip
    if kind is None:
        return replace(row, reason=f"no register type: '{clean(cell('type'))[:30]}'")
    if scale is None or divisor is None:
        return replace(row, reason="no scale that can be written as a decimal")
    whole = factor_of(f"1/{divisor}") if divisor != 1 else Decimal(1)
    if whole is None:
        return replace(row, reason="no scale that can be written as a decimal")
    look = f"scale {scale} makes it larger; or does the list mean a divisor?" if scale > 1 and scale % 10 == 0 else ""
    return replace(row, scale=scale * whole, look=look)


def _address(text: str) -> int | None:
    text = re.split(r"[-–…\s]", text.strip().replace("'", ""), maxsplit=1)[0][:12]
    if re.fullmatch(r"0[xX][0-9A-Fa-f]{1,4}", text):
        return int(text, 16)
    if match := re.fullmatch(r"([0-9A-Fa-f]{1,5})[hH]", text):
        return int(match[1], 16)
    if re.fullmatch(r"[0-9]{1,6}", text):
        return int(text)
    return int(text, 16) if re.fullmatch(r"[0-9A-Fa-f]{4}", text) else None


def _function(text: str) -> int:
    plain = text.casefold()
    if "hold" in plain or re.search(r"\b(fc|0x)?0?3\b", plain):
        return 3
    return 4 if "input" in plain or re.search(r"\b(fc|0x)?0?4\b", plain) else 0


def _placed(rows: Sequence[Row], header: str) -> tuple[Sequence[Row], Sequence[str]]:
    """Wire addresses of printed ones, with what was recognised, in words."""
    known = [row for row in rows if row.address >= 0]
    for size in (0, 1):
        in_kind = {
            function: [row for row in known if first[size] <= row.address < first[size] + 10 ** (4 + size)]
            for function, first in _CONVENTIONS.items()
        }
        if known and sum(map(len, in_kind.values())) == len(known):
            placed = {
                id(row): replace(row, address=row.address - _CONVENTIONS[function][size], function=function)
                for function, some in in_kind.items()
                for row in some
            }
            used = " and ".join(
                f"{_CONVENTIONS[function][size]}… (function {function})" for function, some in in_kind.items() if some
            )
            return [placed.get(id(row), row) for row in rows], [f"addresses are written as {used}: counted from there"]
    said = "hex" not in header.casefold() and re.search(r"1.?based|number", header.casefold())
    odd = known and all(row.address % 2 for row in known) and all(row.type and row.type[-2:] == "32" for row in known)
    if known and min(row.address for row in known) == 1 and (said or odd):
        return [replace(row, address=row.address - 1) if row.address > 0 else row for row in rows], [
            "addresses begin at 1: one was taken off each; if voltage is wrong, they were wire addresses"
        ]
    return rows, ["addresses are taken as wire addresses, counted from 0"]
