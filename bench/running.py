"""A real `wattbook` in a process of its own: its configuration, its start, its page, its end."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_START_S_MAX = 30.0  # a busy machine imports for seconds
_STOP_S_MAX = 10.0
_LOOK_S = 0.005


class Running:
    """`wattbook` with these arguments, until `close`. What it says is in `log`."""

    def __init__(self, arguments: Sequence[str], *, folder: Path, port: int) -> None:
        self.port, self.log = port, folder / "wattbook.log"
        command = Path(sys.executable).with_name("wattbook")
        assert command.exists(), f"{command} is not there; run make setup"
        with self.log.open("wb") as log:
            self.began_s = time.monotonic()
            self._process = subprocess.Popen([command, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @property
    def pid(self) -> int:
        """Of the daemon."""
        return self._process.pid

    def wait_for_page(self) -> float:
        """Return the seconds from the start until HTTP is answered."""
        return self._wait(lambda seen: True, "no page")

    def wait_for_any(self, meters: Sequence[str]) -> float:
        """Return the seconds from the start until one of these has a reading over HTTP."""
        return self._wait(lambda seen: not seen.isdisjoint(meters), f"no reading of any of {', '.join(meters)}")

    def wait_for_all(self, meters: Sequence[str]) -> float:
        """Return the seconds from the start until all of these have a reading over HTTP."""
        return self._wait(lambda seen: seen.issuperset(meters), f"no reading of all of {', '.join(meters)}")

    def _wait(self, enough: Callable[[set[str]], bool], what: str) -> float:
        end_s = self.began_s + _START_S_MAX
        while time.monotonic() < end_s and self._process.poll() is None:
            try:
                latest = get_json(self.port, "/api/v1/readings/latest")
            except ConnectionRefusedError:
                time.sleep(_LOOK_S)
                continue
            if enough({reading["meter"] for reading in latest}):
                return time.monotonic() - self.began_s
            time.sleep(_LOOK_S)
        raise AssertionError(f"{what}; wattbook says: {self.log.read_text()}")

    def close(self) -> None:
        """End it as Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run_daemon(folder: Path, text: str) -> Running:
    """Start `wattbook run` with this configuration, serving on a free port."""
    port = free_port()
    path = folder / "wattbook.toml"
    path.write_text(f'[api]\nlisten = "127.0.0.1:{port}"\n{text}')
    return Running(["run", "-c", str(path)], folder=folder, port=port)


def line_text(port: Path, model: str, addresses: Sequence[int], *, every: str, baud: int | None = None) -> str:
    """A line and its meters m4, m5 … (or m, where the model has no address) for wattbook.toml."""
    text = f'[[line]]\nname = "line"\nport = "{port}"\n' + (f"baud = {baud}\n" if baud else "")
    for address in addresses or (None,):
        name, place = ("m", "") if address is None else (f"m{address}", f"address = {address}\n")
        text += f'[[meter]]\nname = "{name}"\nline = "line"\nmodel = "{model}"\nevery = "{every}"\n{place}'
    return text


def get_json(port: int, path: str) -> Any:
    """GET from the daemon."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, f"{path}: {answer.status} {body!r}"
        return json.loads(body)
    finally:
        connection.close()


def free_port() -> int:
    """A TCP port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
