"""What sinks say when something is wrong: one line, for people, and no secret in it."""

import pymssql
import pytest
from pymongo.errors import ServerSelectionTimeoutError
from sqlalchemy.exc import OperationalError

from wattbook.sinks.mongodb_errors import in_words as mongodb_words
from wattbook.sinks.sql_address import parse_address
from wattbook.sinks.sql_errors import in_words as sql_words
from wattbook.values import without_secrets

POSTGRES, MSSQL = "postgresql://u@h/d", "mssql://u@h/d"
FREETDS = (
    "DB-Lib error message 20018, severity 14:\nGeneral SQL Server error: Check messages from the SQL Server\n"
    "DB-Lib error message 20002, severity 9:\nTDS server connection failed (127.0.0.1)\n"
)


@pytest.mark.parametrize(
    ("url", "password", "said", "shown"),
    [
        (MSSQL, "hush", (18456, f"Login failed for user 'u'.{FREETDS}".encode()), "Login failed for user 'u'."),
        (MSSQL, "hush", (18456, FREETDS.encode()), "login refused; are user, password and database right?"),
        (
            MSSQL,
            "hush",
            (18456, b"DB-Lib error message 20009, severity 9:\nUnable to connect: TDS server is unavailable (h)\n"),
            "Unable to connect: TDS server is unavailable (h)",
        ),
        (
            POSTGRES,
            "hush",
            'connection failed: connection to server at "127.0.0.1", port 5432 failed: FATAL:  no such database',
            "no such database",
        ),
        (POSTGRES, "r", "permission denied for schema public", "permission denied for schema public"),
        (POSTGRES, "r", "it was r that is wrong", "it was *** that is wrong"),
        (POSTGRES, "long-enough", "xlong-enoughx", "x***x"),
    ],
)
def test_what_a_database_says(url: str, password: str, said: object, shown: str) -> None:
    address = parse_address(url, password, None, 10.0)
    error = OperationalError("SELECT 1", {}, pymssql.OperationalError(said))
    assert str(sql_words(error, address)) == f"{address.shown}: {shown}"


def test_a_mongodb_that_is_away() -> None:
    text = "h:1: [Errno 111] Connect call failed ('127.0.0.1', 1) (configured timeouts: connectTimeoutMS: 5000.0ms)"
    assert mongodb_words(ServerSelectionTimeoutError(text), 10) == "MongoDB is away: h:1: connection refused"


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [("key 1 of 12", ["1"], "key *** of 12"), ("a+b(c", ["a+b("], "a+b(c"), ("none", [None, ""], "none")],
)
def test_short_secrets_are_hidden_as_words_only(text: str, secrets: list[str | None], shown: str) -> None:
    assert without_secrets(text, secrets) == shown
