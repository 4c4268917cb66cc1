"""`wattbook mover`: history from one store into another, compared at the end."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from wattbook import config as configuration
from wattbook.cli.importing import zone_called
from wattbook.cli.progress import progress
from wattbook.cli.show import HERE, ConfigOption, JsonOption, console, for_people, print_line
from wattbook.config import Config, one_sink
from wattbook.engine.bring_in import open_into
from wattbook.engine.instants import parse_instant
from wattbook.engine.move import Goal, Moved, Origin, move
from wattbook.engine.move_ends import read_back, server_of
from wattbook.engine.move_from import BeginIntake, FromBook, FromFiles, FromServer, whole_time
from wattbook.engine.move_into import FILES, IntoFile, IntoSink, IntoTheBook
from wattbook.engine.sums import Sum
from wattbook.exchange import AUTO, SYSTEMS, Intake, Meters, Tally, Wishes, system_of
from wattbook.exchange.servers import is_address, server_at
from wattbook.model import ConfigError, Span, SystemClock, quantity
from wattbook.model.batch import to_ms
from wattbook.model.clock import latest_believed
from wattbook.model.nearest import did_you_mean
from wattbook.sinks import KINDS, SinkSettings
from wattbook.store import BookReader
from wattbook.values import Secret

BOOK = "book"
_NO_GOALS = ("csv", "console")  # they are files and pages of a daemon that runs
_SHOWN_MAX = 20  # differences told one by one


def register(app: typer.Typer) -> None:
    """Add this room's command."""
    app.command()(mover)


def mover(
    ends: Annotated[
        list[str],
        typer.Argument(
            metavar="FROM... TO",
            help="book, a [[sink]] by its name, files of one system, or the address of a database "
            "(http://HOST:8086/DATABASE, postgresql://…, mongodb://…). TO may also be a kind of sink, with --set.",
        ),
    ],
    *,
    start: Annotated[str, typer.Option("--from", help="An instant: ISO 8601, today, yesterday, -24h.")] = "",
    end: Annotated[str, typer.Option("--to", help="An instant, not included.")] = "",
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of the sink that is made for it.")
    ] = None,
    table: Annotated[str, typer.Option(help="The table, collection or measurement that is read.")] = "",
    password: Annotated[
        Path | None, typer.Option("--password-file", help="The password of the database that is read.")
    ] = None,
    system: Annotated[str, typer.Option(help=f"Of files: {', '.join((AUTO, *SYSTEMS))}.")] = AUTO,
    maps: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="NAME=METER.QUANTITY[:UNIT]", help="What a column, field or series is."),
    ] = None,
    meter: Annotated[str, typer.Option(help="Whose readings they are, where nothing there names a meter.")] = "",
    time: Annotated[str, typer.Option("--time", metavar="COLUMN", help="The time; DATE+TIME joins two.")] = "",
    time_format: Annotated[str, typer.Option(help='iso, unix, or as "%d.%m.%Y %H:%M"; else it is recognised.')] = "",
    zone: Annotated[str, typer.Option(help="Of times without an offset; else the site's.")] = "",
    verify: Annotated[bool, typer.Option(help="Read again what then stands there, and compare.")] = True,
    path: ConfigOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Copy history between any two stores; a checksum of every value tells whether all of it is there."""
    if len(ends) < 2:
        raise ConfigError("say where from and where to: wattbook mover http://127.0.0.1:8086/housePower book")
    config = configuration.load(path)
    wishes = _Wishes(tuple(maps or ()), meter, time, time_format, zone_called(zone, config), _password(password))
    with ExitStack() as opened:
        ways = _Ways(config, _span(start, end, config), wishes, opened)
        origin = ways.origin(ends[:-1], table, system)
        goal = ways.goal(ends[-1], origin, sets or [])
        told = opened.enter_context(progress(f"{origin.title} → {goal.title}"))
        moved = move(origin, goal, told, verify=verify)
    if as_json:
        print_line(json.dumps(_json(moved, origin, goal), ensure_ascii=False))
    else:
        _tell(moved, origin, goal)
    if not moved.good:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Wishes:
    """What the user said of the source."""

    maps: Sequence[str]
    meter: str
    time: str
    time_format: str
    zone: ZoneInfo
    password: Secret | None = None


@dataclass(frozen=True, slots=True)
class _Ways:
    """How the words of a command become the two ends of a move."""

    config: Config
    span: Span
    wishes: _Wishes
    opened: ExitStack

    def origin(self, words: Sequence[str], table: str, system: str) -> Origin:
        """Raises ConfigError."""
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
        """Raises ConfigError."""
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
        return partial(self._intake, _Wishes((), "", "", "", ZoneInfo("UTC")))

    def _intake(self, wishes: _Wishes, tally: Tally, seen: Callable[[int], None]) -> Intake:
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
    except tomllib.TOMLDecodeError:
        return key.strip(), value


def _password(file: Path | None) -> Secret | None:
    try:
        return None if file is None else Secret(file.read_text(encoding="utf-8").rstrip("\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", place=str(file)) from error


def _span(start: str, end: str, config: Config) -> Span:
    now, zone, whole = SystemClock().now(), config.site.timezone, whole_time()
    begin = parse_instant(start, zone=zone, now=now).astimezone(UTC) if start else whole.start
    stop = parse_instant(end, zone=zone, now=now).astimezone(UTC) if end else whole.end
    if stop < begin:
        raise ConfigError(f'"{end}" lies before "{start}"')
    return Span(begin, stop)


def _tell(moved: Moved, origin: Origin, goal: Goal) -> None:
    out, err, tally = console(), console(stderr=True), moved.tally
    say = partial(out.print, highlight=False, markup=False)
    warn = partial(err.print, highlight=False, markup=False)
    whole = moved.read.all
    say(f"{moved.read.readings} readings, {whole.count} values: {origin.title} → {goal.title}.")
    for name, each in _by_quantity(moved):
        shown = " ".join(for_people(each.total, quantity(name).unit)).rstrip()
        say(f"  {name:32} {each.count:12}  sum {shown}")
    say(f"checksum {whole.shown}{_verdict(moved)}")
    for note in tally.notes:
        warn(f"# {note}")
    if tally.left_out:
        names = ", ".join(f"{name} ({count})" for name, count in tally.left_out.most_common(_SHOWN_MAX))
        warn(f"# not mapped, left out: {names}")
    for line in _shown([str(bad) for bad in tally.listed], tally.rejected, "rows are bad"):
        warn(line)
    refused = [f"{each.meter}: {each.reason}" for each in moved.rejected]
    for line in _shown(list(dict.fromkeys(refused)), len(refused), "readings were refused there"):
        warn(line)
    for line in _shown([str(each) for each in moved.differ], len(moved.differ), "quantities differ"):
        warn(line)


def _verdict(moved: Moved) -> str:
    if moved.there is None:
        return "; it was not read again there"
    return "; the same there" if not moved.differ else f"; there it is {moved.there.all.shown}"


def _shown(lines: Sequence[str], count: int, what: str) -> Iterator[str]:
    yield from lines[:_SHOWN_MAX]
    if count:
        yield f"{count} {what}."


def _by_quantity(moved: Moved) -> Sequence[tuple[str, Sum]]:
    sums: dict[str, Sum] = {}
    for (_, name), each in sorted(moved.read.of.items()):
        sums[name] = sums.get(name, Sum()) + each
    return sorted(sums.items())


def _json(moved: Moved, origin: Origin, goal: Goal) -> dict[str, object]:
    whole = moved.read.all
    return {
        "from": origin.title,
        "to": goal.title,
        "readings": moved.read.readings,
        "values": whole.count,
        "checksum": whole.shown,
        "there": None if moved.there is None else moved.there.all.shown,
        "quantities": [
            {"quantity": name, "unit": quantity(name).unit, "count": each.count, "sum": each.total}
            for name, each in _by_quantity(moved)
        ],
        "differences": [
            {
                "meter": each.meter,
                "quantity": each.quantity,
                "read": {"count": each.read.count, "sum": each.read.total},
                "there": {"count": each.there.count, "sum": each.there.total},
            }
            for each in moved.differ
        ],
        "refused": [{"meter": each.meter, "at_ms": each.at_ms, "reason": each.reason} for each in moved.rejected],
        "bad": [{"file": bad.file, "line": bad.line, "reason": bad.reason} for bad in moved.tally.listed],
        "rejected": moved.tally.rejected,
        "left_out": dict(moved.tally.left_out),
        "notes": moved.tally.notes,
    }
