"""Where an SQL database is: its URL understood, which driver speaks to it, and how long a silent network is borne."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, NullPool, create_engine, make_url
from sqlalchemy.exc import ArgumentError

from wattbook.model.nearest import did_you_mean
from wattbook.transports.sql_drivers import SQL_DRIVERS

_CONNECT_S_MIN = 2  # psycopg and FreeTDS count whole seconds, and libpq rounds one second up to two
_DRIVER = 0.8  # of the limit: a driver that gives up by itself says more than one that is cut off
_STRICT = "SET SESSION time_zone = '+00:00', sql_mode = CONCAT_WS(',', NULLIF(@@sql_mode, ''), 'STRICT_ALL_TABLES')"


@dataclass(frozen=True, slots=True)
class Address:
    """One database. `family` is postgresql, mysql (MariaDB too), mssql or sqlite."""

    url: URL = field(repr=False)
    limit_s: float  # of one exchange with the server

    @property
    def family(self) -> str:
        """Which SQL is spoken there."""
        name = self.url.get_backend_name()
        return "mysql" if name == "mariadb" else name

    @property
    def shown(self) -> str:
        """Where it is, for people: without user, password and options."""
        if self.family == "sqlite":
            return str(self.url.database)
        port = f":{self.url.port}" if self.url.port else ""
        return f"{self.url.get_backend_name()}://{self.url.host or ''}{port}/{self.url.database or ''}"

    def engine(self) -> Engine:
        """SQLAlchemy's way in. Does not connect. Raises ValueError when the driver is not installed."""
        try:
            return create_engine(
                self.url,
                poolclass=NullPool,  # the sink holds its connections itself, and drops them when anything fails
                connect_args=self._options(),
                hide_parameters=True,
            )
        except ModuleNotFoundError as error:
            raise ValueError(f'needs the package {error.name}: pip install "wattbook[sql]"') from error

    def _options(self) -> dict[str, Any]:
        connect_s = max(_CONNECT_S_MIN, int(self.limit_s / 2))
        whole_s = max(1, int(self.limit_s * _DRIVER))
        match self.family:
            case "postgresql":
                # Behind a pooler such as pgbouncer a prepared statement is met by a server that does not know it.
                return {"connect_timeout": connect_s, "prepare_threshold": None, "client_encoding": "utf-8"}
            case "mysql":
                times = {"connect_timeout": connect_s, "read_timeout": whole_s, "write_timeout": whole_s}
                return {**times, "init_command": _STRICT, "charset": "utf8mb4"}
            case "mssql":
                return {"login_timeout": connect_s, "timeout": whole_s, "charset": "UTF-8"}
            case _:
                return {"timeout": whole_s, "check_same_thread": False}


def parse_address(url: str, password: str | None, file: Path | None, limit_s: float) -> Address:
    """Understand where the database is. Raises ValueError, which never shows the URL."""
    if (file is None) == (not url):
        raise ValueError('needs "url" (postgresql://, mariadb://, mysql://, mssql://) or "file" (SQLite), one of them')
    if file is not None:
        return Address(URL.create("sqlite+pysqlite", database=str(file)), limit_s)
    if url.partition("?")[0].count("@") > 1:  # what lies between them would be taken for the host, and be shown
        raise ValueError('a password with an "@" stands apart: password = "…"')
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError('"url" is no address; one is "postgresql://user@host/database"') from None
    return Address(_completed(parsed, password), limit_s)


def _completed(url: URL, password: str | None) -> URL:
    name = url.get_backend_name()
    driver = SQL_DRIVERS.get(name)
    if driver is None or url.drivername not in (name, driver):
        near = did_you_mean(name, SQL_DRIVERS)
        raise ValueError(
            f'"{url.drivername}" is no database that is known here{near}; there are: {", ".join(SQL_DRIVERS)}'
        )
    if name == "sqlite":
        raise ValueError('of an SQLite database give "file" instead of "url"')
    if not url.host or not url.database:
        raise ValueError('"url" needs a host and a database: "postgresql://user@host/database"')
    url = url.set(drivername=driver)
    return url if password is None else url.set(password=password)
