"""Rows into a table, in each database's own fastest safe way. An upsert replaces all columns that are ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from sqlalchemy import Connection, Enum, String
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import NullType, TypeEngine

from wattbook.sinks.sql_layout import Rows, Sort
from wattbook.sinks.sql_table import Target

MSSQL_ROWS_MAX = 500  # of one statement: SQL Server compiles each anew, and longer ones take it ever longer


_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy says nothing of its types


def write_rows(connection: Connection, target: Target, rows: Rows) -> None:
    """Add the rows, or replace those of the same key. Columns of ours that they lack become empty."""
    if rows:
        _WAYS[connection.dialect.name](connection, target, rows)


def _into(target: Target, names: Sequence[str], quote: Callable[[str], str]) -> str:
    return f"INSERT INTO {target.name} ({', '.join(map(quote, names))})"


def _postgresql(connection: Connection, target: Target, rows: Rows) -> None:
    """One statement for any number of rows: each column is one array. Needs no right but to insert and update."""
    names = list(rows.cells)
    quote = connection.dialect.identifier_preparer.quote
    arrays = ", ".join(f"%s::{_ARRAYS[rows.sorts[name]]}[]" for name in names)
    cells = ", ".join(_cell(number, target.types[name], rows.sorts[name]) for number, name in enumerate(names))
    places = ", ".join(f"c{number}" for number in range(len(names)))
    source = f" SELECT {cells} FROM unnest({arrays}) AS given({places})"  # noqa: S608  names are quoted
    connection.exec_driver_sql(
        _into(target, names, quote) + source + _on_conflict(target, quote),
        tuple(_array(rows.cells[name], rows.sorts[name]) for name in names),
    )


def _cell(number: int, there: TypeEngine[Any], sort: Sort) -> str:
    """Only a text for what is no text needs a cast; one to a shorter text would cut it off without a word."""
    fits = (
        sort is not Sort.TEXT
        or isinstance(there, NullType)
        or (isinstance(there, String) and not isinstance(there, Enum))
    )
    return f"c{number}" if fits else f"CAST(c{number} AS {there.compile(dialect=_POSTGRESQL)})"


_ARRAYS: Mapping[Sort, str] = {
    Sort.INSTANT: "timestamptz",
    Sort.CLOCK: "timestamp",
    Sort.NUMBER: "float8",
    Sort.COUNT: "int8",
    Sort.TEXT: "text",
}


def _array(cells: Sequence[object], sort: Sort) -> str:
    """A column as PostgreSQL writes an array. A float's repr comes back as the same float."""
    match sort:
        case Sort.NUMBER | Sort.COUNT:
            written: Iterator[str] = map(repr, cells)
            text = ",".join(written)
            return f"{{{text.replace('None', 'NULL') if None in cells else text}}}"
        case Sort.INSTANT | Sort.CLOCK:
            return f"{{{','.join(_as_text(cells, sort))}}}"
        case Sort.TEXT:
            known = {cell: _quoted_element(cell) for cell in set(cells)}
            return f"{{{','.join([known[cell] for cell in cells])}}}"


def _quoted_element(cell: object) -> str:
    if cell is None:
        return "NULL"
    escaped = str(cell).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _on_conflict(target: Target, quote: Callable[[str], str]) -> str:
    if not target.key:
        return ""
    others = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in target.types if name not in target.key)
    return f" ON CONFLICT ({', '.join(map(quote, target.key))}) DO " + (f"UPDATE SET {others}" if others else "NOTHING")


def _mysql(connection: Connection, target: Target, rows: Rows) -> None:
    """PyMySQL joins the rows into statements of up to a megabyte."""
    quote = connection.dialect.identifier_preparer.quote
    names = list(rows.cells)
    upsert = ""
    if target.key:
        # With nothing but a key, an assignment that changes nothing stands for DO NOTHING.
        others = [name for name in target.types if name not in target.key] or [target.key[0]]
        upsert = " ON DUPLICATE KEY UPDATE " + ", ".join(f"{quote(name)} = VALUES({quote(name)})" for name in others)
    connection.exec_driver_sql(
        f"{_into(target, names, quote)} VALUES ({', '.join(['%s'] * len(names))}){upsert}",
        list(zip(*_texts(rows), strict=True)),
    )


def _sqlite(connection: Connection, target: Target, rows: Rows) -> None:
    quote = connection.dialect.identifier_preparer.quote
    names = list(rows.cells)
    marks = ", ".join("?" * len(names))
    # Its own date functions write a space between day and time, and texts are compared letter by letter.
    connection.exec_driver_sql(
        f"{_into(target, names, quote)} VALUES ({marks})" + _on_conflict(target, quote),
        list(zip(*_texts(rows, between=" "), strict=True)),
    )


def _texts(rows: Rows, *, between: str = "T") -> Iterator[Sequence[Any]]:
    return (_as_text(cells, rows.sorts[name], between) for name, cells in rows.cells.items())


def _as_text(cells: Sequence[Any], sort: Sort, between: str = "T") -> Sequence[Any]:
    """Instants as text without a zone: UTC, or the local time that was asked for. Other cells as they are.

    A T between day and time: every language of a login at SQL Server reads it alike, which is not so of a space.
    """
    match sort:
        case Sort.INSTANT:
            instants: list[str] = np.datetime_as_string(np.array(cells, "M8[ms]"), unit="ms").tolist()
            return instants if between == "T" else [each.replace("T", between) for each in instants]
        case Sort.CLOCK:
            return [cell.isoformat(between, "milliseconds") for cell in cells]
        case _:
            return cells


def _mssql(connection: Connection, target: Target, rows: Rows) -> None:
    """The drivers send one statement a row; here several hundred rows are the source of one MERGE."""
    quote = connection.dialect.identifier_preparer.quote
    names = list(rows.cells)
    columns = ", ".join(map(quote, names))
    before, after = _merge(target, names, quote) if target.key else _insert(target, names, quote)
    literals = [[_literal(cell) for cell in cells] for cells in _texts(rows)]
    lines = (f"({', '.join(row)})" for row in zip(*literals, strict=True))
    while chunk := list(islice(lines, MSSQL_ROWS_MAX)):
        connection.exec_driver_sql(f"{before} (VALUES {', '.join(chunk)}) AS given ({columns}){after}")


def _insert(target: Target, names: Sequence[str], quote: Callable[[str], str]) -> tuple[str, str]:
    return f"{_into(target, names, quote)} SELECT {', '.join(map(quote, names))} FROM", ""


def _merge(target: Target, names: Sequence[str], quote: Callable[[str], str]) -> tuple[str, str]:
    """What stands before and after the rows. HOLDLOCK: else two writers may both find that a key is not there."""
    same = " AND ".join(f"held.{quote(name)} = given.{quote(name)}" for name in target.key)
    others = ", ".join(
        f"{quote(name)} = {f'given.{quote(name)}' if name in names else 'NULL'}"
        for name in target.types
        if name not in target.key
    )
    columns, given = ", ".join(map(quote, names)), ", ".join(f"given.{quote(name)}" for name in names)
    matched = f" WHEN MATCHED THEN UPDATE SET {others}" if others else ""
    new = f" WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({given});"  # noqa: S608  names are quoted, values are literals
    return f"MERGE INTO {target.name} WITH (HOLDLOCK) AS held USING", f" ON {same}{matched}{new}"


def _literal(cell: object) -> str:
    """As T-SQL writes it. A number without an exponent would be a decimal, and lose a float's last digits."""
    match cell:
        case None:
            return "NULL"
        case float():
            written = repr(cell)
            return written if "e" in written else f"{written}e0"
        case int():
            return str(cell)
        case _:
            escaped = str(cell).replace("'", "''")
            return f"N'{escaped}'"


_WAYS: Mapping[str, Callable[[Connection, Target, Rows], None]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "mariadb": _mysql,
    "sqlite": _sqlite,
    "mssql": _mssql,
}
