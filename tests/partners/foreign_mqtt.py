"""mosquitto with a consumer that holds a session: Debian's own client, which writes every payload to a file."""

import json
import subprocess
import uuid
from datetime import datetime
from pathlib import Path

from foreign_process import installed
from mosquitto_server import Mosquitto
from ports import free_port
from running import until

# What is in the consumer's socket survives the broker; what waits in the broker's memory for its turn does not.
_LINES = ("allow_anonymous true", "max_inflight_messages 0", "persistence true")


class ForeignMqtt:
    """A broker, and somebody who listens as long as this object lives."""

    kind = "mqtt"
    at_least_once = True
    durable = False  # what waits in its memory for the consumer dies with it: 477 messages once, on a busy machine

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._heard = folder / "heard.jsonl"
        self._broker = Mosquitto(folder, [*_LINES, f"persistence_location {folder}/"], self.port)
        self._consumer: subprocess.Popen[bytes] | None = None

    def table(self, port: int) -> str:
        return (
            f'[[sink]]\nname = "foreign"\nkind = "mqtt"\nurl = "mqtt://127.0.0.1:{port}"\n'
            "subscribed = true\n"  # a broker that was killed has forgotten who is subscribed: wait for the consumer
        )

    def start(self) -> None:
        self._broker.start()
        if self._consumer is None:
            self._consumer = self._listen()
        self._wait_for_consumer()

    def stop(self) -> None:
        self._broker.stop()
        if self._consumer is not None:
            self._consumer.terminate()
            self._consumer.wait(20)
            self._consumer = None

    def kill(self) -> None:
        self._broker.kill()

    def rows(self) -> list[tuple[str, int, float]]:
        self._wait_for_consumer()
        found = []
        for line in self._heard.read_text(encoding="utf-8").splitlines():
            told = json.loads(line) if line.startswith("{") else {}
            if "active_energy_import" in told.get("values", {}):
                at_ms = round(datetime.fromisoformat(told["at"]).timestamp() * 1000)
                found.append((told["meter"], at_ms, float(told["values"]["active_energy_import"])))
        return found

    def _listen(self) -> "subprocess.Popen[bytes]":
        program = installed("mosquitto_sub", "mosquitto-clients")
        session = ["-c", "-i", "foreign", "-q", "1", "-t", "wattbook/#"]
        with self._heard.open("ab") as heard:
            return subprocess.Popen([program, "-p", str(self.port), *session], stdout=heard)

    def _wait_for_consumer(self) -> None:
        """Until it has everything that came before: what one connection hears keeps its order."""
        mark = f"mark {uuid.uuid4()}"

        def is_heard() -> bool:
            self._broker.publish("wattbook/mark", mark)
            return mark.encode() in self._heard.read_bytes()[-100_000:]

        until(is_heard)
