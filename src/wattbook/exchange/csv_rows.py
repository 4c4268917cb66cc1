"""A CSV file as blocks of rows of cells. A quote ends on its line: one stray quote must not swallow the file."""

from __future__ import annotations

import csv
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
    text = head(path).removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    lines = [line for line in text.splitlines()[: rows + 1] if line.strip()]
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
    """Yield the rows below the first line."""
    first = True
    for block in blocks(path, tally, seen):
        if first:
            block, first = Block(block.numbers[1:], block.lines[1:]), False
        if block.lines:
            yield _split(block, delimiter, tally)


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
