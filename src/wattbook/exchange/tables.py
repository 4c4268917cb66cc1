"""The tables that are understood by their header: the plain table, RX380's, dsmr-reader's, and any with a mapping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from wattbook.codecs.reading_json import VALUES_MAX
from wattbook.exchange.csv_rows import Header, read_header
from wattbook.exchange.csv_table import Plan, TableReader
from wattbook.exchange.instants import guess_form
from wattbook.exchange.intake import Intake
from wattbook.exchange.mapping import Target, guess
from wattbook.model import Columns, ConfigError, UnknownQuantity, quantity
from wattbook.model.nearest import did_you_mean

PLAIN = ["meter", "at"]
TIMES = (
    "at", "time", "timestamp", "datetime", "date_time", "date time", "date", "last_changed", "read_at", "start",
    "start_ts", "zeit", "datum", "zeitstempel", "fecha", "hora",
)  # fmt: skip


def is_plain(header: Sequence[str]) -> bool:
    """Whether this is the plain table of design section 8."""
    return list(header[:2]) == PLAIN


def read_plain(files: Sequence[Path], intake: Intake) -> Iterator[Columns]:
    """The plain table: no mapping but of meters' names."""
    for path in files:
        intake.tally.file = path.name
        header = read_header(path)
        yield from TableReader(_plain_plan(header, path), intake).read(path)


def _plain_plan(header: Header, path: Path) -> Plan:
    names = header.names
    if not is_plain(names) or header.delimiter != ",":
        raise ConfigError("the first line must be meter,at,<quantity>,...", place=str(path))
    if len(names) == len(PLAIN):
        raise ConfigError(f"the first line names no quantity; a reading has 1 to {VALUES_MAX}", place=str(path))
    _no_doubles(names, path)
    try:
        targets = {place: Target("", quantity(name).name) for place, name in enumerate(names) if place > 1}
    except UnknownQuantity as error:
        raise ConfigError(str(error), place=str(path)) from error
    return Plan(",", len(names), (1,), "iso", targets, meter=0, foreign=False)


def _no_doubles(names: Sequence[str], path: Path) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ConfigError(f'"{twice[0]}" stands twice in the first line', place=str(path))


def read_mapped(files: Sequence[Path], intake: Intake, known: Mapping[str, str] | None = None) -> Iterator[Columns]:
    """Any CSV whose columns the user maps, or that are called as quantities; `known` adds names of one program."""
    for path in files:
        intake.tally.file = path.name
        header = read_header(path)
        yield from TableReader(mapped_plan(header, path, intake, known or {}), intake).read(path)


def mapped_plan(header: Header, path: Path, intake: Intake, known: Mapping[str, str]) -> Plan:
    """How this table is read. Raises ConfigError when its time or all its columns are unknown."""
    time = _time_columns(header, intake, path)
    meter = next((place for place, name in enumerate(header.names) if name.casefold() == "meter"), None)
    targets: dict[int, Target] = {}
    times = {header.names[place] for place in time}  # a header may repeat it
    others = [(place, name) for place, name in enumerate(header.names) if name not in times and place != meter]
    for place, name in others:
        target = intake.wishes.target(name, guess(name, known)) if name else None
        if target is not None:
            targets[place] = target
        elif name and not intake.wishes.says(name):
            intake.tally.leave_out(name)
    if not targets:
        raise intake.nothing_mapped(path.name, [name for _, name in others if name])
    _check_targets(targets, header)
    if all(target.meter for target in targets.values()):
        meter = None  # the user said it better than the column
    named = meter is not None or all(target.meter for target in targets.values())
    return Plan(
        delimiter=header.delimiter,
        width=len(header.names),
        time=time,
        time_form=intake.time_form or guess_form([_joined(row, time) for row in header.sample]),
        targets=targets,
        meter=meter,
        meter_default="" if named else intake.meters.the_one(path.name),
        comma=_has_commas(header, targets),
    )


def _time_columns(header: Header, intake: Intake, path: Path) -> tuple[int, ...]:
    names = header.names
    if intake.time:
        parts = [intake.time] if intake.time in names else [part.strip() for part in intake.time.split("+")]
        for part in parts:
            if part not in names:
                near = did_you_mean(part, names)
                raise ConfigError(f'{path.name} has no column "{part}"{near}', place="--time")
        return tuple(names.index(part) for part in parts)
    for wanted in TIMES:
        for place, name in enumerate(names):
            if name.casefold() == wanted:
                return (place,)
    raise ConfigError(f"{path.name}: which column is the time? Say it with --time COLUMN (or DATE+TIME)")


def _joined(row: Sequence[str], places: Sequence[int]) -> str:
    return " ".join(row[place].strip() for place in places)


def _check_targets(targets: Mapping[int, Target], header: Header) -> None:
    seen: dict[tuple[str, str], int] = {}
    for place, target in targets.items():
        key = target.meter, target.quantity
        if key in seen:
            first, second = header.names[seen[key]], header.names[place]
            raise ConfigError(f'"{first}" and "{second}" would both be {target}; leave one out with --map "{second}=-"')
        seen[key] = place


def _has_commas(header: Header, targets: Mapping[int, Target]) -> bool:
    """Whether numbers are written with a decimal comma, as spreadsheets of many countries do beside ";"."""
    if header.delimiter == ",":
        return False
    cells = [row[place] for row in header.sample for place in targets]
    return any("," in cell for cell in cells) and not any("." in cell for cell in cells)
