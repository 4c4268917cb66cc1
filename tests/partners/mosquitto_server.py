"""A real mosquitto on a free port of this machine."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

_PATH = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"
_START_S_MAX = 20.0
_USER = ["user root"] if os.getuid() == 0 else []  # else it gives up its rights and cannot read our folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """A broker that can be stopped and started again with the same sessions."""

    def __init__(self, folder: Path, lines: Sequence[str], port: int) -> None:
        self.port = port
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            "\n".join([f"listener {port} 127.0.0.1", "max_queued_messages 0", *_USER, *lines]) + "\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which("mosquitto", path=_PATH)
        if program is None:
            pytest.skip("mosquitto is not installed: apt-get install mosquitto mosquitto-clients")
        self._process = subprocess.Popen([program, "-c", str(self._config)], stderr=subprocess.DEVNULL)
        end = time.monotonic() + _START_S_MAX
        while time.monotonic() < end and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.02)
        raise AssertionError("mosquitto did not start")

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def kill(self) -> None:
        """As a power cut would."""
        if self._process:
            self._process.kill()
            self._process.wait(20)
            self._process = None

    def publish(self, topic: str, *payloads: str, options: Sequence[str] = ()) -> None:
        """With Debian's own client, one line of its input a message."""
        program = shutil.which("mosquitto_pub", path=_PATH)
        if program is None:
            pytest.skip("mosquitto_pub is not installed: apt-get install mosquitto-clients")
        command = [program, "-h", "127.0.0.1", "-p", str(self.port), "-q", "1", "-t", topic, "-l", *options]
        subprocess.run(command, input="\n".join(payloads) + "\n", text=True, check=True, timeout=60)


@contextmanager
def mosquitto(folder: Path, *lines: str, anonymous: bool = True) -> Iterator[Mosquitto]:
    """Run a broker with these lines in its configuration."""
    access = f"allow_anonymous {str(anonymous).lower()}"
    broker = Mosquitto(folder, [access, *lines], free_port())
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
