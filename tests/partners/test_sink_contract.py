"""What every sink promises, tried with its real server (or one that speaks its wire format): every reading, once.

Each server is a class `Foreign…` in a module `foreign_….py` of this folder. One run per server, step by step: it is
away while readings come, it is killed while it takes them, wattbook is killed while it gives them, the network hangs,
and a reading is corrected. Then what is there is counted and compared, value by value. `make torture` does more of
each: 100,000 readings while the server is away, 20 kills of wattbook.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import random
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from forwarder import Forwarder
from running import daemon, get_json, until, wattbook

TORTURE = bool(os.environ.get("WATTBOOK_TORTURE"))
AWAY = 100_000 if TORTURE else 2_000  # readings that come while the server is away
KILLS = 20 if TORTURE else 2  # of wattbook while it delivers
SERVER_KILLS = 5 if TORTURE else 1
METERS = 10
START_MS = 1_795_000_000_000
AT_ONCE = 1_000
DRAINED_S = 900.0 if TORTURE else 180.0

HOUSE = """
[site]
name = "Site"
timezone = "Europe/Prague"
commit_every = "100ms"
[api]
listen = "127.0.0.1:0"
"""


class Foreign(Protocol):
    """A foreign system under test."""

    kind: str
    at_least_once: bool
    durable: bool  # what it acknowledged survives its kill -9
    port: int  # 0 = it has none: files

    def __init__(self, folder: Path) -> None: ...
    def table(self, port: int) -> str: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def rows(self) -> list[tuple[str, int, float]]: ...


def _foreign() -> Iterator[type[Foreign]]:
    for module in sorted(Path(__file__).parent.glob("foreign_*.py")):
        for name, found in inspect.getmembers(importlib.import_module(module.stem), inspect.isclass):
            if name.startswith("Foreign") and found.__module__ == module.stem:
                yield found


Row = tuple[str, int, float]


class Trial:
    """wattbook and one foreign system, and what was given to wattbook."""

    def __init__(self, folder: Path, foreign: Foreign, port: int) -> None:
        self.foreign = foreign
        self.given: dict[tuple[str, int], float] = {}
        self.replaced: set[Row] = set()  # as they were before a correction
        self.log = folder / "wattbook.log"
        self.config = folder / "wattbook.toml"
        meters = "".join(f'[[meter]]\nname = "m{number}"\nmodel = "push"\n' for number in range(METERS))
        self.config.write_text(HOUSE + meters + _impatient(foreign.table(port)), encoding="utf-8")
        self.url = ""

    def run(self, *steps: Callable[[Any], None], kill: bool = False) -> None:
        """Run the daemon for some steps; end it in order, or at once."""
        with daemon(self.config, self.log) as (url, process):
            self.url = url.rstrip("/")
            for step in steps:
                step(process)
            if kill:
                process.kill()
                process.wait()

    def give(self, count: int) -> None:
        """Readings of all meters in turn, 5 s apart, durable when this returns."""
        while count > 0:
            some = []
            for _ in range(min(count, AT_ONCE)):
                number = len(self.given)
                meter, at_ms = f"m{number % METERS}", START_MS + number // METERS * 5_000 + number % METERS * 10
                self.given[meter, at_ms] = float(1_000 + number)
                some.append({"meter": meter, "at": _iso(at_ms), "values": {
                    "active_energy_import": 1_000 + number, "voltage": 230 + number % 7 / 10,
                }})  # fmt: skip
            request = urllib.request.Request(
                f"{self.url}/api/v1/readings", json.dumps(some).encode(), {"content-type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert answer.status < 300
            count -= len(some)

    def correct(self) -> None:
        """Put another value into the first reading."""
        (meter, at_ms), was = next(iter(self.given.items()))
        done = wattbook(
            "meter", "correct", meter, "active_energy_import=7Wh", "--at", _iso(at_ms), "--why", "a test",
            "-c", self.config,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        self.replaced.add((meter, at_ms, was))
        self.given[meter, at_ms] = 7.0

    def sink(self) -> dict[str, Any]:
        (found,) = get_json(f"{self.url}/api/v1/sinks")
        return dict(found)

    def try_now(self) -> None:
        """Tell wattbook that the sink is back: it need not wait out its back-off."""
        order = urllib.request.Request(
            f"{self.url}/api/v1/sinks/foreign", b'{"do":"resume"}', {"content-type": "application/json"}
        )
        urllib.request.urlopen(order, timeout=60).close()

    def drained(self) -> None:
        """Wait until nothing waits for the sink."""

        def done() -> bool:
            sink = self.sink()
            return sink["behind"] == 0 and sink["state"] == "waiting"

        try:
            until(done, within_s=DRAINED_S)
        except AssertionError:
            raise AssertionError(f"{self.sink()}\n{self.log.read_text(encoding='utf-8')[-3000:]}") from None

    def check(self) -> None:
        """Everything is there: once, or at least once from message systems."""
        rows = [(meter, at_ms, round(value, 6)) for meter, at_ms, value in self.foreign.rows()]
        wanted = {(meter, at_ms, value) for (meter, at_ms), value in self.given.items()}
        counts = Counter(rows)
        lost = wanted - counts.keys()
        strange = counts.keys() - wanted - self.replaced
        assert not lost and not strange, f"lost {_some(lost)}, strange {_some(strange)} of {len(wanted)}"
        if not self.foreign.at_least_once:
            assert not (twice := [row for row, count in counts.items() if count > 1]), f"doubled: {_some(twice)}"
            assert sum(row[2] for row in rows) == sum(self.given.values())
        else:
            print(f"{self.foreign.kind}: {len(rows) - len(counts)} of {len(wanted)} delivered more than once")


def _impatient(table: str) -> str:
    """The table with a short time-out: the network will hang."""
    return table if "timeout" in table else table.replace("[[sink]]", '[[sink]]\ntimeout = "2s"')


def _iso(at_ms: int) -> str:
    seconds, ms = divmod(at_ms, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{ms:03d}Z"


def _some(rows: Sequence[Row] | set[Row]) -> str:
    return f"{len(rows)} {sorted(rows)[:3]}"


@pytest.mark.torture
@pytest.mark.parametrize("kind", [pytest.param(each, id=each.__name__) for each in _foreign()])
def test_every_reading_once_whatever_happens(kind: type[Foreign], tmp_path: Path) -> None:
    folder = tmp_path / "foreign"
    folder.mkdir()
    foreign = kind(folder)
    foreign.start()
    forwarder = Forwarder(foreign.port) if foreign.port else None
    try:
        trial = Trial(tmp_path, foreign, forwarder.port if forwarder else 0)

        def write(process: Any) -> None:
            trial.give(1_000)
            trial.drained()
            trial.check()

        def away(process: Any) -> None:
            if foreign.port:
                foreign.stop()
            trial.give(AWAY)
            if foreign.port:
                until(lambda: trial.sink()["state"] == "away")
                foreign.start()
                trial.try_now()
            _kill_while_it_takes(trial, foreign)
            trial.drained()
            trial.check()

        def die(process: Any) -> None:
            trial.give(1_000)
            time.sleep(random.random() * 0.3)

        def hang(process: Any) -> None:
            assert forwarder is not None
            forwarder.turn("hang")
            trial.give(500)
            until(lambda: trial.sink()["state"] == "away", within_s=60)
            forwarder.turn("pass")
            trial.try_now()
            trial.drained()

        def finish(process: Any) -> None:
            trial.give(10)
            trial.correct()
            trial.give(10)
            trial.drained()
            if _takes_corrections(trial):
                trial.check()
            else:  # it cannot change what it has, and counts that
                assert trial.sink()["skipped"] >= 1
                ((meter, at_ms, was),) = trial.replaced
                trial.given[meter, at_ms] = was
                trial.check()

        trial.run(write, away)
        for _ in range(KILLS):
            trial.run(die, kill=True)
        trial.run(*([hang] if forwarder else []), finish)
    finally:
        if forwarder:
            forwarder.close()
        foreign.stop()


def _kill_while_it_takes(trial: Trial, foreign: Foreign) -> None:
    if not foreign.port:
        return
    for _ in range(SERVER_KILLS):
        until(lambda: trial.sink()["state"] != "away")
        if getattr(foreign, "durable", True):
            time.sleep(random.random() * 0.2)
            foreign.kill()
        else:  # what it has acknowledged may still be in its memory only
            trial.drained()
            foreign.stop()
        trial.give(100)
        foreign.start()
        trial.try_now()


def _takes_corrections(trial: Trial) -> bool:
    return trial.sink()["skipped"] == 0
