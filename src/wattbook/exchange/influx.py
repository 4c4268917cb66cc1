"""A dump of InfluxDB 1.x: line protocol, as `influx_inspect export` writes it (also without its header).

    # INFLUXDB EXPORT: 1677-09-21T00:12:43Z - 2262-04-11T23:47:16Z
    # DDL
    CREATE DATABASE housePower WITH NAME autogen
    # DML
    # CONTEXT-DATABASE:housePower
    # CONTEXT-RETENTION-POLICY:autogen
    # writing tsm data
    ALL_SENSORS MAIN-A_VOLT=121.3 1609459200000000000

A value's name is, for `--map`: its field, `measurement.field`, or `measurement,tag=value.field`; the longest that is
mapped counts. Unmapped fields are understood when they are called as quantities and a tag names the meter, or as the
PZEM-016 monitor of seed 001 called them: `MAIN-A_VOLT` is the voltage of the meter "main-a".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from wattbook.exchange.gather import Gather
from wattbook.exchange.instants import BadCell
from wattbook.exchange.intake import Intake
from wattbook.exchange.lines import blocks
from wattbook.exchange.mapping import Target, guess
from wattbook.exchange.numbers import read_number
from wattbook.model import Columns

# Field names of seed 001's monitor; WHRS is the module's own counter, which counts Wh.
_PZEM = {
    "VOLT": "voltage", "AMPS": "current", "WATT": "active_power", "WHRS": "active_energy_import",
    "PZPF": "power_factor", "FREQ": "frequency",
}  # fmt: skip
_PZEM_FIELD = re.compile(r"(?P<meter>.+)_(?P<what>VOLT|AMPS|WATT|WHRS|PZPF|FREQ)")
_METER_TAGS = ("meter", "device", "name", "sensor", "host")
_OUTSIDE = re.compile(r"CREATE (DATABASE|RETENTION POLICY) ")
# An unescaped separator: backslashes escape it, and in a field's text so do quotes.
_SPLIT_FIELDS = re.compile(r'((?:[^,"\\]|\\.|"(?:[^"\\]|\\.)*")+)(?:,|$)')
_POINT = re.compile(
    r'(?P<series>(?:[^ \\]|\\.)+) (?P<fields>(?:[^ "\\]|\\.|"(?:[^"\\]|\\.)*")+)(?: (?P<time>-?\d+))?\s*'
)
_EQUALS = re.compile(r"(?<!\\)=")
_NS_IN_MS = 1_000_000
_TIME_SIZE_MAX = 20  # digits: nanoseconds until the year 2262 have 19

_Key = tuple[str, str]  # series, field
Place = tuple[Target, str, str]  # and its meter and quantity


def looks_like(lines: Sequence[str]) -> bool:
    """Whether a file begins as a dump."""
    if any(line.startswith(("# INFLUXDB EXPORT", "# DDL", "# DML", "# CONTEXT-DATABASE")) for line in lines[:5]):
        return True
    points = [_POINT.fullmatch(line) for line in lines if line and not line.startswith("#")]
    return bool(points) and all(point and "=" in point["fields"] and point["time"] for point in points[:10])


def read(files: Sequence[Path], intake: Intake) -> Iterator[Columns]:
    """Gather the fields of each meter's instants from wherever they stand in the dump."""
    with Gather(intake.tally) as gather:
        dump = _Dump(intake, gather)
        for path in files:
            intake.tally.file = path.name
            dump.read(path)
        dump.places.check(files[0].name)
        yield from gather.columns()


class Places:
    """Where the fields of a database go: as the user says, else as they are called."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._known: dict[_Key, Place | str] = {}
        self._names: dict[str, None] = {}  # of unmapped fields
        self._mapped = False

    def of(self, series: str, field: str) -> Place | str:
        """Where a field goes; else the name under which it is counted as left out, "" when the user wants it so.

        Both are written as in line protocol: `measurement,tag=value`, with backslashes.
        """
        key = series, field
        place = self._known.get(key)
        if place is None:
            place = self._known[key] = self._find(series, field)
        return place

    def check(self, what: str) -> None:
        """Raise ConfigError when nothing of what there was is known."""
        if not self._mapped and self._names:
            raise self._intake.nothing_mapped(what, list(self._names))

    def _find(self, series: str, field: str) -> Place | str:
        target = self._target(series, field)
        if target is not None:
            self._mapped = True
            return (target, *self._intake.at(target, f"{series} {field}"))
        name = f"{_unescaped(_parts(series)[0])}.{_unescaped(field)}"
        if self._intake.wishes.says(name) or self._intake.wishes.says(_unescaped(field)):
            return ""
        self._names[name] = None
        return name

    def _target(self, series: str, field: str) -> Target | None:
        wishes, name = self._intake.wishes, _unescaped(field)
        parts = _parts(series)
        for known in (f"{_unescaped(series)}.{name}", f"{_unescaped(parts[0])}.{name}", name):
            if wishes.says(known):
                return wishes.target(known)
        return self._guess(parts, name)

    def _guess(self, parts: Sequence[str], field: str) -> Target | None:
        meters, wishes = self._intake.meters, self._intake.wishes
        tags = dict(part.partition("=")[::2] for part in parts[1:])
        if match := _PZEM_FIELD.fullmatch(field):
            meter = meters.called(wishes.meter(match["meter"]))
            return Target(meter, _PZEM[match["what"]]) if meter else None
        target = guess(field, {})
        if target is None:
            return None
        named = [_unescaped(tags[tag]) for tag in _METER_TAGS if tag in tags]
        meter = next((found for name in named if (found := meters.called(wishes.meter(name)))), "")
        return Target(meter, target.quantity, target.unit) if meter or not named else None


class _Dump:
    """Points on their way to be gathered."""

    def __init__(self, intake: Intake, gather: Gather) -> None:
        self._intake, self._gather, self.places = intake, gather, Places(intake)

    def read(self, path: Path) -> None:
        for block in blocks(path, self._intake.tally, self._intake.seen):
            for number, line in zip(block.numbers, block.lines, strict=True):
                if line.startswith("#") or _OUTSIDE.match(line):
                    continue
                try:
                    self._point(line)
                except BadCell as error:
                    self._intake.tally.reject(number, str(error))

    def _point(self, line: str) -> None:
        series, fields, time = _split(line)
        at_ms = int(time) // _NS_IN_MS
        if not 0 <= at_ms <= self._intake.latest_ms:
            raise BadCell(f"its time {time} ns lies before 1970 or in the future")
        found: list[tuple[Place, float]] = []
        for name, text in fields:
            place = self.places.of(series, name)
            if isinstance(place, str):
                if place:
                    self._intake.tally.leave_out(place)
            else:
                found.append((place, _value(text, place[0])))
        for (_, meter, quantity), value in found:  # all of a point, or nothing
            self._gather.add_one(meter, quantity, at_ms, value)


def _split(line: str) -> tuple[str, Sequence[Sequence[str]], str]:
    """Series, fields and time of a point. Raises BadCell."""
    pairs: Sequence[Sequence[str]]
    if '"' not in line and "\\" not in line:
        series, _, rest = line.partition(" ")
        fields, _, time = rest.strip().partition(" ")
        pairs = [field.rpartition("=")[::2] for field in fields.split(",")]
    else:
        match = _POINT.fullmatch(line)
        if match is None:
            raise BadCell("is no point of line protocol")
        series, time = match["series"], match["time"] or ""
        pairs = [_EQUALS.split(field, maxsplit=1) for field in _SPLIT_FIELDS.findall(match["fields"])]
    if not series or not all(len(pair) == 2 and pair[0] and pair[1] for pair in pairs):
        raise BadCell("is no point of line protocol: MEASUREMENT FIELD=VALUE TIME")
    time = time.strip()
    if not time.removeprefix("-").isdecimal() or len(time) > _TIME_SIZE_MAX:
        raise BadCell("has no time in nanoseconds")
    return series, pairs, time


def _value(text: str, target: Target) -> float:
    """A field's value; "12i" is twelve. Raises BadCell for texts and truth values."""
    number = text[:-1] if text[-1] in "iu" else text
    value = read_number(number, target, foreign=False)
    if value != value:
        raise BadCell(f"{target.quantity}: {text[:40]} is no number")
    return value


def _parts(series: str) -> list[str]:
    """Measurement and tags."""
    return re.split(r"(?<!\\),", series)


def _unescaped(text: str) -> str:
    return re.sub(r"\\([ ,=\\\"])", r"\1", text)


def series_of(measurement: str, tags: Mapping[str, str]) -> str:
    """Measurement and tags as line protocol has them."""
    return ",".join([_escaped(measurement), *(f"{_escaped(name)}={_escaped(tags[name])}" for name in sorted(tags))])


def _escaped(text: str) -> str:
    return re.sub(r"([ ,=\\])", r"\\\1", text)
