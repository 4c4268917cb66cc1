"""home-assistant_v2.db: a foreign SQLite database, opened read-only and with limits."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from wattbook.exchange.gather import Gather
from wattbook.exchange.home_assistant import COLUMNS, Statistic, Statistics
from wattbook.exchange.instants import BadCell
from wattbook.exchange.intake import Intake
from wattbook.model import Columns, ConfigError

MAGIC = b"SQLite format 3\0"
_VALUE_MAX = 1_000_000  # bytes of one value
_ROWS = 5_000


def read(files: Sequence[Path], intake: Intake) -> Iterator[Columns]:
    """Read the statistics of a database, opened read-only."""
    with Gather(intake.tally) as gather:
        statistics = Statistics(intake, gather)
        for path in files:
            intake.tally.file = path.name
            try:
                with closing(_connect(path)) as connection:
                    _read_statistics(connection, path, intake, statistics)
            except sqlite3.Error as error:
                raise ConfigError(f"cannot be read: {error}; copy the file and try that", place=str(path)) from error
        if not statistics.mapped:
            raise intake.nothing_mapped(files[0].name, list(statistics.names))
        yield from gather.columns()


def _connect(path: Path) -> sqlite3.Connection:
    """A foreign database: nothing in it is run, nothing is written, and no value may be huge."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA query_only = ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _VALUE_MAX)
    return connection


def _read_statistics(connection: sqlite3.Connection, path: Path, intake: Intake, statistics: Statistics) -> None:
    tables = dict(
        connection.execute("SELECT name, type FROM sqlite_master WHERE name IN ('statistics', 'statistics_meta')")
    )
    if tables != {"statistics": "table", "statistics_meta": "table"}:
        raise ConfigError("has no statistics of Home Assistant", place=str(path))
    columns = {row[1] for row in connection.execute("PRAGMA table_info(statistics)")}
    start = "start_ts" if "start_ts" in columns else "start"
    meta = connection.execute("SELECT id, statistic_id, unit_of_measurement, has_sum FROM statistics_meta").fetchall()
    share = max(1, path.stat().st_size // max(1, len(meta)))
    for number, name, unit, has_sum in meta:
        statistic = Statistic(str(name), str(unit or ""), bool(has_sum))
        if statistics.wanted(statistic):
            _read_series(connection, number, statistic, start, intake, statistics)
        else:
            (rows,) = connection.execute("SELECT count(*) FROM statistics WHERE metadata_id = ?", (number,)).fetchone()
            statistics.leave_out(statistic, rows)
        intake.seen(share)


def _read_series(
    connection: sqlite3.Connection,
    number: int,
    statistic: Statistic,
    start: str,
    intake: Intake,
    statistics: Statistics,
) -> None:
    cursor = connection.execute(
        f"SELECT id, {start}, state, sum, mean, min, max FROM statistics WHERE metadata_id = ? ORDER BY {start}",  # noqa: S608 - one of two names of ours
        (number,),
    )
    while rows := cursor.fetchmany(_ROWS):
        for row_id, begins, *cells in rows:
            try:
                values = {name: "" if cell is None else str(cell) for name, cell in zip(COLUMNS, cells, strict=True)}
                statistics.take(statistic, _start_ms(begins), values)
            except BadCell as error:
                intake.tally.reject(0, f"statistics row {row_id}: {error}")


def _start_ms(begins: object) -> int:
    """The start of an hour: Unix seconds, or in old databases a text in UTC."""
    try:
        if isinstance(begins, int | float):
            return round(begins * 1000)
        at = datetime.fromisoformat(str(begins))
        return round((at if at.tzinfo else datetime.fromisoformat(f"{begins}+00:00")).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise BadCell(f'"{str(begins)[:40]}" is no start of an hour') from error
