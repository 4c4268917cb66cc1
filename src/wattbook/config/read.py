"""Read wattbook.toml. Every problem is found in one pass, each with its line and the nearest right name."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

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
    VirtualMeterSettings,
)
from wattbook.config.text import Problem, place_of
from wattbook.model.errors import ConfigError
from wattbook.model.nearest import did_you_mean
from wattbook.profiles import Library

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
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        return None, [Problem(0, f"cannot be read: {error.strerror or error}")]
    except UnicodeDecodeError as error:
        return None, [Problem(0, f"cannot be read: it is not UTF-8 text (byte {error.start})")]
    except tomllib.TOMLDecodeError as error:
        return None, [Problem(_line_in(str(error)), f"not TOML: {error}")]
    problems: list[Problem] = []
    try:
        shaped = _shape(table, path)
    except ValidationError as error:
        problems += _shape_problems(error, text)
        try:  # what is wrong with the rest is told as well
            shaped = _shape(_without(table, error), path)
        except ValidationError:
            return None, _in_order(problems)
    library, found = _library(path, shaped, text)
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
    )
    return config, _in_order([*problems, *found, *problems_of(config, text)])


def _shape(table: Mapping[str, Any], path: Path) -> File:
    return TypeAdapter(File).validate_python(table, context={"folder": path.parent})


def _without(table: Mapping[str, Any], error: ValidationError) -> Mapping[str, Any]:
    """The table without the keys that are wrong; they take their defaults."""
    rest = copy.deepcopy(dict(table))
    for detail in error.errors():
        _, at = _split_kind(detail["loc"])
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


def _shape_problems(error: ValidationError, text: str) -> Iterator[Problem]:
    for detail in error.errors():
        # Places inside a list of texts, and kinds of a union, are no keys of the file.
        kind, loc = _split_kind(detail["loc"])
        at = tuple(part for number, part in enumerate(loc) if number < 3 and part not in ("int", "str"))
        at = at[:-1] if len(at) > 2 and isinstance(at[-1], int) else at
        message = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "literal_error":
            message = _not_one_of(detail["input"], detail["ctx"]["expected"])
        if detail["type"] in _KINDS:
            message = f"must be {_KINDS[detail['type']]}, not {detail['input']!r}"
        yield Problem(place_of(text, at), _in_words(at, detail["type"], message, virtual=kind == "virtual"))


def _split_kind(loc: Sequence[int | str]) -> tuple[str, Sequence[int | str]]:
    """The kind of a [[meter]] (read or virtual; else ""), and the place without it."""
    of_meter = len(loc) > 2 and loc[0] == "meter" and loc[2] in ("read", "virtual")
    return (str(loc[2]), (*loc[:2], *loc[3:])) if of_meter else ("", loc)


_KINDS: Mapping[str, str] = {
    "string_type": "a text", "int_type": "a whole number", "int_parsing": "a whole number", "path_type": "a path",
    "bool_type": "true or false", "dict_type": "a table", "tuple_type": "a list", "dataclass_type": "a table",
}  # fmt: skip


def _not_one_of(given: object, expected: str) -> str:
    """Pydantic lists the choices as 'a', 'b' or 'c'."""
    choices = re.findall(r"'([^']*)'", expected)
    return f"cannot be {given!r}{did_you_mean(str(given), choices)}; one of: {', '.join(filter(None, choices))}"


_SHAPES: Mapping[str, type] = {
    "site": SiteSettings, "log": LogSettings, "api": ApiSettings, "line": LineSettings, "meter": MeterSettings,
    "proxy": ProxySettings, "supply": SupplySettings, "retention": RetentionSettings,
    "backup": BackupSettings,
}  # fmt: skip


def _in_words(at: Sequence[int | str], kind: str, message: str, *, virtual: bool) -> str:
    """One pydantic error as a sentence of ours."""
    table, key = _table_name(at), str(at[-1]) if at else ""
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        if len(at) == 1:
            return f"unknown table [{key}]{did_you_mean(key, _SHAPES)}"
        if virtual and key in [field.name for field in fields(MeterSettings)]:
            return f'{table}: a meter with a "formula" is computed from others and takes no "{key}"'
        known = [field.name for field in fields(VirtualMeterSettings if virtual else _SHAPES[str(at[0])])]
        return f'{table}: unknown key "{key}"{did_you_mean(key, known)}'
    if kind in ("missing", "missing_argument"):
        return f'{table}: "{key}" is missing'
    return f"{table}: {key}: {message}"


def _table_name(at: Sequence[int | str]) -> str:
    if len(at) > 1 and isinstance(at[1], int):
        return f"[[{at[0]}]] {at[1] + 1}"
    return f"[{at[0]}]" if at else "the file"


def _line_in(message: str) -> int:
    match = re.search(r"line (\d+)", message)
    return int(match[1]) if match else 0
