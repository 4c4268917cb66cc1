"""A real InfluxDB 1.6 of Debian."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from foreign_process import Served
from ports import free_port
from running import get

_ANSWER_S_MAX = 60.0
_CONFIG = Path(__file__).with_name("influxd.conf")  # the bench of stores uses it, too


class ForeignInflux(Served):
    """`auth` makes it ask for a user; `body` is the most bytes that it takes at once."""

    kind = "influxdb"
    at_least_once = False

    def __init__(self, folder: Path, *, auth: bool = False, body: int = 25_000_000) -> None:
        self.port = free_port()
        config = folder / "influxdb.conf"
        super().__init__(folder, ["influxd", "-config", str(config)], "influxdb")
        told = {"inner": free_port(), "port": self.port, "auth": str(auth).lower(), "body": body, "data": ""}
        config.write_text(_CONFIG.read_text(encoding="utf-8").format(folder=folder, **told), encoding="utf-8")

    def table(self, port: int) -> str:
        return f'[[sink]]\nname = "foreign"\nkind = "influxdb"\nurl = "http://127.0.0.1:{port}"\ndatabase = "house"\n'

    def ready(self) -> bool:
        try:
            return get(f"http://127.0.0.1:{self.port}/ping") == b""
        except OSError:
            return False

    def rows(self) -> list[tuple[str, int, float]]:
        found = self.ask("SELECT active_energy_import FROM electricity GROUP BY meter", database="house")
        return [
            (series["tags"]["meter"], at_ms, float(value))
            for series in found.get("series", [])
            for at_ms, value in series["values"]
        ]

    def ask(self, query: str, *, database: str = "", user: str = "", password: str = "") -> Any:
        """The answer to one statement of InfluxQL, with times in ms."""
        told = {"db": database, "epoch": "ms", "u": user, "p": password}
        asked = urllib.parse.urlencode({name: text for name, text in told.items() if text})
        body = urllib.parse.urlencode({"q": query}).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/query?{asked}", body, _ANSWER_S_MAX) as answer:
            result = json.loads(answer.read())["results"][0]
        assert "error" not in result, result
        return result
