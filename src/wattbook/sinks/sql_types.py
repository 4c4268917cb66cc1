"""Types of columns: what a layout's column is made as, and what a column that is there can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Double, Float, Integer, Numeric, String, Text
from sqlalchemy.dialects import mssql, mysql
from sqlalchemy.types import NullType, TypeEngine

from wattbook.sinks.sql_layout import Layout, Sort

TEXT_SIZE_MAX = 255  # characters of a column of text that is not a key; PostgreSQL and SQLite know no bound
_NAME_SIZE_MAX = 100  # characters of a site, meter or quantity: three of them fit into any database's key
_MYSQL = ("mysql", "mariadb")
_DATETIME2 = mssql.DATETIME2(3)  # type: ignore[no-untyped-call]  # SQLAlchemy says nothing of its types


def make_column(name: str, layout: Layout) -> Column[Any]:
    """A column of a table that we make."""
    is_key = name in layout.identity
    return Column(name, _type(layout.sort(name), is_key=is_key), primary_key=is_key, autoincrement=False)


def _type(sort: Sort, *, is_key: bool) -> TypeEngine[Any]:
    match sort:
        case Sort.INSTANT | Sort.CLOCK:
            # Only PostgreSQL keeps an instant as one; elsewhere the columns of our own making hold UTC.
            milliseconds = DateTime(timezone=sort is Sort.INSTANT).with_variant(mysql.DATETIME(fsp=3), *_MYSQL)
            return milliseconds.with_variant(_DATETIME2, "mssql")
        case Sort.NUMBER:
            return Double()
        case Sort.COUNT:
            return BigInteger()
        case Sort.TEXT:
            return _text_type(_NAME_SIZE_MAX if is_key else TEXT_SIZE_MAX)


def _text_type(size: int) -> TypeEngine[Any]:
    """Texts differ when a letter's case differs, which MariaDB and SQL Server do not think by themselves."""
    binary = mysql.VARCHAR(size, charset="utf8mb4", collation="utf8mb4_bin")
    wide = mssql.NVARCHAR(size, collation="Latin1_General_100_BIN2")
    return Text().with_variant(binary, *_MYSQL).with_variant(wide, "mssql")


def can_hold(there: TypeEngine[Any], column: str, layout: Layout) -> bool:
    """Whether a column can hold what it is to be given. What SQLAlchemy does not know is left to the server."""
    numeric = isinstance(there, Numeric | Float | Integer) and not isinstance(there, Boolean)
    match layout.sort(column):
        case Sort.NUMBER | Sort.COUNT:
            return numeric or isinstance(there, String | NullType)
        case Sort.INSTANT | Sort.CLOCK:
            return isinstance(there, DateTime | String | NullType)
        case Sort.TEXT:
            return not numeric or _is_number(layout.columns[column].text)


def _is_number(constant: str) -> bool:
    try:
        float(constant)
    except ValueError:
        return False
    return True


def fills_itself(column: Mapping[str, Any]) -> bool:
    """Whether a row may leave it out. `column` is as SQLAlchemy's inspector tells it."""
    return bool(
        column.get("nullable", True)
        or column.get("default") is not None
        or column.get("identity")
        or column.get("computed")
        or column.get("autoincrement") is True
        or (column.get("primary_key") and isinstance(column["type"], Integer))  # SQLite's own row number
    )
