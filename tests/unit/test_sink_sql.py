"""What the SQL sink knows without a database: addresses, layouts, how cells are written, whose fault an error is."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pymysql
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.exc import DBAPIError, OperationalError

from series_batches import batch, columns
from wattbook.model import Batch, Columns, SinkRefused, SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.sinks import sql_rows
from wattbook.sinks.sql import SqlSettings
from wattbook.sinks.sql_address import parse_address
from wattbook.sinks.sql_append import SqlAppendSink
from wattbook.sinks.sql_errors import in_words
from wattbook.sinks.sql_layout import Sort, parse_layout
from wattbook.sinks.sql_table import parse_table_name
from wattbook.sinks.sql_upsert import SqlSink

AROUND = Surroundings("House", ZoneInfo("Europe/Prague"))
SECRET = "s3cr3t/ of @ all"
POSTGRES = "postgresql://me@db.example/energy"


def settings(**keys: Any) -> SqlSettings:
    return TypeAdapter(SqlSettings).validate_python({"name": "central", "kind": "sql", **keys})


def reading(values: Mapping[str, float], meter: str = "m") -> Columns:
    cells = {name: array("d", [value]) for name, value in values.items()}
    return Columns("", meter, array("q", [0]), array("q", [1]), cells, array("B", [0]))


@pytest.mark.parametrize(
    ("url", "family", "shown"),
    [
        (POSTGRES, "postgresql", "postgresql://db.example/energy"),
        (
            "postgres://me:pw@db.example:5433/energy?sslmode=require",
            "postgresql",
            "postgresql://db.example:5433/energy",
        ),
        ("postgresql+psycopg://me@db/energy", "postgresql", "postgresql://db/energy"),
        ("timescaledb://me@db/energy", "postgresql", "postgresql://db/energy"),
        ("mariadb://me@db/energy", "mysql", "mariadb://db/energy"),
        ("mysql://me@db:3307/energy", "mysql", "mysql://db:3307/energy"),
        ("mssql://me@db/energy", "mssql", "mssql://db/energy"),
        ("sqlserver://me@db:1433/energy", "mssql", "mssql://db:1433/energy"),
    ],
)
def test_an_address_names_its_family_and_shows_no_secret(url: str, family: str, shown: str) -> None:
    address = parse_address(url, SECRET, None, 10)
    assert (address.family, address.shown, address.url.password) == (family, shown, SECRET)
    assert SECRET not in repr(address)
    address.engine()  # its driver is there


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, '"url".*or "file"'),
        ({"url": POSTGRES, "file": "x.sqlite"}, "one of them"),
        ({"url": "no address"}, "is no address"),
        ({"url": "oracle://me@db/x"}, '"oracle" is no database that is known here'),
        ({"url": "postgresq://me@db/x"}, r'did you mean "postgresql"\?'),
        ({"url": "mssql+pyodbc://me@db/x"}, "no database that is known"),
        ({"url": "sqlite:///x.db"}, 'give "file"'),
        ({"url": "postgresql://me:s3cr3t@/x"}, "needs a host"),
        ({"url": f"postgresql://me:{SECRET}@db/x"}, "stands apart"),
        ({"url": POSTGRES, "table": "dbo."}, "is no table"),
        ({"url": POSTGRES, "columns": {"a": "{voltag}"}}, r'column "a": .*did you mean "voltage"\?'),
        ({"url": POSTGRES, "columns": {"a": "{value}", "b": "{voltage}"}}, "one row a value"),
    ],
)
def test_what_is_wrong_is_said_without_connecting(keys: Mapping[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as told:
        settings(**keys).make(AROUND)
    assert SECRET not in str(told.value) and "s3cr3t" not in str(told.value)


def test_settings_show_no_secret() -> None:
    url = f"postgresql://me:{SECRET}@db/energy"
    shown = repr(settings(url=url, password=SECRET))
    assert SECRET not in shown
    with pytest.raises(ValidationError) as told:
        settings(url=url, password=SECRET, tabel="x")
    assert SECRET not in str(told.value).replace(repr(url), "")  # config writes its own words of these


@pytest.mark.parametrize(
    ("columns", "identity"),
    [
        ({}, ("site", "meter", "at")),
        ({"t": "{at:instant}", "m": "{meter}", "v": "{voltage}"}, ("t", "m")),
        ({"t": "{at}", "m": "{meter}", "q": "{quantity}", "v": "{value}"}, ("t", "m", "q")),
        ({"key": "{id}", "t": "{at}", "m": "{meter}"}, ("key",)),
        ({"t": "{at:epoch_ms}", "m": "{meter}", "house": "7"}, ("t", "m")),
        ({"t": "{at:clock}", "m": "{meter}"}, ()),  # local time repeats an hour
        ({"t": "{at:YYYY-MM-DD HH:MM:SS}", "m": "{meter}"}, ()),
        ({"t": "{at}", "v": "{voltage}"}, ()),  # no meter
        ({"t": "{at}", "m": "{meter:upper}"}, ()),  # "a" and "A" become one
        ({"t": "{at}", "m": "{meter}", "v": "{value}"}, ()),  # no quantity
    ],
)
def test_the_identity_of_a_layout(columns: Mapping[str, str], identity: tuple[str, ...]) -> None:
    assert parse_layout(columns, AROUND).identity == identity


def test_columns_that_do_not_tell_readings_apart_are_only_added_to() -> None:
    office = settings(url=POSTGRES, columns={"Timestamp": "{at:clock}", "V": "{voltage}"})
    assert isinstance(office.make(AROUND), SqlAppendSink)
    assert isinstance(settings(url=POSTGRES).make(AROUND), SqlSink)
    assert isinstance(settings(url=POSTGRES, append=True).make(AROUND), SqlAppendSink)


@pytest.mark.parametrize(
    ("template", "sort"),
    [
        ("{at:instant}", Sort.INSTANT),
        ("{at:clock}", Sort.CLOCK),
        ("{at:local}", Sort.TEXT),
        ("{at:epoch_ms}", Sort.COUNT),
        ("{active_power:kW .1f}", Sort.NUMBER),
        ("{meter}", Sort.TEXT),
        ("{voltage} V", Sort.TEXT),
    ],
)
def test_what_a_column_is_given(template: str, sort: Sort) -> None:
    assert parse_layout({"c": template}, AROUND).sort("c") is sort


def test_rows_without_any_value_are_left_out() -> None:
    layout = parse_layout({"m": "{meter}", "v": "{voltage}", "i": "{current}"}, AROUND)
    batch = Batch((reading({"voltage": 1.0}), reading({"frequency": 50.0}, "n")), (), "")
    assert dict(layout.rows(batch).cells) == {"m": ["m"], "v": [1.0], "i": [None]}


def test_a_batch_without_readings_is_no_rows() -> None:
    layout = parse_layout({}, AROUND)
    assert len(layout.rows(Batch((), (), ""))) == 0


def test_arrays_of_postgresql() -> None:
    assert sql_rows._array([1.5, None, -2e-07], Sort.NUMBER) == "{1.5,NULL,-2e-07}"
    assert sql_rows._array(['a"b', "c\\d", None, "NULL", ""], Sort.TEXT) == '{"a\\"b","c\\\\d",NULL,"NULL",""}'
    assert sql_rows._array([0, 1_764_300_000_010], Sort.INSTANT) == "{1970-01-01T00:00:00.000,2025-11-28T03:20:00.010}"
    assert sql_rows._array([datetime(2026, 1, 2, 3, 4, 5)], Sort.CLOCK) == "{2026-01-02T03:04:05.000}"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_literal_of_sql_server_is_a_float_with_every_bit(number: float) -> None:
    written = sql_rows._literal(number)
    assert float(written) == number
    assert "e" in written  # else SQL Server takes it for a decimal


def test_literals_of_sql_server() -> None:
    assert [sql_rows._literal(cell) for cell in (None, "it's %s", 5, "a\\")] == ["NULL", "N'it''s %s'", "5", "N'a\\'"]


def wrapped(error: Exception) -> DBAPIError:
    return OperationalError("INSERT …", None, error)


@pytest.mark.parametrize(
    ("url", "error", "kind"),
    [
        (POSTGRES, psycopg.errors.NumericValueOutOfRange("too big"), SinkRefused),
        (POSTGRES, psycopg.errors.CheckViolation("no"), SinkRefused),
        (POSTGRES, psycopg.errors.UndefinedColumn("no column"), SinkUnavailable),
        (POSTGRES, psycopg.errors.DiskFull("disk full"), SinkUnavailable),
        (POSTGRES, psycopg.errors.InsufficientPrivilege("may not"), SinkUnavailable),
        (POSTGRES, psycopg.errors.DeadlockDetected("again"), SinkUnavailable),
        (POSTGRES, psycopg.OperationalError("connection refused"), SinkUnavailable),
        ("mariadb://me@db/x", pymysql.err.DataError(1264, "Out of range"), SinkRefused),
        ("mariadb://me@db/x", pymysql.err.IntegrityError(4025, "CONSTRAINT failed"), SinkRefused),
        ("mariadb://me@db/x", pymysql.err.OperationalError(2013, "Lost connection"), SinkUnavailable),
        ("mariadb://me@db/x", pymysql.err.OperationalError(1114, "The table is full"), SinkUnavailable),
        ("mssql://me@db/x", Exception(2628, b"would be truncated"), SinkRefused),
        ("mssql://me@db/x", Exception((8152, b"would be truncated")), SinkRefused),
        ("mssql://me@db/x", Exception(1105, b"the filegroup is full"), SinkUnavailable),
        ("mssql://me@db/x", Exception((20009, b"DB-Lib error\nUnable to connect")), SinkUnavailable),
    ],
)
def test_whose_fault_an_error_is(url: str, error: Exception, kind: type[Exception]) -> None:
    told = in_words(wrapped(error), parse_address(url, None, None, 10))
    assert type(told) is kind
    assert "\n" not in str(told) and "INSERT" not in str(told)


def test_no_password_in_an_error() -> None:
    address = parse_address(f"{POSTGRES}?sslpassword=hidden-too", SECRET, None, 10)
    told = str(in_words(wrapped(psycopg.OperationalError(f"no {SECRET} nor hidden-too")), address))
    assert SECRET not in told and "hidden-too" not in told


async def test_sqlite_refuses_what_breaks_a_rule(tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite"
    store = sqlite3.connect(file)
    store.execute("CREATE TABLE t (meter TEXT, at TEXT, v REAL CHECK (v < 10), PRIMARY KEY (meter, at))")
    store.close()
    sink = settings(file=file, table="t", columns={"meter": "{meter}", "at": "{at}", "v": "{voltage}"}).make(AROUND)
    await sink.write(Batch((reading({"voltage": 9.0}),), (), "1"), "")
    with pytest.raises(SinkRefused, match="CHECK"):
        await sink.write(Batch((reading({"voltage": 11.0}),), (), "2"), "")
    await sink.aclose()
    await sink.aclose()


async def test_an_appended_table_that_refuses_one_meter_takes_the_others(tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite"
    store = sqlite3.connect(file)
    store.execute("CREATE TABLE t (meter TEXT, at TEXT, v REAL CHECK (v < 10))")
    sink = settings(file=file, table="t", append=True, columns={"meter": "{meter}", "at": "{at}", "v": "{voltage}"})
    made = sink.make(AROUND)
    bad, good = columns("bad", {"voltage": [11.0] * 300}), columns("good", {"voltage": [9.0] * 500})
    written = await made.write(batch(bad, good), "")
    assert {each.meter for each in written.rejected} == {"bad"} and len(written.rejected) == 300
    assert store.execute("SELECT meter, count(*) FROM t GROUP BY meter").fetchall() == [("good", 500)]
    with pytest.raises(SinkUnavailable, match="refuses too many"):
        await made.write(batch(bad), "")
    await made.aclose()
    store.close()


async def test_rows_of_two_meters_stand_in_one_table_only_where_a_column_tells_them_apart(tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite"
    with closing(sqlite3.connect(file)) as store:
        store.execute("CREATE TABLE t (Timestamp TEXT, Place TEXT, V REAL)")
    own = {"Timestamp": "{at:local}", "V": "{voltage}"}
    sink = settings(file=file, table="t", columns=own).make(AROUND)
    await sink.write(Batch((reading({"voltage": 1.0}), reading({"temperature": 40.0}, "pi")), (), "1"), "")
    with pytest.raises(SinkUnavailable, match=r"no column tells m from n; .* name one meter in `meters`"):
        await sink.write(Batch((reading({"voltage": 2.0}, "n"),), (), "2"), "")
    await sink.aclose()
    for place in ("{location}", "{site}"):  # one meter of each site, say, whatever it is called there
        sink = settings(file=file, table="t", columns=own | {"Place": place}).make(AROUND)
        await sink.write(Batch((reading({"voltage": 2.0}, "m"), reading({"voltage": 3.0}, "n")), (), place), "")
        await sink.aclose()
    with closing(sqlite3.connect(file)) as store:
        assert store.execute("SELECT V FROM t").fetchall() == [(1.0,), (2.0,), (3.0,), (2.0,), (3.0,)]


@pytest.mark.parametrize(
    ("given", "schema", "name"), [("readings", None, "readings"), ("dbo.PUA_Office", "dbo", "PUA_Office")]
)
def test_a_table_may_have_a_schema(given: str, schema: str | None, name: str) -> None:
    parsed = parse_table_name(given)
    assert (parsed.schema, parsed.name, str(parsed)) == (schema, name, given)
