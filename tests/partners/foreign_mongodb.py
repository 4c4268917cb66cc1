"""A small MongoDB (mongodb_server.py) in a process of its own, for what every sink must survive."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymongo

from mosquitto_server import free_port
from running import until
from wattbook.model.batch import to_ms

_PROGRAM = Path(__file__).with_name("mongodb_server.py")
_USER, _PASSWORD = "energy", "p/ss:w@rd"


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class ForeignMongodb:
    """MongoDB with a user of the database `home`, as seed 000 has one."""

    kind = "mongodb"
    at_least_once = False

    def __init__(self, folder: Path, user: str = _USER) -> None:
        self.port = free_port()
        self.user, self.password = user, _PASSWORD
        self._command = [sys.executable, str(_PROGRAM), str(self.port), str(folder), user, _PASSWORD, "home"]
        self._process: subprocess.Popen[bytes] | None = None

    def table(self, port: int) -> str:
        return (
            f'[[sink]]\nname = "foreign"\nkind = "mongodb"\nurl = "mongodb://127.0.0.1:{port}"\ndatabase = "home"\n'
            f'username = "{self.user}"\npassword = "{self.password}"\nauth_source = "home"\n'
        )

    def start(self) -> None:
        process = self._process = subprocess.Popen(self._command)
        until(lambda: listening(self.port) or process.poll() is not None)
        assert process.poll() is None, "the server did not start"

    def stop(self) -> None:
        self._end(kill=False)

    def kill(self) -> None:
        self._end(kill=True)

    def _end(self, *, kill: bool) -> None:
        process, self._process = self._process, None
        if process is not None:
            (process.kill if kill else process.terminate)()
            process.wait(20)

    def documents(self, collection: str = "readings") -> Sequence[Mapping[str, Any]]:
        """Everything in a collection of the database `home`."""
        with self.client() as client:
            return list(client["home"][collection].find())

    def client(self) -> pymongo.MongoClient[Any]:
        """The maker's own client, which blocks."""
        return pymongo.MongoClient(
            "127.0.0.1", self.port, username=self.user, password=self.password, authSource="home", tz_aware=True
        )

    def rows(self) -> list[tuple[str, int, float]]:
        return [
            (each["meter"], to_ms(_aware(each["at"])), each["active_energy_import"])
            for each in self.documents()
            if "active_energy_import" in each
        ]


def _aware(at: datetime) -> datetime:
    return at.astimezone(UTC)
