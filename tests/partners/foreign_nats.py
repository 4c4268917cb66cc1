"""NATS for the suite that every sink passes."""

from __future__ import annotations

import json
from datetime import datetime

from nats_server import NatsServer
from wattbook.model.batch import to_ms


class ForeignNats(NatsServer):
    """A real nats-server with JetStream; each start goes on with what it has stored."""

    kind = "nats"
    at_least_once = True

    def table(self, port: int) -> str:
        return f'[[sink]]\nname = "foreign"\nkind = "nats"\nurl = "nats://127.0.0.1:{port}"\nstream = "readings"\n'

    def rows(self) -> list[tuple[str, int, float]]:
        """Meter, instant and energy of every message, doubles too."""
        found = []
        for _, body in self.messages("readings"):
            reading = json.loads(body)
            at_ms = to_ms(datetime.fromisoformat(reading["at"]))
            if "active_energy_import" in reading["values"]:
                found.append((reading["meter"], at_ms, float(reading["values"]["active_energy_import"])))
        return found
