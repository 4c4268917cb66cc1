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

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from wattbook.model.errors import ConfigError
from wattbook.model.nearest import did_you_mean
from wattbook.simulate.faults import Faults, TimedFaults
from wattbook.simulate.settings import Options

_TIMES = {"from": "from_s", "until": "until_s", "every": "every_s"}
_FAULTS: Mapping[str, type] = {field.name: type(field.default) for field in fields(Faults)}
_KEYS: Mapping[str, type] = {"folder": str, "seed": int, "fault": list}
_KEYS_OF_FAULT: Mapping[str, type] = {"target": str, **dict.fromkeys(_TIMES, float), **_FAULTS}


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing wrong in the table."""

    message: str
    key: str = ""  # "" = all of it
    fault: int = 0  # in which [[simulate.fault]], from 1; 0 = in [simulate] itself

    @property
    def place(self) -> str:
        """The table's header."""
        return f"[[simulate.fault]] {self.fault}" if self.fault else "[simulate]"


def parse_options(table: Mapping[str, Any], folder: Path = Path()) -> Options:
    """Understand the table. `folder` is the configuration file's. Raises ConfigError with the key."""
    options, wrong = read_options(table, folder)
    if wrong:
        raise ConfigError(wrong[0].message, place=wrong[0].place)
    return options


def read_options(table: Mapping[str, Any], folder: Path = Path()) -> tuple[Options, Sequence[Wrong]]:
    """Understand what is right in the table, and tell everything that is not."""
    wrong: list[Wrong] = []
    right = _right(table, _KEYS, wrong)
    timed = [_timed(row, number, wrong) for number, row in enumerate(right.get("fault", ()), 1)]
    faults = tuple(each for each in timed if each is not None)
    return Options(folder / right.get("folder", "sim"), right.get("seed", 0), faults), wrong


def strangers(table: Mapping[str, Any], names: Iterable[str]) -> Iterator[Wrong]:
    """The targets of faults that are none of the names of lines and meters."""
    names = list(names)
    rows = table.get("fault")
    for number, row in enumerate(rows if isinstance(rows, list) else (), 1):
        target = row.get("target") if isinstance(row, dict) else None
        if isinstance(target, str) and target not in names:
            yield Wrong(no_target(target, names), "target", number)


def no_target(target: str, names: Iterable[str]) -> str:
    """Why nothing can go wrong there."""
    return f'no simulated meter or line is called "{target}"{did_you_mean(target, names)}'


def _timed(row: Any, fault: int, wrong: list[Wrong]) -> TimedFaults | None:
    """The faults of one row; None, and what is wrong is noted, when they cannot be."""
    if not isinstance(row, dict):
        wrong.append(Wrong(f'"fault" must be dict, not {row!r}', "", fault))
        return None
    right = _right(row, _KEYS_OF_FAULT, wrong, fault)
    if "target" not in row:
        wrong.append(Wrong('"target" is missing: the name of a meter or a line', "", fault))
    if "target" not in right:
        return None
    times = {name: float(right[key]) for key, name in _TIMES.items() if key in right}
    try:
        return TimedFaults(right["target"], Faults(**{name: right[name] for name in _FAULTS if name in right}), **times)
    except ValueError as error:
        wrong.append(Wrong(str(error), "", fault))
        return None


def _right(table: Mapping[str, Any], kinds: Mapping[str, type], wrong: list[Wrong], fault: int = 0) -> dict[str, Any]:
    """The values that are what they must be; of the others it is noted why they are not."""
    right: dict[str, Any] = {}
    for key, value in table.items():
        if key not in kinds:
            wrong.append(Wrong(f'unknown key "{key}"{did_you_mean(key, kinds)}', key, fault))
        elif not _is(value, kinds[key]):
            wrong.append(Wrong(f'"{key}" must be {kinds[key].__name__}, not {value!r}', key, fault))
        else:
            right[key] = value
    return right


def _is(value: Any, kind: type) -> bool:
    """Whether the value is of this kind; a whole number is also a number with a point."""
    kinds = (int, float) if kind is float else (kind,)
    return isinstance(value, kinds) and (not isinstance(value, bool) or kind is bool)
