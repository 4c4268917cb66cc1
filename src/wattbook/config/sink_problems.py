"""What a [[sink]] cannot know alone: that its name is free, that what it names is there, that its templates fill."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from wattbook.config.settings import Config
from wattbook.config.text import Problem, place_of
from wattbook.model.nearest import did_you_mean
from wattbook.model.place import lies_at
from wattbook.model.vocabulary import all_names
from wattbook.sinks import SinkSettings, make_sink

_READ = ("ca", "certificate", "key", "nkey", "credentials")  # files that a sink reads before it can connect


def sink_problems(config: Config, text: str) -> Iterator[Problem]:
    """Every problem of the sinks, with its place. Tables that could not be read are not among them, but in the file."""
    seen: set[str] = set()
    names = [table.get("name") for table in tomllib.loads(text).get("sink", ())]
    number = -1
    for sink in config.sinks:
        number = names.index(sink.name, number + 1)
        for key, message in _problems_of(config, sink, seen):
            yield Problem(place_of(text, ("sink", number, key)), f'sink "{sink.name}": {message}')
        seen.add(sink.name)


def _problems_of(config: Config, sink: SinkSettings, seen: set[str]) -> Iterator[tuple[str, str]]:
    if sink.name in seen:
        yield "name", "this name is there twice"
    yield from _unmatched("meters", "meter", sink.meters, config.meter_names)
    yield from _unmatched("quantities", "quantity", sink.quantities, all_names())
    places = [meter.location for meter in config.meters]
    for location in sink.locations:
        if not any(lies_at(place, location) for place in places):
            yield "locations", f'no meter is at "{location}"{did_you_mean(location, places)}'
    if sink.every is not None and sink.every != int(sink.every):
        yield "every", "must be whole seconds"
    if sink.every is None and sink.aggregate != "last":
        yield "aggregate", 'needs "every", the interval'
    yield from _missing_files(sink)
    try:
        make_sink(sink, config.surroundings)
    except ValueError as error:
        yield "kind", str(error)


def _missing_files(sink: SinkSettings) -> Iterator[tuple[str, str]]:
    for key in _READ:
        file = getattr(sink, key, None)
        if isinstance(file, Path) and not file.is_file():
            yield key, f"{file}: no such file"


def _unmatched(key: str, what: str, patterns: Sequence[str], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            yield key, f'no {what} is called "{pattern}"{did_you_mean(pattern, names)}'
