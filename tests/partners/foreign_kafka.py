"""Kafka for the suite that every sink passes."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import kafka_server
from foreign_process import Served
from ports import free_port
from wattbook.model.batch import to_ms


class ForeignKafka(Served):
    """A small broker of our own (no other is to be had here); each start goes on with what it has stored."""

    kind = "kafka"
    at_least_once = True

    def __init__(self, folder: Path, **options: Any) -> None:
        self.port = free_port()
        command = [sys.executable, kafka_server.__file__, str(self.port), str(folder), json.dumps(options)]
        super().__init__(folder, command)

    def table(self, port: int) -> str:
        """Speaking to `port`. Its name for us tells the broker that we come through it, and want to go on so."""
        return (
            f'[[sink]]\nname = "foreign"\nkind = "kafka"\nurl = "kafka://127.0.0.1:{port}"\n'
            f'compression = "gzip"\nclient_id = "wattbook-{port}"\n'
        )

    def messages(self) -> list[tuple[str, bytes | None, bytes]]:
        """Topic, key and body of every message, doubles too."""
        return list(kafka_server.stored(self.folder))

    def rows(self) -> list[tuple[str, int, float]]:
        """Meter, instant and energy of every message, doubles too."""
        found = []
        for _, _, body in self.messages():
            reading = json.loads(body)
            at_ms = to_ms(datetime.fromisoformat(reading["at"]))
            if "active_energy_import" in reading["values"]:
                found.append((reading["meter"], at_ms, float(reading["values"]["active_energy_import"])))
        return found
