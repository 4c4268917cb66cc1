"""SQL databases for the contract of sinks: real PostgreSQL, MariaDB, SQLite, and a small server that speaks TDS."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pymssql
import pymysql
import pytest

from mosquitto_server import free_port

START_S_MAX = 60.0
PASSWORD = "Pa55:word/of@the%test"
_PATH = os.pathsep.join(
    [os.environ.get("PATH", ""), "/usr/sbin", "/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/17/bin"]
)
_NOBODY = "nobody" if os.getuid() == 0 else None  # PostgreSQL does not run as root


def program(name: str, package: str) -> str:
    found = shutil.which(name, path=_PATH)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install {package}")
    return found


class _Process:
    """A server of its own session, ended by its id and its group's."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, command: Sequence[str], log: Path, user: str | None = None) -> None:
        with log.open("ab") as words:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=words, stderr=words, start_new_session=True, user=user
            )

    def end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if how is signal.SIGKILL:
            os.killpg(self._process.pid, how)  # PostgreSQL's children hold its memory
        else:
            self._process.send_signal(how)
        self._process.wait(START_S_MAX)
        self._process = None

    def wait_until(self, ready: Any, *errors: type[Exception]) -> None:
        end = time.monotonic() + START_S_MAX
        while time.monotonic() < end:
            assert self._process is not None and self._process.poll() is None, "the server ended by itself"
            with contextlib.suppress(*errors):
                ready()
                return
            time.sleep(0.05)
        raise AssertionError("the server did not start")


class ForeignPostgres:
    """PostgreSQL of Debian. Its data lie where an unprivileged user can reach them."""

    kind = "sql"
    at_least_once = False

    def __init__(self, folder: Path, *, fsync: bool = False) -> None:
        self.port = free_port()
        self._log = folder / "postgresql.log"
        self._home = Path(tempfile.mkdtemp(prefix="wattbook-postgresql-"))
        atexit.register(shutil.rmtree, self._home, ignore_errors=True)
        self._process = _Process()
        secret = self._home / "password"
        secret.write_text(PASSWORD)
        if _NOBODY:
            shutil.chown(self._home, _NOBODY)
            shutil.chown(secret, _NOBODY)
        command = [program("initdb", "postgresql"), "-D", str(self._home / "data"), "-U", "wattbook", "-N"]
        command += ["--auth=scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C"]
        subprocess.run(command, check=True, capture_output=True, user=_NOBODY, cwd=self._home, timeout=START_S_MAX)
        self._fsync = "on" if fsync else "off"  # kill -9 leaves the system's cache alone

    def url(self, port: int) -> str:
        return f"postgresql://wattbook@127.0.0.1:{port}/postgres"

    def table(self, port: int) -> str:
        return f'[[sink]]\nname = "foreign"\nkind = "sql"\nurl = "{self.url(port)}"\npassword = "{PASSWORD}"\n'

    def start(self) -> None:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": self._fsync,
        }
        command = [program("postgres", "postgresql"), "-D", str(self._home / "data")]
        for key, value in options.items():
            command += ["-c", f"{key}={value}"]
        self._process.begin(command, self._log, _NOBODY)
        self._process.wait_until(lambda: self.connect().close(), psycopg.OperationalError)

    def stop(self) -> None:
        self._process.end(signal.SIGINT)  # "fast": it does not wait for those who are connected

    def kill(self) -> None:
        self._process.end(signal.SIGKILL)

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


class ForeignMariadb:
    """MariaDB of Debian."""

    kind = "sql"
    at_least_once = False

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder / "mariadb"
        self._folder.mkdir()
        self._log = folder / "mariadb.log"
        self._process = _Process()
        command = [program("mariadb-install-db", "mariadb-server"), "--no-defaults", f"--datadir={self._folder}"]
        command += ["--auth-root-authentication-method=normal", "--skip-test-db", *self._user]
        subprocess.run(command, check=True, capture_output=True, timeout=START_S_MAX)
        self._first = True

    @property
    def _user(self) -> list[str]:
        return ["--user=root"] if os.getuid() == 0 else []

    def table(self, port: int) -> str:
        url = f"mariadb://wattbook@127.0.0.1:{port}/energy"
        return f'[[sink]]\nname = "foreign"\nkind = "sql"\nurl = "{url}"\npassword = "{PASSWORD}"\n'

    def start(self) -> None:
        command = [program("mariadbd", "mariadb-server"), "--no-defaults", f"--datadir={self._folder}", *self._user]
        command += [
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            f"--socket={self._folder}/s",
            "--skip-name-resolve",
        ]
        command += [f"--pid-file={self._folder}/pid", "--innodb-flush-log-at-trx-commit=2", "--innodb-fast-shutdown=1"]
        self._process.begin(command, self._log)
        self._process.wait_until(self._make_ready, pymysql.OperationalError, FileNotFoundError)

    def _make_ready(self) -> None:
        if not self._first:
            self.connect().close()
            return
        if not (self._folder / "s").is_socket():
            raise FileNotFoundError
        with pymysql.connect(unix_socket=f"{self._folder}/s", user="root", autocommit=True) as root:
            cursor = root.cursor()
            cursor.execute("CREATE DATABASE energy")
            cursor.execute("CREATE USER wattbook IDENTIFIED BY %s", (PASSWORD,))
            cursor.execute("GRANT ALL ON energy.* TO wattbook")
        self._first = False

    def stop(self) -> None:
        self._process.end(signal.SIGTERM)

    def kill(self) -> None:
        self._process.end(signal.SIGKILL)

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


class ForeignMssql:
    """Not Microsoft's: a small server that speaks its protocol to its real client library, and stores in SQLite."""

    kind = "sql"
    at_least_once = False

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._file = folder / "mssql.sqlite"
        self._log = folder / "mssql.log"
        self._process = _Process()

    def table(self, port: int) -> str:
        url = f"mssql://wattbook@127.0.0.1:{port}/energy"
        return f'[[sink]]\nname = "foreign"\nkind = "sql"\nurl = "{url}"\npassword = "{PASSWORD}"\n'

    def start(self) -> None:
        program = Path(__file__).with_name("tds_server.py")
        command = [sys.executable, str(program), str(self.port), str(self._file), "wattbook", PASSWORD]
        self._process.begin(command, self._log)
        self._process.wait_until(self._answers, ConnectionRefusedError)

    def _answers(self) -> None:
        socket.create_connection(("127.0.0.1", self.port), timeout=1).close()

    def stop(self) -> None:
        self._process.end(signal.SIGTERM)

    def kill(self) -> None:
        self._process.end(signal.SIGKILL)

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
