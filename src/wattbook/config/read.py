"""Read wattbook.toml. Every problem is found in one pass, each with its line and the nearest right name."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from wattbook.config.alert_settings import AlertSettings, NotifySettings
from wattbook.config.problems import problems_of
from wattbook.config.settings import (
    ApiSettings,
    BackupSettings,
    Config,
    File,
    LineSettings,
    LogSettings,
    MeterSettings,
    ProxySettings,
    RetentionSettings,
    SiteSettings,
    SupplySettings,
)
from wattbook.config.sinks import read_sinks
from wattbook.config.tariff import read_tariff
from wattbook.config.tariff_settings import TariffSettings
from wattbook.config.text import Problem, place_of
from wattbook.config.words import shape_problems, split_kind
from wattbook.model.errors import ConfigError
from wattbook.profiles import Library
from wattbook.sinks import SinkSettings

FILE_SIZE_MAX = 4_000_000  # bytes; 10,000 meters take about 2 MB


def load(path: Path) -> Config:
    """Read wattbook.toml. Raises ConfigError that holds every problem, one a line."""
    config, problems = examine(path)
    if config is None or problems:
        raise ConfigError("\n".join(problem.at(path) for problem in problems))
    return config


def examine(path: Path) -> tuple[Config | None, Sequence[Problem]]:
    """Read wattbook.toml and return it with every problem found; no config when its shape is wrong."""
    try:
        if path.stat().st_size > FILE_SIZE_MAX:
            return None, [Problem(0, f"larger than {FILE_SIZE_MAX} bytes")]
        text = path.read_bytes().decode()
        table = tomllib.loads(text)
    except OSError as error:
        return None, [Problem(0, f"cannot be read: {error.strerror or error}")]
    except UnicodeDecodeError as error:
        return None, [Problem(0, f"cannot be read: it is not UTF-8 text (byte {error.start})")]
    except (ValueError, RecursionError) as error:  # of TOML, of whole numbers, of brackets in brackets
        return None, [Problem(_line_in(str(error)), f"not TOML: {error}")]
    if spoilt := [Problem(place_of(text, at), "a text holds the character \\u0000") for at in _with_nul(table)]:
        return None, spoilt
    problems: list[Problem] = []
    try:
        shaped = _shape(table, path)
    except ValidationError as error:
        problems += shape_problems(error, text, _SHAPES)
        try:  # what is wrong with the rest is told as well
            shaped = _shape(_without(table, error), path)
        except ValidationError:
            return None, _in_order(problems)
    library, found = _library(path, shaped, text)
    sinks, wrong = read_sinks(shaped.sink, text, path.resolve().parent)
    tariff, unpriced = read_tariff(shaped.tariff, text, shaped.site.timezone, _sources(shaped))
    config = Config(
        path.resolve(),
        shaped.site,
        shaped.log,
        shaped.api,
        shaped.line,
        shaped.meter,
        library,
        shaped.simulate,
        shaped.supply,
        shaped.proxy,
        shaped.retention,
        shaped.backup and replace(shaped.backup, dir=(path.resolve().parent / shaped.backup.dir).resolve()),
        tuple(sinks),
        shaped.alert,
        shaped.notify,
        tariff,
        text,
    )
    return config, _in_order([*problems, *found, *wrong, *unpriced, *problems_of(config, text)])


def _with_nul(value: object, *at: int | str) -> Iterator[Sequence[int | str]]:
    """Where texts stand that hold a NUL, which neither a file's name nor an address can."""
    match value:
        case dict():
            for key, each in value.items():
                yield from _with_nul(each, *at, key)
        case list():
            for number, each in enumerate(value):
                yield from _with_nul(each, *at, number)
        case str() if "\0" in value:
            yield at
        case _:
            pass


def _sources(file: File) -> Sequence[str]:
    """Where meters stand."""
    return [meter.source for meter in file.meter if meter.source]


def _shape(table: Mapping[str, Any], path: Path) -> File:
    return _adapter().validate_python(table, context={"folder": path.parent})


@cache
def _adapter() -> TypeAdapter[File]:
    """Made once: that takes longer than to read a file with it."""
    return TypeAdapter(File)


def _without(table: Mapping[str, Any], error: ValidationError) -> Mapping[str, Any]:
    """The table without the keys that are wrong; they take their defaults."""
    rest = copy.deepcopy(dict(table))
    for detail in error.errors():
        _, at = split_kind(detail["loc"])
        depth = 2 if len(at) > 1 and isinstance(at[1], int) else 1  # tables of a list are one deeper
        holder: Any = rest
        for part in at[:depth]:
            holder = holder[part] if isinstance(part, int) or part in holder else {}
        if isinstance(holder, dict) and len(at) > depth:
            holder.pop(at[depth], None)
        elif len(at) <= depth:
            rest.pop(str(at[0]), None)
    return rest


def _in_order(problems: Iterable[Problem]) -> Sequence[Problem]:
    """Each once, by line."""
    return sorted(dict.fromkeys(problems), key=lambda problem: problem.line)


def _library(path: Path, file: File, text: str) -> tuple[Library, list[Problem]]:
    """The models known here, and what is wrong with the user's own folder of them."""
    if file.site.profiles is None:
        return Library(), []
    library = Library([path.parent / file.site.profiles])
    try:
        library.check_own()
    except ConfigError as error:
        return Library(), [Problem(place_of(text, ("site", "profiles")), str(error))]
    return library, []


_SHAPES: Mapping[str, type] = {
    "site": SiteSettings, "log": LogSettings, "api": ApiSettings, "line": LineSettings, "meter": MeterSettings,
    "proxy": ProxySettings, "supply": SupplySettings, "retention": RetentionSettings,
    "backup": BackupSettings, "sink": SinkSettings, "alert": AlertSettings, "notify": NotifySettings,
    "tariff": TariffSettings,
}  # fmt: skip


def _line_in(message: str) -> int:
    match = re.search(r"line (\d+)", message)
    return int(match[1]) if match else 0
