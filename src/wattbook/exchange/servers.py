"""Databases that are read while they run: by their address, with what readers of files are given too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol
from urllib.parse import unquote, urlsplit

from wattbook.exchange.intake import Intake
from wattbook.model import Columns, ConfigError
from wattbook.values import Secret

Told = Callable[[float], None]  # is told what share of all is read, from 0 to 1


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is and who we are there. `url` is without the user. `table` "" = the usual one, or all."""

    url: str
    database: str
    table: str = ""
    user: str = ""
    password: Secret | None = None
    site: str = ""  # only what is of this site, where it says so

    @property
    def shown(self) -> str:
        """For people."""
        return f"{self.url}/{self.database}"


class Server(Protocol):
    """A database that is read."""

    title: str

    def read(self, intake: Intake, begin_ms: int, end_ms: int, told: Told) -> Iterator[Columns]:
        """Yield the readings of begin <= at < end. Raises SinkUnavailable, ConfigError."""
        ...


# Scheme -> module and class. A module is imported when it is asked for: it needs a package of its own.
_KINDS: Mapping[str, tuple[str, str, str]] = {
    "http": ("influx_server", "InfluxServer", "http"),
    "https": ("influx_server", "InfluxServer", "http"),
    "mongodb": ("mongo_server", "MongoServer", "mongodb"),
    "mongodb+srv": ("mongo_server", "MongoServer", "mongodb"),
    **dict.fromkeys(
        ("postgresql", "postgres", "timescaledb", "mariadb", "mysql", "mssql", "sqlserver", "sqlite"),
        ("sql_server", "SqlServer", "sql"),
    ),
}


def is_address(text: str) -> bool:
    """Whether this is the address of a database that can be read."""
    scheme, separator, _ = text.partition("://")
    return bool(separator) and scheme in _KINDS


def server_at(text: str, *, table: str = "", password: Secret | None = None, site: str = "") -> Server:
    """The database at `scheme://[user[:password]@]host[:port]/database`. Raises ConfigError without a secret."""
    try:
        parts = urlsplit(text)
        host = parts.netloc.rpartition("@")[2]
        given = None if parts.password is None else Secret(unquote(parts.password))
        _ = parts.port if "," not in host else 0  # a set of MongoDB has several hosts
    except ValueError as error:
        raise ConfigError("is no address of a database") from error
    query = f"?{parts.query}" if parts.query else ""
    url, database = f"{parts.scheme}://{host}", parts.path.removeprefix("/") + query
    return make_server(Address(url, database, table, unquote(parts.username or ""), password or given, site))


def make_server(address: Address) -> Server:
    """The reader of a database. Raises ConfigError when its package is not installed."""
    module, name, extra = _KINDS[address.url.partition("://")[0]]
    try:
        found = getattr(import_module(f"wattbook.exchange.{module}"), name)
    except ModuleNotFoundError as error:
        if not error.name or error.name.partition(".")[0] == "wattbook":
            raise
        raise ConfigError(
            f'to read {address.shown} the package {error.name} is needed: pip install "wattbook[{extra}]"'
        ) from error
    server: Server = found(address)
    return server
