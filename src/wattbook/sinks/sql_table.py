"""The table over there: made as the layout says, or an existing one that has to fit. It grows where needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Inspector, MetaData, Table, inspect, text
from sqlalchemy.schema import CreateColumn
from sqlalchemy.types import TypeEngine

from wattbook.model import SinkUnavailable
from wattbook.model.nearest import did_you_mean
from wattbook.model.vocabulary import UnknownQuantity, quantity
from wattbook.sinks.sql_layout import Layout, Sort
from wattbook.sinks.sql_types import can_hold, fills_itself, make_column


@dataclass(frozen=True, slots=True)
class Target:
    """A table that fits. `key` is what an upsert goes by; () = rows are only added."""

    name: str  # quoted, with its schema
    types: Mapping[str, TypeEngine[Any]]  # every column that is ours, as it is over there
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableName:
    """A name with the schema it may have before it: `dbo.Office_Readings`."""

    schema: str | None
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


def parse_table_name(given: str) -> TableName:
    """Understand `table` or `schema.table`. Raises ValueError."""
    schema, _, name = given.rpartition(".")
    if not name or (not schema and "." in given):
        raise ValueError(f'"{given}" is no table; one is "readings" or "public.readings"')
    return TableName(schema or None, name)


def fit(connection: Connection, name: TableName, layout: Layout, *, append: bool) -> Target:
    """The table, made when it is not there. Raises SinkUnavailable when it does not fit."""
    inspector = inspect(connection)
    if not inspector.has_table(name.name, schema=name.schema):
        _create(connection, name, layout)
        inspector = inspect(connection)
    there = {str(column["name"]): column for column in inspector.get_columns(name.name, schema=name.schema)}
    _check_columns(connection, name, layout, there)
    key = () if append else _key(inspector, name, layout)
    types = {column: there[column]["type"] for column in there if column in layout.columns or _ours(column, layout)}
    return Target(_quoted(connection, name), types, key)


def grow(connection: Connection, target: Target, layout: Layout) -> Target:
    """With a column for each of the layout's."""
    new = [make_column(column, layout) for column in layout.columns if column not in target.types]
    Table("", MetaData(), *new)  # SQL Server's compiler writes only columns of a table
    for column in new:
        written = CreateColumn(column).compile(dialect=connection.dialect)
        word = "ADD" if connection.dialect.name == "mssql" else "ADD COLUMN"
        connection.exec_driver_sql(f"ALTER TABLE {target.name} {word} {written}")
    return replace(target, types={**target.types, **{column.name: column.type for column in new}})


def _ours(column: str, layout: Layout) -> bool:
    """Whether a column of a table that grows is one that an earlier batch made it grow."""
    if not layout.grows:
        return False
    try:
        return quantity(column).name == column
    except UnknownQuantity:
        return False


def _create(connection: Connection, name: TableName, layout: Layout) -> None:
    columns = [make_column(column, layout) for column in layout.columns]
    Table(name.name, MetaData(), *columns, schema=name.schema).create(connection)
    instants = [column for column in layout.identity if layout.sort(column) is Sort.INSTANT]
    if connection.dialect.name == "postgresql" and instants and _has_timescale(connection):
        connection.execute(
            text("SELECT create_hypertable(CAST(:name AS regclass), CAST(:at AS name))"),
            {"name": _quoted(connection, name), "at": instants[0]},
        )


def _has_timescale(connection: Connection) -> bool:
    found = connection.exec_driver_sql("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'")
    return found.first() is not None


def _check_columns(connection: Connection, name: TableName, layout: Layout, there: Mapping[str, Any]) -> None:
    for column in layout.columns:
        if column not in there:
            if layout.grows and _ours(column, layout):
                continue  # it grows
            raise SinkUnavailable(f'table "{name}" has no column "{column}"{did_you_mean(column, there)}')
        if connection.dialect.name != "sqlite" and not can_hold(there[column]["type"], column, layout):
            kind = there[column]["type"].compile(dialect=connection.dialect)
            raise SinkUnavailable(
                f'table "{name}": column "{column}" is {kind}, and {layout.columns[column].text} gives '
                f"{layout.sort(column).value}"
            )
    for column, known in there.items():
        if column not in layout.columns and not fills_itself(known):
            raise SinkUnavailable(
                f'table "{name}" wants a value in its column "{column}": name it in "columns", or let it be empty there'
            )


def _key(inspector: Inspector, name: TableName, layout: Layout) -> tuple[str, ...]:
    for columns in _unique_keys(inspector, name):
        if columns and all(column in layout.columns for column in columns) and layout.tells_apart(columns):
            return tuple(columns)
    wanted = ", ".join(layout.identity)
    raise SinkUnavailable(
        f'table "{name}" has no unique key of ({wanted}), so a reading written twice would stand there twice: '
        "make such a key, or write append = true"
    )


def _unique_keys(inspector: Inspector, name: TableName) -> list[Sequence[str]]:
    primary = inspector.get_pk_constraint(name.name, schema=name.schema)["constrained_columns"]
    indexes = [
        [str(column) for column in index["column_names"]]
        for index in inspector.get_indexes(name.name, schema=name.schema)
        if index["unique"] and not any("where" in option for option in index.get("dialect_options", {}))
    ]
    if inspector.dialect.name == "mssql":  # its unique constraints are among its indexes
        return [primary, *indexes]
    constraints = inspector.get_unique_constraints(name.name, schema=name.schema)
    return [primary, *(constraint["column_names"] for constraint in constraints), *indexes]


def _quoted(connection: Connection, name: TableName) -> str:
    quote = connection.dialect.identifier_preparer.quote
    return f"{quote(name.schema)}.{quote(name.name)}" if name.schema else quote(name.name)
