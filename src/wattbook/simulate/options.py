"""The [simulate] table of wattbook.toml: where the ports stand, and what goes wrong when.

[simulate]
folder = "sim"
seed = 7

[[simulate.fault]]
target = "generator"        # a meter or a line
from = 10                   # seconds since the start
until = 20
every = 60                  # again each minute; left out: once
silent = true               # what goes wrong: see Faults
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from wattbook.model.errors import ConfigError
from wattbook.model.nearest import did_you_mean
from wattbook.simulate.faults import Faults, TimedFaults
from wattbook.simulate.settings import Options

_PLACE = "[simulate]"
_TIMES = {"from": "from_s", "until": "until_s", "every": "every_s"}
_FAULTS: Mapping[str, type] = {field.name: type(field.default) for field in fields(Faults)}


def parse_options(table: Mapping[str, Any], folder: Path = Path()) -> Options:
    """Understand the table. `folder` is the configuration file's. Raises ConfigError with the key."""
    _known(table, ("folder", "seed", "fault"), _PLACE)
    faults = _of(table.get("fault", []), list, "fault", _PLACE)
    return Options(
        folder=folder / _of(table.get("folder", "sim"), str, "folder", _PLACE),
        seed=_of(table.get("seed", 0), int, "seed", _PLACE),
        faults=tuple(_timed(row, f"[[simulate.fault]] {number}") for number, row in enumerate(faults, 1)),
    )


def _timed(row: Any, place: str) -> TimedFaults:
    row = _of(row, dict, "fault", place)
    _known(row, ("target", *_TIMES, *_FAULTS), place)
    if "target" not in row:
        raise ConfigError('"target" is missing: the name of a meter or a line', place=place)
    wrong = {name: _of(row[name], kind, name, place) for name, kind in _FAULTS.items() if name in row}
    times = {name: float(_of(row[key], float, key, place)) for key, name in _TIMES.items() if key in row}
    try:
        return TimedFaults(_of(row["target"], str, "target", place), Faults(**wrong), **times)
    except ValueError as error:
        raise ConfigError(str(error), place=place) from error


def _of(value: Any, kind: type, key: str, place: str) -> Any:
    """The value, if it is of this kind; a whole number is also a number with a point."""
    kinds = (int, float) if kind is float else (kind,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(f'"{key}" must be {kind.__name__}, not {value!r}', place=place)
    return value


def _known(table: Mapping[str, Any], keys: tuple[str, ...], place: str) -> None:
    for key in table:
        if key not in keys:
            raise ConfigError(f'unknown key "{key}"{did_you_mean(key, keys)}', place=place)
