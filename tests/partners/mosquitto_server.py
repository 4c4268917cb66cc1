"""A real mosquitto on a free port of this machine."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from foreign_process import Served, installed, running
from ports import free_port

_USER = ["user root"] if os.getuid() == 0 else []  # else it gives up its rights and cannot read our folder


class Mosquitto(Served):
    """A broker that can be stopped and started again with the same sessions."""

    def __init__(self, folder: Path, lines: Sequence[str], port: int) -> None:
        self.port = port
        config = folder / "mosquitto.conf"
        super().__init__(folder, ["mosquitto", "-c", str(config)], "mosquitto")
        config.write_text("\n".join([f"listener {port} 127.0.0.1", "max_queued_messages 0", *_USER, *lines]) + "\n")

    def publish(self, topic: str, *payloads: str, options: Sequence[str] = ()) -> None:
        """With Debian's own client, one line of its input a message."""
        program = installed("mosquitto_pub", "mosquitto-clients")
        command = [program, "-h", "127.0.0.1", "-p", str(self.port), "-q", "1", "-t", topic, "-l", *options]
        subprocess.run(command, input="\n".join(payloads) + "\n", text=True, check=True, timeout=60)


@contextmanager
def mosquitto(folder: Path, *lines: str, anonymous: bool = True) -> Iterator[Mosquitto]:
    """Run a broker with these lines in its configuration."""
    access = f"allow_anonymous {str(anonymous).lower()}"
    broker = Mosquitto(folder, [access, *lines], free_port())
    with running(broker):
        yield broker
