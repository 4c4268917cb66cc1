"""Receivers of remote write as Debian has them: Prometheus 2.42 and VictoriaMetrics."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from foreign_process import Served
from ports import free_port
from running import get

_SERIES = '{__name__="wattbook_active_energy_import_watt_hours"}'
_MS_MAX = 4_102_444_800_000  # the year 2100


class _Receiver(Served):
    kind = "prometheus"
    at_least_once = False
    port: int
    alive: str

    def table(self, port: int) -> str:
        return f'[[sink]]\nname = "foreign"\nkind = "prometheus"\nurl = "http://127.0.0.1:{port}"\n'

    def ready(self) -> bool:
        try:
            return bool(get(f"http://127.0.0.1:{self.port}{self.alive}"))
        except OSError:
            return False

    def rows(self) -> list[tuple[str, int, float]]:
        return [(labels["meter"], at_ms, value) for labels, at_ms, value in self.samples(_SERIES)]

    def samples(self, selector: str) -> Iterator[tuple[dict[str, str], int, float]]:
        raise NotImplementedError

    def ask(self, path: str, **told: str) -> bytes:
        return get(f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(told)}")


class ForeignPrometheus(_Receiver):
    """`window` is how far behind its newest a sample may be; "" = it must be newer than all of its series."""

    alive = "/-/ready"

    def __init__(self, folder: Path, *, window: str = "100y", options: Sequence[str] = ()) -> None:
        self.port = free_port()
        config = folder / "prometheus.yml"
        options = options or ["--web.enable-remote-write-receiver"]
        command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data", *options]
        command += [f"--web.listen-address=127.0.0.1:{self.port}", "--storage.tsdb.retention.time=100y"]
        super().__init__(folder, command, "prometheus")
        tsdb = f"storage:\n  tsdb:\n    out_of_order_time_window: {window}\n" if window else ""
        config.write_text(f"global: {{}}\n{tsdb}", encoding="utf-8")

    def samples(self, selector: str) -> Iterator[tuple[dict[str, str], int, float]]:
        """Raw samples: an instant query of a range as long as it may be."""
        answer: Any = json.loads(self.ask("/api/v1/query", query=f"{selector}[100y]", time=str(_MS_MAX // 1000)))
        for series in answer["data"]["result"]:
            for at, value in series["values"]:
                yield series["metric"], round(at * 1000), float(value)


class ForeignVictoria(_Receiver):
    """It keeps what comes twice, until it is told to drop it."""

    durable = False  # it answers 204 for what it holds in memory, for some seconds
    alive = "/health"

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        command = ["victoria-metrics", f"-storageDataPath={folder}/data", f"-httpListenAddr=127.0.0.1:{self.port}"]
        command += ["-retentionPeriod=100y", "-dedup.minScrapeInterval=1ms", "-search.latencyOffset=0s"]
        super().__init__(folder, command, "victoria-metrics")

    def samples(self, selector: str) -> Iterator[tuple[dict[str, str], int, float]]:
        get(f"http://127.0.0.1:{self.port}/internal/force_flush")
        for line in self.ask("/api/v1/export", **{"match[]": selector}).splitlines():
            series: Any = json.loads(line)
            for at_ms, value in zip(series["timestamps"], series["values"], strict=True):
                yield series["metric"], at_ms, float(value)
