"""What a database says when it does not take rows: whether that is the rows' fault, and in words."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, NoSuchTableError, SQLAlchemyError

from wattbook.model import SinkRefused, SinkUnavailable, WattbookError
from wattbook.sinks.sql_address import Address

_SECRET_OPTIONS = ("password", "passwd", "sslpassword")  # behind the "?" of a URL
_SHOWN_MAX = 300  # characters of a server's words in an error

# PostgreSQL, SQLSTATE: 21 cardinality violation (two rows that its key takes for one), 22 data exception, 23 integrity.
_REFUSED_CLASSES = ("21", "22", "23")
# MariaDB and MySQL: NULL, double, no such parent, out of range, truncated, wrong value, too long, bad instant, CHECK.
_REFUSED_MYSQL = frozenset({1048, 1062, 1216, 1264, 1265, 1292, 1366, 1367, 1406, 1452, 1690, 3819, 4025})
# SQL Server: overflow, conversions, NULL, constraint, double, truncated, two rows that MERGE takes for one.
_REFUSED_MSSQL = frozenset(
    {220, 232, 235, 241, 242, 244, 245, 248, 515, 547, 2601, 2627, 2628, 8114, 8115, 8152, 8169, 8672, 9819}
)
_REFUSED_SQLITE = ("SQLITE_CONSTRAINT", "SQLITE_MISMATCH", "SQLITE_TOOBIG")


def in_words(error: SQLAlchemyError, address: Address) -> WattbookError:
    """SinkRefused when the rows are at fault, SinkUnavailable for all else. No password is in it."""
    original = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(error, NoSuchTableError):
        return SinkUnavailable(f'{address.shown}: no table "{error}"')
    text = f"{address.shown}: {_cleaned(_words(original or error), address)}"
    refused = original is not None and _is_refused(original, address.family)
    return SinkRefused(text) if refused else SinkUnavailable(text)


def _is_refused(error: BaseException, family: str) -> bool:
    match family:
        case "postgresql":
            return str(getattr(error, "sqlstate", None) or "")[:2] in _REFUSED_CLASSES
        case "mysql":
            return _number(error) in _REFUSED_MYSQL
        case "mssql":
            return _number(error) in _REFUSED_MSSQL
        case _:
            return str(getattr(error, "sqlite_errorname", "")).startswith(_REFUSED_SQLITE)


def _number(error: BaseException) -> int:
    """A driver's first argument is the server's number; pymssql sometimes wraps the pair once more."""
    first = error.args[0] if error.args else 0
    if isinstance(first, tuple) and first:
        first = first[0]
    return first if isinstance(first, int) else 0


def _words(error: BaseException) -> str:
    parts = error.args[0] if error.args and isinstance(error.args[0], tuple) else error.args
    texts = [part.decode("utf-8", "replace") if isinstance(part, bytes) else part for part in parts]
    return " ".join(text for text in texts if isinstance(text, str)) or type(error).__name__


def _cleaned(text: str, address: Address) -> str:
    for secret in (address.url.password, *(address.url.query.get(key) for key in _SECRET_OPTIONS)):
        if isinstance(secret, str) and secret:
            text = text.replace(secret, "***")
    return " ".join(text.split())[:_SHOWN_MAX]
