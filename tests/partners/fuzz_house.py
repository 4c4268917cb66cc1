"""A house with one of everything behind the real API, in a folder of its own, for those who throw things at it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from running import daemon, wattbook, write_house

PASSWORD = "four words are enough"
TABLES = """
[site]
name = "House"
timezone = "Europe/Prague"
commit_every = "50ms"

[api]
listen = "127.0.0.1:0"
legacy = ["energy"]
energy_meter = "main-a"

[supply]
generator_current = 0.3

[[meter]]
name = "main-a"
location = "house/panel/a"
model = "push"
source = "utility"

[[meter]]
name = "heat-pump"
location = "house/cellar"
model = "push"

[[meter]]
name = "sheds"
location = "yard"
formula = "main-a + 2 * heat-pump"

[[alert]]
name = "over 5 kW"
kind = "above"
meters = ["main-a"]
quantity = "active_power"
limit = 5000

[[notify]]
name = "anna"
url = "json://127.0.0.1:{hook}/alerts"

[[tariff]]
currency = "CZK"

[[tariff.energy]]
name = "all day"
price = 6.24

[[sink]]
name = "influx"
kind = "csv"
"""


@dataclass(frozen=True)
class FuzzHouse:
    """Where it is, who may come in, and what it said."""

    url: str
    admin: str  # tokens
    viewer: str
    log: Path
    pid: int


@contextmanager
def fuzz_house(folder: Path) -> Iterator[FuzzHouse]:
    """A running daemon with users and tokens."""
    with _hook() as port:
        yield from _running(folder, TABLES.replace("{hook}", str(port)))


def _running(folder: Path, tables: str) -> Iterator[FuzzHouse]:
    config = write_house(folder, tables)
    log = folder / "run.log"
    for name, role in (("root", "admin"), ("eve", "viewer")):
        _done("user", "add", name, "--role", role, "--stdin", "-c", config, given=f"{PASSWORD}\n")
    scopes = [
        word for scope in ("read", "metrics", "push", "operate", "configure", "users") for word in ("--scope", scope)
    ]
    admin = _done("token", "create", "fuzz", *scopes, "-c", config)
    viewer = _done("token", "create", "looks", "--scope", "read", "-c", config)
    with daemon(config, log) as (url, process):
        yield FuzzHouse(url.removesuffix("/"), _token(admin), _token(viewer), log, process.pid)


class _Taker(BaseHTTPRequestHandler):
    """Takes every message, so that one that did not go out is a fault."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def _hook() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Taker)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def _done(*arguments: str | Path, given: str = "") -> str:
    done = wattbook(*arguments, given=given)
    assert done.returncode == 0, done.stderr
    said: str = done.stdout
    return said


def _token(said: str) -> str:
    found = re.search(r"wattbook_\S+", said)
    assert found, said
    return found[0]
