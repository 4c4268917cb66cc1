"""A CSV file as blocks of rows of cells. A quote ends on its line: one stray quote must not swallow the file."""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wattbook.exchange.lines import Block, Seen, blocks, head
from wattbook.exchange.tally import Tally
from wattbook.model import ConfigError

DELIMITERS = ",;\t|"
COLUMNS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of cells, and the number of each line."""

    numbers: Sequence[int]
    cells: list[list[str]]


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a CSV file, and what separates its cells."""

    names: list[str]
    delimiter: str
    sample: list[list[str]]  # the first rows below it


def read_header(path: Path, *, rows: int = 20) -> Header:
    """Look at the top of a file. Raises ConfigError when there is no header."""
    lines = [line for line in _top(path).splitlines() if line.strip()][: rows + 1]
    if not lines:
        raise ConfigError("is empty", place=str(path))
    delimiter = max(DELIMITERS, key=lines[0].count)
    try:
        cells = list(csv.reader(lines, delimiter=delimiter))
    except csv.Error as error:
        raise ConfigError(f"is no CSV: {error}", place=str(path)) from error
    names = [cell.strip() for cell in cells[0]]
    if not 2 <= len(names) <= COLUMNS_MAX:
        raise ConfigError(f"its first line has {len(names)} columns; a table has 2 to {COLUMNS_MAX}", place=str(path))
    # The last line may be cut by the end of what was looked at.
    sample = [row for row in cells[1:] if len(row) == len(names)]
    return Header(names, delimiter, sample)


def read_rows(path: Path, delimiter: str, tally: Tally, seen: Seen) -> Iterator[Rows]:
    """Yield the rows below the header. Its number is looked for: `blocks` leaves out one that is not UTF-8."""
    header = _header_number(path)
    for block in blocks(path, tally, seen):
        below = bisect_right(block.numbers, header)
        if below:
            block = Block(block.numbers[below:], block.lines[below:])
        if block.lines:
            yield _split(block, delimiter, tally)


def _header_number(path: Path) -> int:
    lines = _top(path).split("\n")
    return next((number for number, line in enumerate(lines, 1) if line.strip()), 0)


def _top(path: Path) -> str:
    return head(path).removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")


def _split(block: Block, delimiter: str, tally: Tally) -> Rows:
    if not any('"' in line for line in block.lines):
        return Rows(block.numbers, [line.split(delimiter) for line in block.lines])
    numbers, cells = [], []
    for number, line in zip(block.numbers, block.lines, strict=True):
        try:
            cells.append(next(csv.reader([line], delimiter=delimiter, strict=True)))
            numbers.append(number)
        except csv.Error as error:
            tally.reject(number, f"is no CSV: {error}")
    return Rows(numbers, cells)
