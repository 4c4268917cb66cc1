"""SQL databases for the contract of sinks: real PostgreSQL, MariaDB, SQLite, and a small server that speaks TDS."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pymssql
import pymysql

from foreign_process import Served, installed
from ports import free_port

_MAKE_S_MAX = 60.0
PASSWORD = "Pa55:word/of@the%test"
_NOBODY = "nobody" if os.getuid() == 0 else None  # PostgreSQL does not run as root
_AS_ROOT = ["--user=root"] if os.getuid() == 0 else []  # MariaDB does, when it is told


class ForeignPostgres(Served):
    """PostgreSQL of Debian. Its data lie where an unprivileged user can reach them."""

    kind = "sql"
    at_least_once = False
    stopping: ClassVar[signal.Signals] = signal.SIGINT  # "fast": it does not wait for those who are connected

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        self.port = free_port()
        home = Path(tempfile.mkdtemp(prefix="wattbook-postgresql-"))
        atexit.register(shutil.rmtree, home, ignore_errors=True)
        super().__init__(home, self._command_of(home, fsync=fsync), "postgresql", user=_NOBODY)
        secret = home / "password"
        secret.write_text(PASSWORD)
        if _NOBODY:
            shutil.chown(home, _NOBODY)
            shutil.chown(secret, _NOBODY)
        command = [installed("initdb", "postgresql"), "-D", str(home / "data"), "-U", "wattbook", "-N"]
        command += ["--auth=scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C"]
        subprocess.run(command, check=True, capture_output=True, user=_NOBODY, cwd=home, timeout=_MAKE_S_MAX)

    def _command_of(self, home: Path, *, fsync: bool) -> list[str]:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "on" if fsync else "off",  # kill -9 leaves the system's cache alone
        }
        told = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        return ["postgres", "-D", str(home / "data"), *told]

    def url(self, port: int) -> str:
        return f"postgresql://wattbook@127.0.0.1:{port}/postgres"

    def table(self, port: int) -> str:
        return f'[[sink]]\nname = "foreign"\nkind = "sql"\nurl = "{self.url(port)}"\npassword = "{PASSWORD}"\n'

    def ready(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="wattbook", password=PASSWORD, dbname="postgres", autocommit=True
        )

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def rows(self) -> list[tuple[str, int, float]]:
        found = self.ask("SELECT meter, at, active_energy_import FROM readings")
        return [(meter, to_ms(at), energy) for meter, at, energy in found]


class ForeignKeyless(ForeignPostgres):
    """A table without any key, that was there before: only our position beside it keeps readings from being doubled."""

    def table(self, port: int) -> str:
        columns = 'meter = "{meter}", at = "{at:instant}", active_energy_import = "{active_energy_import}"'
        return super().table(port) + f"append = true\ncolumns = {{ {columns} }}\n"

    def start(self) -> None:
        super().start()
        self.ask("CREATE TABLE IF NOT EXISTS readings (meter text, at timestamptz, active_energy_import float8)")


class ForeignMariadb(Served):
    """MariaDB of Debian."""

    kind = "sql"
    at_least_once = False

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._data = folder / "mariadb"
        options = ["--no-defaults", f"--datadir={self._data}", *_AS_ROOT, f"--port={self.port}"]
        options += ["--bind-address=127.0.0.1", f"--socket={self._data}/s", "--skip-name-resolve"]
        options += [f"--pid-file={self._data}/pid", "--innodb-flush-log-at-trx-commit=2", "--innodb-fast-shutdown=1"]
        super().__init__(folder, ["mariadbd", *options], "mariadb-server")
        self._data.mkdir()
        command = [installed("mariadb-install-db", "mariadb-server"), "--no-defaults", f"--datadir={self._data}"]
        command += ["--auth-root-authentication-method=normal", "--skip-test-db", *_AS_ROOT]
        subprocess.run(command, check=True, capture_output=True, timeout=_MAKE_S_MAX)
        self._first = True

    def table(self, port: int) -> str:
        url = f"mariadb://wattbook@127.0.0.1:{port}/energy"
        return f'[[sink]]\nname = "foreign"\nkind = "sql"\nurl = "{url}"\npassword = "{PASSWORD}"\n'

    def ready(self) -> bool:
        if self._first and not (self._data / "s").is_socket():
            return False  # the library would leave a socket of its own open
        try:
            if self._first:
                self._make_database()
            self.connect().close()
        except pymysql.OperationalError:
            return False
        return True

    def _make_database(self) -> None:
        with pymysql.connect(unix_socket=f"{self._data}/s", user="root", autocommit=True) as root:
            cursor = root.cursor()
            cursor.execute("CREATE DATABASE energy")
            cursor.execute("CREATE USER wattbook IDENTIFIED BY %s", (PASSWORD,))
            cursor.execute("GRANT ALL ON energy.* TO wattbook")
        self._first = False

    def connect(self) -> Any:
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user="wattbook", password=PASSWORD, database="energy", autocommit=True,
            init_command="SET sql_mode = 'ANSI_QUOTES'",
        )  # fmt: skip

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall())

    def rows(self) -> list[tuple[str, int, float]]:
        found = self.ask("SELECT meter, at, active_energy_import FROM readings")
        return [(meter, to_ms(at.replace(tzinfo=UTC)), energy) for meter, at, energy in found]


class ForeignMssql(Served):
    """Not Microsoft's: a small server that speaks its protocol to its real client library, and stores in SQLite."""

    kind = "sql"
    at_least_once = False

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        program = str(Path(__file__).with_name("tds_server.py"))
        options = [str(self.port), str(folder / "mssql.sqlite"), "wattbook", PASSWORD]
        super().__init__(folder, [sys.executable, program, *options])

    def table(self, port: int) -> str:
        url = f"mssql://wattbook@127.0.0.1:{port}/energy"
        return f'[[sink]]\nname = "foreign"\nkind = "sql"\nurl = "{url}"\npassword = "{PASSWORD}"\n'

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        with pymssql.connect(
            server="127.0.0.1", port=self.port, user="wattbook", password=PASSWORD, database="energy", autocommit=True
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def rows(self) -> list[tuple[str, int, float]]:
        found = self.ask("SELECT meter, at, active_energy_import FROM readings")
        return [(meter, to_ms(datetime.fromisoformat(at + "+00:00")), energy) for meter, at, energy in found]


class ForeignSqlite:
    """A file; no server."""

    kind = "sql"
    at_least_once = False
    port = 0

    def __init__(self, folder: Path) -> None:
        self.file = folder / "foreign.sqlite"

    def table(self, port: int) -> str:
        return f'[[sink]]\nname = "foreign"\nkind = "sql"\nfile = "{self.file}"\n'

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def kill(self) -> None: ...

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self.file)) as it:
            found = it.execute(statement).fetchall()
            it.commit()
            return found

    def rows(self) -> list[tuple[str, int, float]]:
        found = self.ask("SELECT meter, at, active_energy_import FROM readings")
        return [(meter, to_ms(datetime.fromisoformat(at + "+00:00")), energy) for meter, at, energy in found]


def to_ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
