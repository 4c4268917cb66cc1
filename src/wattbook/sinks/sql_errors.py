"""What a database says when it does not take rows: whether that is the rows' fault, and in words."""

from __future__ import annotations

import re

from sqlalchemy.exc import DBAPIError, NoSuchTableError, SQLAlchemyError

from wattbook.model import SinkRefused, SinkUnavailable, WattbookError
from wattbook.sinks.sql_address import Address
from wattbook.values import without_secrets

_SECRET_OPTIONS = ("password", "passwd", "sslpassword")  # behind the "?" of a URL
_CONNECTING = re.compile(r"(?:connection failed: )?connection to server at .*? failed: (?:FATAL:\s*)?")
_SEE_SERVER = "General SQL Server error"
_FREETDS = re.compile(r"\s*DB-Lib error message \d+, severity \d+:\s*")  # its own words stand below the server's
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
    words = _words(original or error)
    if address.family == "mssql":
        words = _of_sql_server(words)
    if "unable to open database file" in words:
        words += "; is its folder there, and may it be written?"
    text = f"{address.shown}: {_cleaned(words, address)}"
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


def _of_sql_server(words: str) -> str:
    """The server's own words, or the first of FreeTDS.

    pymssql forgets the words of a login that failed, once one has failed in this process, and keeps that one's number.
    """
    said = next(filter(None, _FREETDS.split(words)), words)
    return "login refused; are user, password and database right?" if said.startswith(_SEE_SERVER) else said


def _words(error: BaseException) -> str:
    """What the driver says, without what it adds for programmers: the statement's line, the address once more."""
    diagnosis = getattr(error, "diag", None)  # of psycopg; nothing is in it when there is no connection
    if primary := getattr(diagnosis, "message_primary", None):
        return ": ".join(filter(None, (primary, getattr(diagnosis, "message_detail", None))))
    parts = error.args[0] if error.args and isinstance(error.args[0], tuple) else error.args
    texts = [part.decode("utf-8", "replace") if isinstance(part, bytes) else part for part in parts]
    found = " ".join(text for text in texts if isinstance(text, str)) or type(error).__name__
    return _CONNECTING.sub("", found)


def _cleaned(text: str, address: Address) -> str:
    options = [address.url.query.get(key) for key in _SECRET_OPTIONS]
    text = without_secrets(text, [address.url.password, *(each for each in options if isinstance(each, str))])
    return " ".join(text.split())[:_SHOWN_MAX]
