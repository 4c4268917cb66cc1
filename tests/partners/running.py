"""`wattbook` as a process: started as a person starts it, waited for, and ended by its own id."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

WAIT_S_MAX = 60.0  # two busy cores; a quiet machine needs a second

HOUSE = """
[site]
name = "Test house"
timezone = "Europe/Prague"
commit_every = "200ms"

[api]
listen = "127.0.0.1:0"
legacy = ["energy"]
energy_meter = "utility"

[[line]]
name = "rs485"
port = "{folder}/sim/rs485"

[[meter]]
name = "main-a"
line = "rs485"
model = "pzem-016"
address = 4
every = "200ms"

[[meter]]
name = "main-b"
line = "rs485"
model = "pzem-016"
address = 5
every = "200ms"

[[line]]
name = "optical"
port = "{folder}/sim/optical"

[[meter]]
name = "utility"
line = "optical"
model = "zpa-two-tariff"

[[line]]
name = "sml"
port = "{folder}/sim/sml"

[[meter]]
name = "heat-pump"
line = "sml"
model = "sml"

[[meter]]
name = "pushed"
model = "push"
"""

ALONE = """
[site]
name = "Mill"
timezone = "Europe/Prague"
commit_every = "100ms"

[api]
listen = "127.0.0.1:0"
ask_password = false

# The only meter.
[[meter]]
name = "workshop"
model = "push"
"""


def write_house(folder: Path, text: str = HOUSE) -> Path:
    """A configuration whose lines stand in `folder`/sim."""
    path = folder / "wattbook.toml"
    path.write_text(text.replace("{folder}", str(folder)), encoding="utf-8")
    return path


def wattbook(*arguments: str | Path, given: str = "", environment: dict[str, str] | None = None) -> Any:
    """Run a command to its end."""
    command = [sys.executable, "-m", "wattbook", *map(str, arguments)]
    return subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=WAIT_S_MAX, check=False, env=environment
    )


@contextlib.contextmanager
def started(
    *arguments: str | Path, log: Path, stop: signal.Signals = signal.SIGINT
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command until the block ends; its words go to `log`."""
    with log.open("ab") as words:
        process = subprocess.Popen(
            [sys.executable, "-m", "wattbook", *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=words, stderr=words, start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.send_signal(stop)
            try:
                process.wait(WAIT_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


@contextlib.contextmanager
def simulated(folder: Path, config: Path) -> Iterator[None]:
    """The meters of a configuration on simulated lines."""
    with started("simulate", "-c", config, "--folder", folder / "sim", log=folder / "simulate.log"):
        names = re.findall(r'port = "[^"]*/sim/([^"]+)"', config.read_text(encoding="utf-8"))
        until(lambda: all((folder / "sim" / name).exists() for name in names))
        yield


@contextlib.contextmanager
def daemon(config: Path, log: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A running daemon: the address of its page, and its process."""
    skip = log.stat().st_size if log.exists() else 0

    def address() -> str:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        found = re.search(r"page +(https?://\S+)", log.read_text(encoding="utf-8")[skip:])
        return found[1] if found else ""

    with started("run", "-c", config, log=log) as process:
        until(lambda: address() != "")
        yield address(), process


def until(true: Callable[[], bool], *, within_s: float = WAIT_S_MAX) -> None:
    """Look again and again until it is so."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def get(url: str) -> bytes:
    """The body of an answer."""
    with urllib.request.urlopen(url, timeout=WAIT_S_MAX) as answer:
        body: bytes = answer.read()
        return body


def get_json(url: str) -> Any:
    return json.loads(get(url))


def post(url: str, body: bytes, kind: str = "application/json") -> Any:
    """Send readings; return the answer."""
    request = urllib.request.Request(url, data=body, headers={"content-type": kind})
    with urllib.request.urlopen(request, timeout=WAIT_S_MAX) as answer:
        return json.loads(answer.read())


def push_power(url: str, watts: float) -> None:
    """A reading of now of the meter of ALONE. `url` ends with a slash."""
    reading = {"meter": "workshop", "at": datetime.now(UTC).isoformat(), "values": {"active_power": watts}}
    post(f"{url}api/v1/readings", json.dumps(reading).encode())
