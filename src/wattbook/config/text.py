"""Problems of a configuration, and where in its text they stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file. `line` counts from 1; 0 = the file as a whole."""

    line: int
    message: str

    def at(self, path: Path) -> str:
        """One line of text with its place."""
        return f"{path.name}:{self.line}: {self.message}" if self.line else f"{path.name}: {self.message}"


def place_of(text: str, at: Sequence[int | str]) -> int:
    """The line, from 1, where a key stands in a TOML text, or its table; 0 when it is nowhere."""
    if not at:
        return 0
    number = at[1] if len(at) > 1 and isinstance(at[1], int) else 0
    header = re.compile(rf"\s*\[{{1,2}}\s*{re.escape(str(at[0]))}\s*\]{{1,2}}\s*(#.*)?")
    key = re.compile(rf"\s*\"?{re.escape(str(at[-1]))}\"?\s*=")
    seen, table_line = -1, 0
    before_tables = len(at) == 1
    for line_number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("["):
            before_tables = False
            if seen == number and table_line:
                break
            if header.fullmatch(line):
                seen += 1
                table_line = line_number if seen == number else 0
        elif (table_line or before_tables) and key.match(line):
            return line_number
    return table_line
