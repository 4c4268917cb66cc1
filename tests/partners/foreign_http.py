"""Servers that take readings by HTTP, as the foreign systems of the contract suite."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from foreign_process import Served
from ports import free_port
from wattbook.model.batch import to_ms

_SERVER = Path(__file__).with_name("http_server.py")
_PRAGUE = ZoneInfo("Europe/Prague")


class ForeignHttp(Served):
    """JSON, many readings a request, stored under their identity."""

    kind = "http"
    at_least_once = False

    def __init__(self, folder: Path, certificate: Sequence[Path] = ()) -> None:
        self.port = free_port()
        self.file = folder / "http.db"
        super().__init__(folder, [sys.executable, str(_SERVER), *map(str, (self.port, self.file, *certificate))])

    def table(self, port: int) -> str:
        return f'[[sink]]\nname = "foreign"\nkind = "http"\nurl = "http://127.0.0.1:{port}/readings"\nmany = true\n'

    def rows(self) -> list[tuple[str, int, float]]:
        return [
            (meter, to_ms(datetime.fromisoformat(at)), json.loads(body)["values"]["active_energy_import"])
            for meter, at, body in self.asked("SELECT meter, at, body FROM reading")
        ]

    def asked(self, statement: str) -> list[Any]:
        """What the server has in its file."""
        with sqlite3.connect(self.file) as file:
            found = file.execute(statement).fetchall()
        file.close()
        return found


class ForeignLector(ForeignHttp):
    """Lector's centre: a request for each reading, one a second of local time."""

    def table(self, port: int) -> str:
        return f'[[sink]]\nname = "foreign"\nkind = "http"\nformat = "lector"\nurl = "http://127.0.0.1:{port}"\n'

    def rows(self) -> list[tuple[str, int, float]]:
        """The suite's instants have a meter's own hundredths, which a centre of Lector does not keep."""
        found = []
        for where, time, body in self.asked("SELECT meter, at, body FROM reading"):
            meter = unquote(where).rpartition("/")[2]
            at = datetime.strptime(time, "%d/%m/%Y %H:%M:%S").replace(tzinfo=_PRAGUE)
            (kwh,) = json.loads(json.loads(body)["LECTURA"])["CEA"]
            found.append((meter, to_ms(at) + int(meter.removeprefix("m")) * 10, round(kwh * 1000, 6)))
        return found
