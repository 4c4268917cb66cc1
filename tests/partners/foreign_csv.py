"""CSV files as the foreign system of the contract suite."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path

from wattbook.model.batch import to_ms


class ForeignCsv:
    """A folder, which is always there."""

    kind = "csv"
    at_least_once = False
    port = 0

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "csv"

    def table(self, port: int) -> str:
        return f'[[sink]]\nname = "foreign"\nkind = "csv"\nfile = "{self._folder}/{{meter}}_{{at:YYYY-MM-DD}}.csv"\n'

    def start(self) -> None:
        """Nothing is to be started."""

    def stop(self) -> None:
        """Nothing is to be stopped."""

    def kill(self) -> None:
        """Nothing can be killed."""

    def rows(self) -> list[tuple[str, int, float]]:
        """Every row of every file. Raises ValueError for a torn one."""
        return [
            (row["meter"], to_ms(datetime.fromisoformat(row["at"])), float(row["active_energy_import"]))
            for path in sorted(self._folder.rglob("*.csv"))
            for row in whole_rows(path)
            if row.get("active_energy_import")
        ]


def whole_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a file, each of them whole. Raises ValueError."""
    text = path.read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    if not text.endswith("\n") or any(None in row or None in row.values() for row in rows):
        raise ValueError(f"{path}: a torn line")
    return rows
