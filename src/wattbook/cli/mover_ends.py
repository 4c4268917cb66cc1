"""The ends of a move, as the words of a command name them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from wattbook.config import Config, one_sink
from wattbook.engine.bring_in import open_into
from wattbook.engine.move import Goal, Origin
from wattbook.engine.move_ends import read_back, server_of
from wattbook.engine.move_from import BeginIntake, FromBook, FromFiles, FromServer
from wattbook.engine.move_into import FILES, IntoFile, IntoSink, IntoTheBook
from wattbook.exchange import Intake, Meters, Tally, Wishes, system_of
from wattbook.exchange.servers import is_address, server_at
from wattbook.model import ConfigError, Span, SystemClock
from wattbook.model.batch import to_ms
from wattbook.model.clock import latest_believed
from wattbook.model.nearest import did_you_mean
from wattbook.sinks import KINDS, SinkSettings
from wattbook.store import BookReader
from wattbook.values import Secret

BOOK = "book"
_NO_GOALS = ("csv", "console")  # they are files and pages of a daemon that runs


@dataclass(frozen=True, slots=True)
class SourceWishes:
    """What the user said of the source."""

    maps: Sequence[str]
    meter: str
    time: str
    time_format: str
    zone: ZoneInfo
    password: Secret | None = None


@dataclass(frozen=True, slots=True)
class Ends:
    """How the words of a command become the two ends of a move."""

    config: Config
    span: Span
    wishes: SourceWishes
    opened: ExitStack

    def origin(self, words: Sequence[str], table: str, system: str) -> Origin:
        """The store that is read: the book, a database, our own sink, or files. Raises ConfigError."""
        begin = partial(self._intake, self.wishes)
        (first, *more) = words
        if not more and first == BOOK:
            return FromBook(self.opened.enter_context(BookReader(self.config.book)), self.span)
        if not more and is_address(first):
            return FromServer(server_at(first, table=table, password=self.wishes.password), begin, self.span)
        if not more and (settings := self._sink(first)) is not None and not Path(first).exists():
            return FromServer(server_of(settings, self.config.site.name), self._of_ours(), self.span)
        files = [Path(word) for word in words]
        for file in files:
            if not file.exists():
                near = did_you_mean(str(file), self._names)
                raise ConfigError(f"there is no such file, sink or address{near}", place=str(file))
        return FromFiles(files, system_of(files, system), begin, self.span)

    def goal(self, word: str, origin: Origin, sets: Sequence[str]) -> Goal:
        """The store that is written: the book, a sink, or a file. `sets` make a sink of a kind. Raises ConfigError."""
        if word == BOOK:
            if isinstance(origin, FromBook):
                raise ConfigError("a book is not moved into itself")
            clock = SystemClock()
            return IntoTheBook(lambda: open_into(self.config, clock), lambda: BookReader(self.config.book), self.span)
        settings = self._sink(word)
        if settings is None and word in _NO_GOALS:
            raise _no_goal(word)
        if settings is None and word in KINDS:
            table = {"name": "mover", "kind": word, **dict(map(_setting, sets))}
            settings = one_sink(table, self.config.surroundings, Path.cwd())
        elif sets:
            raise ConfigError(f"--set is for a kind of sink ({', '.join(KINDS)}), not for {word}", place="--set")
        if settings is not None:
            return self._into_sink(settings)
        if Path(word).suffix in FILES:
            return IntoFile(Path(word), origin, self.config.site.timezone, self._of_ours())
        raise ConfigError(
            f'"{word}" is no place to go to{did_you_mean(word, (*self._names, *KINDS))}: book, a sink by its name,'
            f" a kind of sink with --set, or a file ({', '.join(FILES)})"
        )

    def _into_sink(self, settings: SinkSettings) -> Goal:
        if settings.kind in _NO_GOALS:
            raise _no_goal(settings.kind)
        if settings.every is not None:
            raise ConfigError(f"{settings.name} keeps one row an interval: wattbook sink replay makes them anew")
        around = self.config.surroundings
        return IntoSink(settings, around, read_back(settings, around.site), self._of_ours(), self.span)

    def _sink(self, name: str) -> SinkSettings | None:
        return next((sink for sink in self.config.sinks if sink.name == name), None)

    @property
    def _names(self) -> Sequence[str]:
        return [BOOK, *(sink.name for sink in self.config.sinks)]

    def _of_ours(self) -> BeginIntake:
        """How what wattbook itself wrote is read: names as they are, times in UTC."""
        return partial(self._intake, SourceWishes((), "", "", "", ZoneInfo("UTC")))

    def _intake(self, wishes: SourceWishes, tally: Tally, seen: Callable[[int], None]) -> Intake:
        known = Meters(self._meters(), default=wishes.meter)
        return Intake(
            meters=known,
            wishes=Wishes(wishes.maps, known),
            zone=wishes.zone,
            latest_ms=to_ms(latest_believed(SystemClock().now())),
            time=wishes.time,
            time_form=wishes.time_format,
            tally=tally,
            seen=seen,
        )

    def _meters(self) -> Sequence[str]:
        """Meters of the configuration, and those that only the book knows any more."""
        configured = [meter.name for meter in self.config.meters]
        if not self.config.book.exists():
            return configured
        with BookReader(self.config.book) as reader:
            return list(dict.fromkeys([*configured, *reader.meters()]))


def _no_goal(kind: str) -> ConfigError:
    return ConfigError(f'nothing is moved into a sink of kind "{kind}"; name a file: history.csv')


def _setting(text: str) -> tuple[str, Any]:
    """`key=value`, the value as TOML has it, or a text."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f'"{text}" is not KEY=VALUE', place="--set")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):
        return key.strip(), value
