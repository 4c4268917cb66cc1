"""InfluxDB and VictoriaMetrics as Debian has them, on free ports in folders of ours.

The system's own services and their data are never touched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import which
from typing import Any, Protocol
from urllib.parse import urlencode

from bench.peer_server import Server
from bench.running import free_port

_INFLUX_CONFIG = Path(__file__).parents[1] / "tests/partners/influxd.conf"
_COMPACTED = """cache-snapshot-write-cold-duration = "1s"
compact-full-write-cold-duration = "1s"
"""  # at once what else it compacts after hours


class Peer(Protocol):
    """A store that takes line protocol."""

    name: str
    durable: str  # what an answered write is worth
    server: Server

    def write(self, lines: bytes) -> None:
        """Write lines, with milliseconds; return when it says that it has them."""

    def settle(self) -> None:
        """Return when all is on disk and compacted."""

    def energy(self, meters: str, start_ms: int, end_ms: int, every: str) -> int:
        """Ask what the register grew by in each step; return how many steps came back."""

    def raw(self, meter: str, quantity: str, start_ms: int, end_ms: int) -> int:
        """Ask for values as they are; return how many came back."""

    def latest(self, end_ms: int) -> int:
        """Ask for the last values of all meters; return how many came back."""


class Influx:
    """InfluxDB 1.6.7. A write is in its log and synced when it is answered."""

    name = "InfluxDB"
    durable = "synced"

    def __init__(self, folder: Path) -> None:
        port = free_port()
        config = folder / "influxdb.conf"
        told = {"inner": free_port(), "port": port, "auth": "false", "body": 25_000_000, "data": _COMPACTED}
        config.write_text(_INFLUX_CONFIG.read_text(encoding="utf-8").format(folder=folder, **told), encoding="utf-8")
        self.server = Server([_program("influxd"), "-config", str(config)], folder, port, "/ping")
        self._query("CREATE DATABASE book", method="POST")

    def write(self, lines: bytes) -> None:
        self.server.ask("POST", "/write?db=book&precision=ms", lines)

    def settle(self) -> None:
        self.server.wait_until_quiet(("data", "wal"))

    def energy(self, meters: str, start_ms: int, end_ms: int, every: str) -> int:
        series = self._query(
            "SELECT difference(last(active_energy_import)) FROM poll"  # noqa: S608 - names of ours
            f" WHERE meter =~ /^({meters})$/ AND time >= {start_ms}ms AND time < {end_ms}ms"
            f" GROUP BY time({every}), meter tz('Europe/Prague')"
        )
        return sum(len(one["values"]) for one in series)

    def raw(self, meter: str, quantity: str, start_ms: int, end_ms: int) -> int:
        series = self._query(
            f"SELECT {quantity} FROM poll WHERE meter = '{meter}'"  # noqa: S608
            f" AND time >= {start_ms}ms AND time < {end_ms}ms"
        )
        return sum(len(one["values"]) for one in series)

    def latest(self, end_ms: int) -> int:
        series = self._query("SELECT * FROM poll GROUP BY meter ORDER BY time DESC LIMIT 1")
        return sum(len(one["columns"]) - 1 for one in series)

    def _query(self, text: str, *, method: str = "GET") -> Sequence[Any]:
        asked = urlencode({"db": "book", "epoch": "ms", "q": text})
        answer = json.loads(self.server.ask(method, f"/query?{asked}"))["results"][0]
        assert "error" not in answer, answer
        series: Sequence[Any] = answer.get("series", ())
        return series


class Victoria:
    """VictoriaMetrics 1.79.5. A write is in memory when it is answered, and on disk seconds later."""

    name = "VictoriaMetrics"
    durable = "in memory only"

    def __init__(self, folder: Path) -> None:
        port = free_port()
        command = [
            _program("victoria-metrics"), f"-httpListenAddr=127.0.0.1:{port}", f"-storageDataPath={folder}/data",
            "-retentionPeriod=100y", "-search.latencyOffset=0s", "-loggerLevel=WARN",
            "-search.maxPointsPerTimeseries=100000",
        ]  # fmt: skip
        self.server = Server(command, folder, port, "/health")

    def write(self, lines: bytes) -> None:
        self.server.ask("POST", "/write?precision=ms", lines)

    def settle(self) -> None:
        self.server.ask("GET", "/internal/force_flush")
        self.server.ask("GET", "/internal/force_merge")
        self.server.wait_until_quiet(("data/data",))

    def energy(self, meters: str, start_ms: int, end_ms: int, every: str) -> int:
        query = f'increase(poll_active_energy_import{{meter=~"{meters}"}}[{every}])'
        asked = {"query": query, "start": start_ms / 1000, "end": end_ms / 1000, "step": every, "nocache": "1"}
        answer = json.loads(self.server.ask("GET", f"/api/v1/query_range?{urlencode(asked)}"))
        return sum(len(one["values"]) for one in answer["data"]["result"])

    def raw(self, meter: str, quantity: str, start_ms: int, end_ms: int) -> int:
        asked = {"match[]": f'poll_{quantity}{{meter="{meter}"}}', "start": start_ms / 1000, "end": end_ms / 1000}
        text = self.server.ask("GET", f"/api/v1/export?{urlencode(asked)}")
        return sum(len(json.loads(line)["values"]) for line in text.splitlines())

    def latest(self, end_ms: int) -> int:
        asked = {"query": '{__name__=~"poll_.*"}', "time": end_ms / 1000, "nocache": "1"}
        answer = json.loads(self.server.ask("GET", f"/api/v1/query?{urlencode(asked)}"))
        return len(answer["data"]["result"])


def _program(name: str) -> str:
    found = which(name)
    assert found, f"{name} is not installed; make bench does that"
    return found


PEERS: Sequence[Callable[[Path], Peer]] = (Influx, Victoria)
