"""Home Assistant's long-term statistics: from home-assistant_v2.db, and from their CSV export.

Each row stands for one hour. A counter's `state` is its register at the end of the hour, so its instant is an hour
after `start`; a gauge's `mean` is kept at the start of its hour. Names for `--map`: a statistic's id, as
"sensor.main_a_energy", or with the column to take, as "sensor.main_a_energy/sum" (the total that goes on growing
when the sensor was reset).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wattbook.exchange.csv_rows import Header, read_header, read_rows
from wattbook.exchange.gather import Gather
from wattbook.exchange.instants import BadCell, InstantReader, guess_form
from wattbook.exchange.intake import Intake
from wattbook.exchange.mapping import Target
from wattbook.exchange.meters import fold
from wattbook.exchange.numbers import read_number
from wattbook.model import Columns, ConfigError, UnknownQuantity, quantity
from wattbook.model.vocabulary import UnknownUnit, unit_factor

MAGIC = b"SQLite format 3\0"
COLUMNS = ("state", "sum", "mean", "min", "max")
_HOUR_MS = 3_600_000
_VALUE_MAX = 1_000_000  # bytes of one value of a foreign database
_ROWS = 5_000
_OF_UNIT = {
    "Wh": "active_energy_import", "W": "active_power", "V": "voltage", "A": "current", "Hz": "frequency",
    "VA": "apparent_power", "var": "reactive_power", "varh": "reactive_energy", "VAh": "apparent_energy",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Statistic:
    """One series, and how it is called."""

    name: str  # "sensor.main_a_energy"
    unit: str
    counter: bool


class _Series:
    """Where the columns of a statistic go; found once."""

    def __init__(self, statistic: Statistic, intake: Intake) -> None:
        wishes = intake.wishes
        self.targets: dict[str, Target] = {}
        for column in COLUMNS:
            if target := wishes.target(f"{statistic.name}/{column}"):
                self.targets[column] = _with_unit(target, statistic)
        usual = "state" if statistic.counter else "mean"
        if not self.targets and (target := wishes.target(statistic.name, _guess(statistic, intake))):
            self.targets[usual] = _with_unit(target, statistic)
        self.says = wishes.says(statistic.name)


def _with_unit(target: Target, statistic: Statistic) -> Target:
    """The statistic's own unit, unless the user names another. Raises ConfigError when it does not fit."""
    if target.unit:
        return target
    try:
        unit_factor(statistic.unit, quantity(target.quantity).unit)
    except UnknownUnit as error:
        raise ConfigError(f"{statistic.name}: {error}; say its unit, as {target}:kWh", place="--map") from error
    return Target(target.meter, target.quantity, statistic.unit)


def _guess(statistic: Statistic, intake: Intake) -> Target | None:
    """`sensor.main_a_power` in W is the power of the meter "main-a"."""
    told = fold(statistic.name.rpartition(".")[2])
    meters = [name for name in intake.meters.names if told.startswith(fold(name) + "-")]
    if not meters:
        return None
    meter = max(meters, key=len)
    rest = told[len(fold(meter)) + 1 :].replace("-", "_")
    for base, named in _OF_UNIT.items():
        for name in (rest, named):
            if _fits(statistic.unit, base) and _is_quantity(name, base):
                return Target(meter, name, statistic.unit)
    return Target(meter, rest, statistic.unit) if rest == "power_factor" else None


def _fits(unit: str, base: str) -> bool:
    try:
        unit_factor(unit, base)
    except UnknownUnit:
        return False
    return bool(unit)


def _is_quantity(name: str, base: str) -> bool:
    try:
        return quantity(name).unit == base
    except UnknownQuantity:
        return False


class _Taker:
    """Puts rows of statistics where they belong."""

    def __init__(self, intake: Intake, gather: Gather) -> None:
        self._intake, self._gather = intake, gather
        self._series: dict[Statistic, _Series] = {}
        self.mapped = False
        self.names: dict[str, None] = {}

    def wanted(self, statistic: Statistic) -> bool:
        """Whether anything of it goes anywhere; counts it as left out when not."""
        series = self._series.get(statistic)
        if series is None:
            series = self._series[statistic] = _Series(statistic, self._intake)
        if series.targets:
            self.mapped = True
        elif not series.says:
            self.names[statistic.name] = None
        return bool(series.targets)

    def leave_out(self, statistic: Statistic, rows: int = 1) -> None:
        if not self._series[statistic].says:
            unit = f" ({statistic.unit})" if statistic.unit else ""
            self._intake.tally.leave_out(statistic.name + unit, rows)

    def take(self, statistic: Statistic, start_ms: int, values: dict[str, str]) -> None:
        """Raises BadCell, having taken nothing."""
        if not 0 <= start_ms <= self._intake.latest_ms:
            raise BadCell(f"{statistic.name}: its time lies before 1970 or in the future")
        found = [
            (column, target, read_number(values.get(column, ""), target))
            for column, target in self._series[statistic].targets.items()
        ]
        for column, target, value in found:
            meter, name = self._intake.at(target, statistic.name)
            at_ms = start_ms + _HOUR_MS if column in ("state", "sum") else start_ms
            self._gather.add_one(meter, name, at_ms, value)


def read_database(files: Sequence[Path], intake: Intake) -> Iterator[Columns]:
    """Read the statistics of a database, opened read-only."""
    with Gather(intake.tally) as gather:
        taker = _Taker(intake, gather)
        for path in files:
            intake.tally.file = path.name
            try:
                with closing(_connect(path)) as connection:
                    _read_statistics(connection, path, intake, taker)
            except sqlite3.Error as error:
                raise ConfigError(f"cannot be read: {error}; copy the file and try that", place=str(path)) from error
        if not taker.mapped:
            raise intake.nothing_mapped(files[0].name, list(taker.names))
        yield from gather.columns()


def _connect(path: Path) -> sqlite3.Connection:
    """A foreign database: nothing in it is run, nothing is written, and no value may be huge."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA query_only = ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _VALUE_MAX)
    return connection


def _read_statistics(connection: sqlite3.Connection, path: Path, intake: Intake, taker: _Taker) -> None:
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
        if taker.wanted(statistic):
            _read_series(connection, number, statistic, start, intake, taker)
        else:
            (rows,) = connection.execute("SELECT count(*) FROM statistics WHERE metadata_id = ?", (number,)).fetchone()
            taker.leave_out(statistic, rows)
        intake.seen(share)


def _read_series(
    connection: sqlite3.Connection, number: int, statistic: Statistic, start: str, intake: Intake, taker: _Taker
) -> None:
    cursor = connection.execute(
        f"SELECT id, {start}, state, sum, mean, min, max FROM statistics WHERE metadata_id = ? ORDER BY {start}",  # noqa: S608 - one of two names of ours
        (number,),
    )
    while rows := cursor.fetchmany(_ROWS):
        for row_id, begins, *cells in rows:
            try:
                values = {name: "" if cell is None else str(cell) for name, cell in zip(COLUMNS, cells, strict=True)}
                taker.take(statistic, _start_ms(begins), values)
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


def is_csv(names: Sequence[str]) -> bool:
    """Whether a header is that of exported statistics."""
    folded = [name.casefold() for name in names]
    return "statistic_id" in folded and ("start" in folded or "start_ts" in folded)


def read_csv(files: Sequence[Path], intake: Intake) -> Iterator[Columns]:
    """Read `statistic_id,unit,start,min,max,mean,sum,state` in any order of columns."""
    with Gather(intake.tally) as gather:
        taker = _Taker(intake, gather)
        for path in files:
            intake.tally.file = path.name
            _read_csv(path, intake, taker)
        if not taker.mapped:
            raise intake.nothing_mapped(files[0].name, list(taker.names))
        yield from gather.columns()


def _read_csv(path: Path, intake: Intake, taker: _Taker) -> None:
    header = read_header(path)
    place = {name.casefold(): number for number, name in enumerate(header.names)}
    start = place["start_ts"] if "start_ts" in place else place["start"]
    instants = InstantReader(_form(header, start, intake), intake.zone, intake.tally, latest_ms=intake.latest_ms)
    for rows in read_rows(path, header.delimiter, intake.tally, intake.seen):
        for number, row in zip(rows.numbers, rows.cells, strict=True):
            try:
                if len(row) != len(header.names):
                    raise BadCell(f"{len(row)} cells where the first line has {len(header.names)}")
                _take_row(row, place, start, instants, taker)
            except BadCell as error:
                intake.tally.reject(number, str(error))


def _form(header: Header, start: int, intake: Intake) -> str:
    return intake.time_form or guess_form([row[start] for row in header.sample])


def _take_row(row: Sequence[str], place: dict[str, int], start: int, instants: InstantReader, taker: _Taker) -> None:
    def cell(name: str) -> str:
        return row[place[name]].strip() if name in place else ""

    name = cell("statistic_id")
    unit = cell("unit") or cell("unit_of_measurement")
    statistic = Statistic(name, unit, bool(cell("state") or cell("sum")))
    if not name:
        raise BadCell("has no statistic_id")
    if not taker.wanted(statistic):
        taker.leave_out(statistic)
        return
    start_ms = int(instants.read([row[start]], [name])[0])
    taker.take(statistic, start_ms, {column: cell(column) for column in COLUMNS})
