"""Read the [[sink]] tables: the kind of each says which keys it has, and its module is imported only then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from wattbook.config.text import Problem, place_of
from wattbook.config.words import shape_problems
from wattbook.model.around import Surroundings
from wattbook.model.errors import ConfigError
from wattbook.sinks import SinkSettings, make_sink, settings_class


def read_sinks(
    tables: Sequence[Mapping[str, Any]], text: str, folder: Path
) -> tuple[Sequence[SinkSettings], Sequence[Problem]]:
    """The settings of every sink whose table is right, and what is wrong with the others."""
    found: list[SinkSettings] = []
    problems: list[Problem] = []
    for number, table in enumerate(tables):
        at = ("sink", number)
        if "kind" not in table:
            problems.append(Problem(place_of(text, at), f'[[sink]] {number + 1}: "kind" is missing'))
            continue
        try:
            kind = str(table["kind"])
            settings = settings_class(kind)
            read = _adapter(kind).validate_python(table, context={"folder": folder})
        except ConfigError as error:
            problems.append(Problem(place_of(text, (*at, "kind")), f"[[sink]] {number + 1}: {error}"))
        except ValidationError as error:
            problems += shape_problems(error, text, {"sink": settings}, at)
        else:
            found.append(_absolute(read, folder))
    return found, problems


@cache
def _adapter(kind: str) -> TypeAdapter[SinkSettings]:
    """Made once: that takes longer than to read a table with it."""
    return TypeAdapter(settings_class(kind))


def one_sink(table: Mapping[str, Any], around: Surroundings, folder: Path) -> SinkSettings:
    """A sink of no file, told on a command line. Raises ConfigError with all that is wrong with it."""
    found, problems = read_sinks([table], "", folder)
    if problems:
        raise ConfigError("; ".join(problem.message.removeprefix("[[sink]] 1: ") for problem in problems))
    (settings,) = found
    try:
        make_sink(settings, around)
    except ValueError as error:
        raise ConfigError(f"{settings.kind}: {error}") from error
    return settings


def _absolute(settings: SinkSettings, folder: Path) -> SinkSettings:
    """Paths in the file are relative to it."""
    paths: dict[str, Any] = {
        field.name: (folder / value).resolve()
        for field in fields(settings)
        if isinstance(value := getattr(settings, field.name), Path)
    }
    return replace(settings, **paths)
