"""Bring readings from elsewhere into the book: through its lock, or through the daemon that holds it."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from wattbook.codecs.reading_json import encode
from wattbook.config import Config
from wattbook.engine.judge import power_max
from wattbook.engine.judge_columns import ColumnsJudge
from wattbook.engine.reach_daemon import daemon_of
from wattbook.exchange import Intake, System, Tally
from wattbook.exchange.together import Joined, Together
from wattbook.model import BookError, Clock, Columns, ConfigError, Kept, Reading
from wattbook.store import Book, BookHeld

READINGS_MAX = 10_000  # handed over at once: one commit's worth
HELD_MAX = 200_000  # readings in memory: some 13 MB, eleven days of one meter at 5 s
BULK_MIN = 1_000  # readings of a meter that are worth a sealed day; fewer are written as polls are
FIRST_MAX = 10  # readings shown of a preview
_BUSY_TRIES = 20
_BUSY_WAIT_S = 1.0  # as the daemon asks for with 503
_ANSWER_S = 120.0  # a commit of 10,000 readings on a slow card, behind others
_NOTHING = Kept(())


class Into(Protocol):
    """Where readings go. Returns when they are durable."""

    def write(self, columns: Columns) -> Kept: ...


@dataclass(slots=True)
class BroughtIn:
    """What became of an import."""

    system: System
    tally: Tally
    new: int = 0
    same: int = 0
    conflicts: int = 0
    refused: bool = False  # strict, and something was bad: nothing was stored
    first: list[Reading] = field(default_factory=list)


def bring_in(
    files: Sequence[Path], system: System, begin: Callable[[], Intake], into: Into | None, *, strict: bool = False
) -> BroughtIn:
    """Read the files and write what is good in them. `begin` makes the intake of one pass.

    `into` None: only look. `strict`: look first, and write nothing when any row is bad.
    """
    if strict and into is not None:
        before = _states(files)
        looked = bring_in(files, system, begin, None)
        if looked.tally.rejected:
            looked.refused = True
            return looked
        if _states(files) != before:
            raise ConfigError("changed while it was read; import a copy of it", place=str(files[0]))
    intake = begin()
    done = BroughtIn(system, intake.tally)
    with Together(held_max=HELD_MAX) as together:
        for block in system.read(files, intake):
            together.add(block)
        for joined in together.readings():
            _count(done, joined, into.write(joined.columns) if into is not None else _NOTHING)
    for name in intake.wishes.unused:
        done.tally.note(f'nothing in the files is called "{name}", as --map says')
    return done


def _count(done: BroughtIn, joined: Joined, kept: Kept) -> None:
    done.tally.readings += len(joined)
    done.new += kept.new
    done.same += kept.same + joined.same
    done.conflicts += kept.conflicts + joined.conflicts
    if len(done.first) < FIRST_MAX:
        done.first += islice(joined.columns.readings(), FIRST_MAX - len(done.first))


def _states(files: Sequence[Path]) -> list[tuple[int, int]]:
    return [(path.stat().st_size, path.stat().st_mtime_ns) for path in files]


def open_into(config: Config, clock: Clock) -> AbstractContextManager[Into]:
    """The book itself, or the daemon that writes it now. Raises BookError when neither can be had."""
    return _opened(config, clock)


@contextmanager
def _opened(config: Config, clock: Clock) -> Iterator[Into]:
    try:
        book = Book.open(config.book, clock=clock, site=config.site.name, commit_every_s=config.site.commit_every)
    except BookHeld as held:
        with IntoDaemon(config, held) as daemon:
            yield Judged(daemon, _judge(config))
        return
    with book:
        yield Judged(IntoBook(book, config.site.timezone), _judge(config))


class Judged:
    """Doubts what cannot be, before it goes anywhere."""

    def __init__(self, into: Into, judge: ColumnsJudge) -> None:
        self._into, self._judge = into, judge

    def write(self, columns: Columns) -> Kept:
        return self._into.write(self._judge.judge(columns))


def _judge(config: Config) -> ColumnsJudge:
    return ColumnsJudge({meter.name: power_max(config, meter) for meter in config.meters})


class IntoBook:
    """Writes into a book that we hold."""

    def __init__(self, book: Book, zone: ZoneInfo) -> None:
        self._book, self._zone = book, zone

    def write(self, columns: Columns) -> Kept:
        if len(columns) >= BULK_MIN:
            return self._book.import_columns(columns, self._zone)
        return _sum(self._book.append(part, urgent=True).result() for part in _parts(columns))


class IntoDaemon:
    """Sends to the daemon's `POST /api/v1/readings`."""

    def __init__(self, config: Config, held: BookHeld) -> None:
        daemon = daemon_of(config, held)
        self._held, self._place, self._headers = held, daemon.url, daemon.headers
        self._connection = daemon.connection(_ANSWER_S)

    def __enter__(self) -> IntoDaemon:
        return self

    def __exit__(self, *about: object) -> None:
        self._connection.close()

    def write(self, columns: Columns) -> Kept:
        return _sum(self._post(b"\n".join(map(encode, part)) + b"\n") for part in _parts(columns))

    def _post(self, body: bytes) -> Kept:
        for _ in range(_BUSY_TRIES):
            status, answer = self._answer(body)
            if status == 200:
                return Kept((), answer["new"], answer["same"], answer["conflicts"])
            if status != 503:
                break
            time.sleep(_BUSY_WAIT_S)
        raise BookError(f"the daemon at {self._place} refuses the readings: {answer.get('error', status)}")

    def _answer(self, body: bytes) -> tuple[int, dict[str, int]]:
        try:
            self._connection.request(
                "POST",
                "/api/v1/readings?history=1",
                body,
                {**self._headers, "content-type": "application/x-ndjson"},
            )
            response = self._connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise BookError(f"{self._held}; nobody answers at {self._place} ({error})", retry=True) from error


def _parts(columns: Columns) -> Iterator[list[Reading]]:
    readings = columns.readings()
    while part := list(islice(readings, READINGS_MAX)):
        yield part


def _sum(parts: Iterator[Kept]) -> Kept:
    new = same = conflicts = 0
    for kept in parts:
        new, same, conflicts = new + kept.new, same + kept.same, conflicts + kept.conflicts
    return Kept((), new, same, conflicts)
