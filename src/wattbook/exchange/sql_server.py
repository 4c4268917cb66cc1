"""A table of an SQL database, through SQLAlchemy: one row an instant, or one row a value.

What a column is, is told as for CSV: called as a quantity, or with `--map`. A column `meter` names the meter. Where a
table has the columns `quantity` and `value`, each row is one value. Times without a zone are local times of the site,
or of `--zone`; our own sink keeps UTC.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
from sqlalchemy import (
    URL,
    Column,
    Connection,
    DateTime,
    MetaData,
    NullPool,
    Table,
    create_engine,
    func,
    inspect,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, NoSuchTableError, SQLAlchemyError
from sqlalchemy.types import NullType

from wattbook.codecs.layouts import OFFICE_COLUMNS
from wattbook.exchange.gather import Gather
from wattbook.exchange.instants import BadCell, InstantReader, unix_ms
from wattbook.exchange.intake import Intake
from wattbook.exchange.mapping import Target, guess
from wattbook.exchange.numbers import checked, scaled
from wattbook.exchange.servers import Address, Told
from wattbook.exchange.tables import TIMES
from wattbook.model import Columns, ConfigError, SinkUnavailable, UnknownQuantity, quantity
from wattbook.model.batch import from_ms
from wattbook.transports.sql_drivers import SQL_DRIVERS

TABLE = "readings"  # as our sink calls it
_ROWS = 10_000
_NO_VALUES = ("site", "quality", "location", "id")


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which column is what."""

    time: str
    meter: str  # "" = none
    targets: Mapping[str, Target]
    quantity: str = ""  # of one row a value
    value: str = ""


class SqlServer:
    """One table. `address.table` may have a schema before it."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._table = address.table or TABLE
        self.title = f"{self._table} of {address.shown}"

    def read(self, intake: Intake, begin_ms: int, end_ms: int, told: Told) -> Iterator[Columns]:
        """Yield the readings of all rows, gathered by meter and instant."""
        with Gather(intake.tally) as gather:
            try:
                engine = create_engine(self._url(), hide_parameters=True, poolclass=NullPool)
                with engine.connect() as connection:
                    self._read(connection, intake, gather, (begin_ms, end_ms), told)
            except (NoSuchModuleError, ModuleNotFoundError) as error:
                raise ConfigError(f'{self._address.shown}: {error}; pip install "wattbook[sql]"') from error
            except NoSuchTableError as error:
                raise ConfigError(f'{self._address.shown} has no table "{self._table}"; say it with --table') from error
            except (SQLAlchemyError, OSError) as error:
                said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
                raise SinkUnavailable(f"{self._address.shown}: {said[:300]}") from error
            yield from gather.columns()

    def _url(self) -> URL:
        try:
            url = make_url(f"{self._address.url}/{self._address.database}")
        except (ArgumentError, ValueError) as error:
            raise ConfigError(f"{self._address.shown} is no address of a database") from error
        url = url.set(drivername=SQL_DRIVERS.get(url.drivername, url.drivername))
        if not self._address.user:
            return url
        password = self._address.password
        return url.set(username=self._address.user, password=password.reveal() if password else None)

    def _read(
        self, connection: Connection, intake: Intake, gather: Gather, span_ms: tuple[int, int], told: Told
    ) -> None:
        schema, _, name = self._table.rpartition(".")
        found = inspect(connection).get_columns(name, schema=schema or None)
        table = Table(name, MetaData(), *map(_as_the_driver_has_it, found), schema=schema or None)
        plan = _plan(table, intake, self.title)
        wanted = [plan.time, plan.meter, *plan.targets, plan.quantity, plan.value]
        columns = [table.c[each] for each in dict.fromkeys(filter(None, wanted))]
        asked = select(*columns)
        if isinstance(table.c[plan.time].type, DateTime):
            asked = asked.where(*_bounds(table.c[plan.time], intake, span_ms))
        if self._address.site and "site" in table.c:
            asked = asked.where(table.c["site"] == self._address.site)
        total = connection.execute(select(func.count()).select_from(asked.subquery())).scalar_one()
        rows = _Rows(plan, [column.name for column in columns], intake, gather, span_ms)
        done = 0
        result = connection.execution_options(stream_results=True, yield_per=_ROWS).execute(asked)
        for part in result.partitions(_ROWS):
            rows.take(part)
            done += len(part)
            told(done / max(1, total))


def _as_the_driver_has_it(column: Mapping[str, Any]) -> Column[Any]:
    """SQLAlchemy would make decimals of ten digits of a DOUBLE; only a time is asked for by its type."""
    kind = column["type"]
    return Column(column["name"], kind if isinstance(kind, DateTime) else NullType())


def _bounds(column: Column[Any], intake: Intake, span_ms: tuple[int, int]) -> Sequence[Any]:
    """The time asked for, and a day more: the database has its own idea of zones, and rows are looked at again."""
    day_ms = 86_400_000
    begin, end = (
        from_ms(max(0, at_ms + more)).astimezone(intake.zone)
        for at_ms, more in zip(span_ms, (-day_ms, day_ms), strict=True)
    )
    zoned = getattr(column.type, "timezone", False)
    return [
        column >= (begin if zoned else begin.replace(tzinfo=None)),
        column < (end if zoned else end.replace(tzinfo=None)),
    ]


def _plan(table: Table, intake: Intake, what: str) -> _Plan:
    """Raises ConfigError: no time, or nothing known as a quantity."""
    names = [column.name for column in table.columns]
    lower = {name.casefold(): name for name in reversed(names)}
    time = intake.time or next((lower[each] for each in TIMES if each in lower), "")
    if time not in names:
        raise ConfigError(f"{what}: which column is the time? It has {', '.join(names)}; say it with --time COLUMN")
    meter = "" if intake.wishes.says("meter") else lower.get("meter", "")
    if "quantity" in lower and "value" in lower:
        return _Plan(time, meter, {}, lower["quantity"], lower["value"])
    targets = {}
    for name in names:
        target = intake.wishes.target(name, guess(name, OFFICE_COLUMNS))
        if target is not None and name not in (time, meter):
            targets[name] = target
        elif name not in (time, meter) and name.casefold() not in _NO_VALUES and not intake.wishes.says(name):
            intake.tally.leave_out(name)
    if not targets:
        raise intake.nothing_mapped(what, names)
    return _Plan(time, meter, targets)


class _Rows:
    """Rows on their way to be gathered."""

    def __init__(
        self, plan: _Plan, names: Sequence[str], intake: Intake, gather: Gather, span_ms: tuple[int, int]
    ) -> None:
        self._plan, self._intake, self._gather, self._span_ms = plan, intake, gather, span_ms
        self._at = {name: number for number, name in enumerate(names)}
        form = intake.time_form or "iso"
        self._instants = InstantReader(form, intake.zone, intake.tally, latest_ms=intake.latest_ms)
        self._meters: dict[str, str] = {}
        self._targets: dict[str, Target] = {}

    def take(self, rows: Sequence[Sequence[Any]]) -> None:
        """Take what can be understood; other rows are counted as bad."""
        parts: dict[str, tuple[list[int], list[Sequence[Any]]]] = {}
        for row in rows:
            try:
                at_ms = self._at_ms(row[self._at[self._plan.time]])
                meter = self._meter(row)
            except BadCell as error:
                self._intake.tally.reject(0, str(error))
                continue
            if self._span_ms[0] <= at_ms < self._span_ms[1]:
                instants, cells = parts.setdefault(meter, ([], []))
                instants.append(at_ms)
                cells.append(row)
        for meter, (instants, cells) in parts.items():
            (self._take_single if self._plan.value else self._take_wide)(meter, instants, cells)

    def _take_wide(self, meter: str, instants: Sequence[int], rows: Sequence[Sequence[Any]]) -> None:
        for name, target in self._plan.targets.items():
            values = np.array([self._number(row[self._at[name]], target) for row in rows], np.float64)
            place = (meter, target.quantity) if meter and not target.meter else self._intake.at(target, name)
            self._gather.add(*place, instants, scaled(values, target))

    def _take_single(self, meter: str, instants: Sequence[int], rows: Sequence[Sequence[Any]]) -> None:
        for at_ms, row in zip(instants, rows, strict=True):
            name = str(row[self._at[self._plan.quantity]])
            target = self._target(name)
            if target is None:
                continue
            value = self._number(row[self._at[self._plan.value]], target)
            place = (meter, target.quantity) if meter and not target.meter else self._intake.at(target, name)
            if value == value:
                self._gather.add_one(*place, at_ms, float(scaled(np.array([value]), target)[0]))

    def _target(self, name: str) -> Target | None:
        found = self._targets.get(name) or self._intake.wishes.target(name)
        if found is None and not self._intake.wishes.says(name):
            try:
                found = Target("", quantity(name).name)
            except UnknownQuantity:
                self._intake.tally.leave_out(name)
        if found is not None:
            self._targets[name] = found
        return found

    def _meter(self, row: Sequence[Any]) -> str:
        if not self._plan.meter:
            return ""
        named = str(row[self._at[self._plan.meter]])
        if named not in self._meters:
            self._meters[named] = self._intake.meters.called(self._intake.wishes.meter(named))
        if not self._meters[named]:
            raise BadCell(self._intake.meters.unknown(named))
        return self._meters[named]

    def _at_ms(self, cell: object) -> int:
        match cell:
            case datetime() | date():
                return int(self._instants.read([cell.isoformat()])[0])
            case bool() | None:
                raise BadCell(f"{cell} is no time")
            case int() | float() | Decimal():
                return unix_ms(str(cell))
            case _:
                return int(self._instants.read([str(cell)])[0])

    def _number(self, cell: object, target: Target) -> float:
        """As it stands there; NaN = absent. What is no number is counted as bad."""
        if cell is None:
            return math.nan
        try:
            value = float(str(cell)) if isinstance(cell, Decimal | str) else float(cell)  # type: ignore[arg-type]  # checked by the except
            return checked(value, target, cell) if math.isfinite(value) else math.nan
        except (ValueError, TypeError) as error:
            self._intake.tally.reject(0, f"{target.quantity}: {str(cell)[:40]} is no number ({error})")
            return math.nan
