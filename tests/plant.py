"""A plant with sources, places and virtual meters: real settings and a real book, asked as people ask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from book_tools import StillClock
from wattbook import config
from wattbook.config import Config
from wattbook.engine.answer import Answer
from wattbook.engine.ask import ask
from wattbook.engine.query import Question
from wattbook.model import Reading
from wattbook.store import Book, BookReader

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)  # "now" of every question
ENERGY = "active_energy_import"
EXPORT = "active_energy_export"
POWER = "active_power"

METERS = """
[[meter]]
name = "grid"
model = "push"
every = "1min"
location = "plant"
source = "utility"

[[meter]]
name = "diesel"
model = "push"
every = "1min"
location = "plant/yard"
source = "generator"

[[meter]]
name = "heat pump"
model = "push"
every = "1min"
location = "plant/hall 2"

[[meter]]
name = "press-1"
model = "push"
every = "1min"
location = "plant/hall 2/press"

[[meter]]
name = "lamp"
model = "push"
every = "1min"
location = "plant/hall 20"

[[meter]]
name = "probe"
model = "push"
every = "1min"
location = "plant/hall 2/probes"

[[meter]]
name = "house"
formula = "grid + diesel"

[[meter]]
name = "rest"
formula = "house - heat pump - 0.5 * 'press-1'"
"""


@dataclass(frozen=True)
class Plant:
    """A book that can be written and asked."""

    config: Config
    book: Book
    reader: BookReader

    def keep(self, readings: Iterable[Reading]) -> None:
        """Write readings down."""
        self.book.append(list(readings), urgent=True).result(30)

    def question(self, *meters: str, quantity: str = ENERGY, **more: object) -> Question:
        """As it comes from the command line; from 12 hours ago until now."""
        texts: dict[str, object] = {"start": "-12h", "end": "now", **more}
        return Question.parse(meters=meters, quantity=quantity, zone=self.config.site.timezone, now=NOON, **texts)  # type: ignore[arg-type]

    def ask(self, *meters: str, quantity: str = ENERGY, **more: object) -> Sequence[Answer]:
        """The answers to such a question."""
        return ask(self.reader, self.question(*meters, quantity=quantity, **more), self.config)


@contextmanager
def plant(folder: Path, zone: str = "Europe/Prague", meters: str = METERS) -> Iterator[Plant]:
    """A plant whose book is empty."""
    file = folder / "wattbook.toml"
    file.write_text(f'[site]\ntimezone = "{zone}"\n{meters}', encoding="utf-8")
    settings = config.load(file)
    opened = Book.open(settings.book, clock=StillClock(NOON), commit_every_s=0.01)
    with opened as book, BookReader(settings.book) as reader:
        yield Plant(settings, book, reader)


def growing(meter: str, hours: float, by: float, *, ago_h: float = 12, name: str = ENERGY) -> Iterator[Reading]:
    """A reading a minute of a register that grows by so much a minute."""
    for minute in range(int(hours * 60) + 1):
        yield Reading(meter, NOON - timedelta(hours=ago_h) + timedelta(minutes=minute), {name: 1000.0 + by * minute})


def steady(meter: str, hours: float, value: float, *, ago_h: float = 12, name: str = POWER) -> Iterator[Reading]:
    """A reading a minute of a gauge that stands still."""
    for minute in range(int(hours * 60) + 1):
        yield Reading(meter, NOON - timedelta(hours=ago_h) + timedelta(minutes=minute), {name: value})


def values(answer: Answer) -> list[float | None]:
    """What an answer says, without instants."""
    return [point.value for point in answer.series]


def qualities(answer: Answer) -> list[str]:
    """How good each of it is."""
    return [str(point.quality) for point in answer.series]
