"""A TOML table of a profile, read with errors that name the place, the key and the nearest right name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar, cast

from wattbook.model.errors import ConfigError, WattbookError
from wattbook.model.nearest import did_you_mean
from wattbook.model.vocabulary import quantity, unit_factor
from wattbook.profiles.key_lines import KeyPath, line_of
from wattbook.profiles.profile import Scale

PAUSE_S_MAX = 10.0  # no meter needs more, and it holds up the whole line

T = TypeVar("T")

_MISSING = object()
_FAULTS_MAX = 50  # told at once; who has more has another problem
_FACTOR_MAX = Decimal("1e12")  # far beyond what units differ by, and harmless in every sum made with it


@dataclass(slots=True)
class Source:
    """The file a table is from: its name, where its keys stand, and the faults found in it so far."""

    file: str
    lines: Mapping[KeyPath, int] = field(default_factory=dict)  # empty = not from a text
    faults: list[ConfigError] = field(default_factory=list)

    def place(self, path: KeyPath, shown: str) -> str:
        """`file:line [table]`, which editors understand, or without the line where it is not known."""
        line = line_of(self.lines, path)
        return f"{self.file}:{line}{shown}" if line else f"{self.file}{shown}"

    def end(self) -> None:
        """Raise what was found: one fault as it is, several together, one a line."""
        found = list({str(fault): fault for fault in self.faults}.values())
        if len(found) == 1:
            raise found[0]
        if found:
            more = [f"{len(found) - _FAULTS_MAX} more"] if len(found) > _FAULTS_MAX else []
            raise ConfigError("\n".join([*map(str, found[:_FAULTS_MAX]), *more]))


class Table:
    """A TOML table that knows its place and which of its keys were asked for."""

    def __init__(self, table: Mapping[str, Any], source: Source, path: KeyPath = (), shown: str = "") -> None:
        self._table, self._source, self._path, self._shown = table, source, path, shown
        self._asked: set[str] = set()

    @property
    def place(self) -> str:
        """Where the table stands, for errors about all of it."""
        return self.place_of()

    def place_of(self, key: str = "") -> str:
        """Where one of its keys stands."""
        return self._source.place((*self._path, key) if key else self._path, self._shown)

    def each(self, key: str, parse: Callable[[Table], T]) -> tuple[T, ...]:
        """What `parse` makes of every row of a list of tables. Rows that raise are left out, and kept as faults."""
        good: list[T] = []
        for row in self.tables(key):
            try:
                good.append(parse(row))
            except ConfigError as error:
                self._source.faults.append(error)
        return tuple(good)

    def fault(self, message: str, *, key: str = "") -> None:
        """Keep something that is wrong, and go on."""
        self._source.faults.append(ConfigError(message, place=self.place_of(key)))

    def _get(self, key: str, kinds: tuple[type, ...], default: Any) -> Any:
        self._asked.add(key)
        value = self._table.get(key, default)
        if value is _MISSING:
            raise ConfigError(f'"{key}" is missing', place=self.place)
        if value is not default and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
            raise ConfigError(f'"{key}" must be {kinds[0].__name__}, not {value!r}', place=self.place_of(key))
        return value

    def refuse(self, message: str, *, key: str = "") -> ConfigError:
        """What is to be raised about this table, or one of its keys."""
        return ConfigError(message, place=self.place_of(key))

    def has(self, key: str) -> bool:
        """Whether the table has this key."""
        return key in self._table

    def text(self, key: str, default: Any = _MISSING) -> str:
        return cast(str, self._get(key, (str,), default))

    def flag(self, key: str, default: Any = _MISSING) -> bool:
        return cast(bool, self._get(key, (bool,), default))

    def real(self, key: str, *, least: float, most: float, default: Any = _MISSING) -> Any:
        """A number within bounds, as a float; the default as it is."""
        value = self._get(key, (Decimal, int), default)
        if value is default:
            return value
        if not Decimal(value).is_finite() or not least <= value <= most:
            raise ConfigError(f'"{key}" must be from {least:g} to {most:g}, not {value}', place=self.place_of(key))
        return float(value)

    def factor(self, key: str, default: Any = _MISSING) -> Any:
        """A number to multiply with, as a Decimal: neither nothing nor beyond what units differ by."""
        value = self._get(key, (Decimal, int), default)
        if value is default:
            return value
        factor = Decimal(value)
        if not factor.is_finite() or not 1 / _FACTOR_MAX <= factor.copy_abs() <= _FACTOR_MAX:
            raise self.refuse(f'"{key}" must be from 1e-12 to 1e12, or below zero as far, not {value}', key=key)
        return factor

    def scale(self, name: str) -> Scale:
        """What turns the raw number of a quantity into its base unit."""
        return Scale.of(self.factor("scale", default=Decimal(1)) * self.unit_factor(name))

    def whole(self, key: str, default: Any = _MISSING, least: int = 0, most: int = 10**6) -> int:
        value = cast(int, self._get(key, (int,), default))
        if not least <= value <= most:
            raise ConfigError(f'"{key}" must be from {least} to {most}, not {value}', place=self.place_of(key))
        return value

    def choice(self, key: str, choices: Sequence[str], default: Any = _MISSING) -> str:
        value = self.text(key, default)
        if value not in choices:
            known = ", ".join(choices)
            raise ConfigError(
                f'"{key}" cannot be "{value}"{did_you_mean(value, choices)}; one of: {known}', place=self.place_of(key)
            )
        return value

    def wholes(self, key: str) -> Sequence[int]:
        return self._list(key, int)

    def texts(self, key: str) -> Sequence[str]:
        return self._list(key, str)

    def _list(self, key: str, kind: type) -> Sequence[Any]:
        values = self._get(key, (list,), [])
        if not all(type(value) is kind for value in values):  # true is no number
            raise ConfigError(f'"{key}" must be a list of {kind.__name__}', place=self.place_of(key))
        return cast(Sequence[Any], values)

    def table(self, key: str, *, optional: bool = False) -> Table:
        table = self._get(key, (dict,), {} if optional else _MISSING)
        return Table(table, self._source, (*self._path, key), f"{self._shown} [{key}]")

    def tables(self, key: str) -> Sequence[Table]:
        rows = self._list(key, dict)
        return [
            Table(row, self._source, (*self._path, key, number - 1), f"{self._shown} [[{key}]] {number}")
            for number, row in enumerate(rows, 1)
        ]

    def quantity(self) -> str:
        name = self.text("quantity")
        try:
            return quantity(name).name
        except WattbookError as error:
            raise ConfigError(str(error), place=self.place_of("quantity")) from error

    def unit_factor(self, name: str) -> Decimal:
        return self.check_unit(self.text("unit", default=quantity(name).unit), name)

    def check_unit(self, unit: str, name: str) -> Decimal:
        try:
            return unit_factor(unit, quantity(name).unit)
        except WattbookError as error:
            raise ConfigError(str(error), place=self.place_of("unit")) from error

    def done(self) -> None:
        """Raise ConfigError when the table holds a key nobody asked for. Called when all were."""
        for key in self._table:
            if key not in self._asked:
                raise ConfigError(f'unknown key "{key}"{did_you_mean(key, self._asked)}', place=self.place_of(key))


def check_once(names: Iterable[str], place: str) -> None:
    """Two of one quantity would take each other's place."""
    for name, count in Counter(names).items():
        if count > 1:
            raise ConfigError(f'{count} of them are "{name}"; a meter tells each quantity once', place=place)
