"""A small MongoDB (mongodb_server.py) in a process of its own, for what every sink must survive."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymongo

from foreign_process import Served
from ports import free_port
from wattbook.model.batch import to_ms

_PROGRAM = Path(__file__).with_name("mongodb_server.py")
_USER, _PASSWORD = "energy", "p/ss:w@rd"


class ForeignMongodb(Served):
    """MongoDB with a user of the database `home`, as seed 000 has one."""

    kind = "mongodb"
    at_least_once = False

    def __init__(self, folder: Path, user: str = _USER) -> None:
        self.port = free_port()
        self.user, self.password = user, _PASSWORD
        command = [sys.executable, str(_PROGRAM), str(self.port), str(folder), user, _PASSWORD, "home"]
        super().__init__(folder, command)

    def table(self, port: int) -> str:
        return (
            f'[[sink]]\nname = "foreign"\nkind = "mongodb"\nurl = "mongodb://127.0.0.1:{port}"\ndatabase = "home"\n'
            f'username = "{self.user}"\npassword = "{self.password}"\nauth_source = "home"\n'
        )

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
