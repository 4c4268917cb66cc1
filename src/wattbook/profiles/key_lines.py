"""Where the keys of a TOML text stand: its parser keeps no line numbers, and people look for lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]
"""("register", 3, "type") is a key of the fourth [[register]], ("modbus", "holes", 0) the first [[modbus.holes]]."""

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]#]+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')\s*=")

_LINE_MAX = 500  # characters; no key or header of a profile is on a longer one


def key_lines(text: str) -> Mapping[KeyPath, int]:
    """The line, from 1, of every table and key. The first of two equal ones counts; dotted keys are not looked into."""
    lines: dict[KeyPath, int] = {}
    rows: Counter[KeyPath] = Counter()
    table: KeyPath = ()
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > _LINE_MAX:
            continue
        if header := _HEADER.fullmatch(line):
            table = _table(header[2], rows, is_row=header[1] == "[[")
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, key[1].strip("\"'")), number)
    return lines


def _table(name: str, rows: Counter[KeyPath], *, is_row: bool) -> KeyPath:
    """The path of a header: inside lists of tables it goes on from the last row."""
    path: KeyPath = ()
    parts = [part.strip().strip("\"'") for part in name.split(".")]
    for number, part in enumerate(parts, 1):
        path = (*path, part)
        if is_row and number == len(parts):
            rows[path] += 1
        if rows[path]:
            path = (*path, rows[path] - 1)
    return path


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """The line of a key, else of the nearest table around it; 0 when nothing of it is there."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 0)
