"""How a table lies: which template stands in which column, which columns tell readings apart, and a batch as rows."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from wattbook.model import Batch, Columns
from wattbook.model.around import Surroundings
from wattbook.model.batch import GOOD_CODE
from wattbook.model.template import TELLS_METER, Cells, Template, parse_template

# One row a reading, as Telegraf and Grafana's users have it: one key for each identity, so a correction is one row, and
# a third of the rows and of the index that one row a value would cost.
DEFAULT: Mapping[str, str] = {"site": "{site}", "meter": "{meter}", "at": "{at:instant}", "quality": "{quality}"}

_PLACE = re.compile(r"(?<!\{)\{([a-z0-9_]+)(?::([^{}]*))?\}")
# Local time repeats an hour a year, and a pattern may lack milliseconds: neither tells two readings apart for sure.
_EXACT_INSTANTS = ("", "iso", "epoch", "epoch_ms", "epoch_ns", "instant")


class Sort(Enum):
    """What a template gives."""

    INSTANT = "an instant"
    CLOCK = "a local time"
    NUMBER = "a number"
    COUNT = "a whole number"
    TEXT = "a text"


@dataclass(frozen=True, slots=True)
class Rows:
    """A batch as a table: one sequence of cells for each column, all of one length. Instants are milliseconds."""

    cells: Mapping[str, Sequence[object]]
    sorts: Mapping[str, Sort]

    def __len__(self) -> int:
        return len(next(iter(self.cells.values()), ()))


@dataclass(frozen=True, slots=True)
class Layout:
    """What stands in each column. `grows`: every quantity that comes gets a column of its own name."""

    columns: Mapping[str, Template]
    around: Surroundings
    grows: bool = False

    @property
    def single(self) -> bool:
        """One row for each value of a reading, not one for each reading."""
        return any(template.single for template in self.columns.values())

    def untold_meters(self, batch: Batch) -> frozenset[str]:
        """Whose rows would stand there without a column that tells whose they are."""
        if any(TELLS_METER & template.places for template in self.columns.values()):
            return frozenset()
        named = frozenset[str]().union(*(template.quantities for template in self.columns.values()))
        return frozenset(each.meter for each in batch.columns if self.single or named & each.values.keys())

    def names_site(self, columns: Sequence[str]) -> bool:
        """Whether these columns tell the readings of one site from those of another."""
        return bool({"site", "id"} & self._alone(columns))

    def tells_apart(self, columns: Sequence[str]) -> bool:
        """Whether these columns are the identity of what stands in a row, and nothing else."""
        named = self._alone(columns)
        if "other" in named:
            return False
        return "id" in named or named >= ({"meter", "at", "quantity"} if self.single else {"meter", "at"})

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns a new table's key is made of; () = its columns do not tell readings apart."""
        ids = [name for name in self.columns if self._place(name) == "id"]
        found = ids[:1] or [name for name in self.columns if self._place(name) in ("site", "meter", "at", "quantity")]
        return tuple(found) if self.tells_apart(found) else ()

    def grown(self, batch: Batch) -> Layout:
        """With a column for every quantity of a batch, where it grows."""
        if not self.grows:
            return self
        names = sorted({name for columns in batch.columns for name in columns.values} - self.columns.keys())
        new = {name: parse_template(f"{{{name}}}", self.around) for name in names}
        return replace(self, columns={**self.columns, **new}) if new else self

    def sort(self, column: str) -> Sort:
        """What a column is given, found by giving it."""
        template = self.columns[column]
        values = {name: array("d", [1.0]) for name in (*template.quantities, "voltage")}
        one = Columns("s", "m", array("q", [0]), array("q", [0]), values, array("B", [GOOD_CODE]))
        match template.cells(one, "voltage")[0]:
            case datetime() as cell:
                return Sort.INSTANT if cell.tzinfo else Sort.CLOCK
            case float():
                return Sort.NUMBER
            case int():
                return Sort.COUNT
            case _:
                return Sort.TEXT

    def rows(self, batch: Batch) -> Rows:
        """The batch as rows. Of one identity in it only the newest is there; rows without any value are left out."""
        sorts = {name: self.sort(name) for name in self.columns}
        cells: dict[str, list[object]] = {name: [] for name in self.columns}
        for columns, newest in _newest(batch, self.around.site):
            for quantity in columns.values if self.single else ("",):
                filled = {
                    name: columns.at_ms if sorts[name] is Sort.INSTANT else template.cells(columns, quantity)
                    for name, template in self.columns.items()
                }
                kept = self._with_values(filled, newest)
                for name, column in filled.items():
                    cells[name] += column if kept is None else [column[row] for row in kept]
        return Rows(cells, sorts)

    def _with_values(self, filled: Mapping[str, Cells], newest: Sequence[int] | None) -> Sequence[int] | None:
        valued = [filled[name] for name, each in self.columns.items() if each.quantities or _gives_value(each)]
        if not valued or any(None not in cells for cells in valued):
            return newest
        rows = range(len(valued[0])) if newest is None else newest
        return [row for row in rows if any(cells[row] is not None for cells in valued)]

    def _alone(self, columns: Sequence[str]) -> set[str]:
        return {self._place(column) for column in columns}

    def _place(self, column: str) -> str:
        """Which part of a reading's identity a column holds, exactly and alone; "constant" or "other"."""
        template = self.columns[column]
        if len(template.parts) == 1 and isinstance(template.parts[0], str):
            return "constant"
        match = _PLACE.fullmatch(template.text)
        if match is None or match[1] not in ("site", "meter", "at", "quantity", "id"):
            return "other"
        exact = (match[2] or "") in (_EXACT_INSTANTS if match[1] == "at" else ("",))
        return match[1] if exact else "other"


def parse_layout(columns: Mapping[str, str], around: Surroundings) -> Layout:
    """Understand the table of columns; without one the layout is our own. Raises ValueError."""
    layout = Layout({name: _parsed(name, text, around) for name, text in (columns or DEFAULT).items()}, around)
    if layout.single and any(template.quantities for template in layout.columns.values()):
        raise ValueError(
            "the columns name {value} or {quantity}, which is one row a value, and quantities of a whole reading"
        )
    return replace(layout, grows=not columns)


def _parsed(name: str, text: str, around: Surroundings) -> Template:
    try:
        return parse_template(text, around)
    except ValueError as error:
        raise ValueError(f'column "{name}": {error}') from error


def _gives_value(template: Template) -> bool:
    return any(match[1] == "value" for match in _PLACE.finditer(template.text))


def _newest(batch: Batch, site: str) -> Iterator[tuple[Columns, Sequence[int] | None]]:
    """Each meter's readings and which of its rows count; None = all. A correction may lie beside what it corrects."""
    found: list[tuple[Columns, Sequence[int] | None]] = []
    seen: dict[tuple[str, str], set[int]] = {}
    for columns in reversed(batch.columns):
        taken = seen.setdefault((columns.site or site, columns.meter), set())
        instants = set(columns.at_ms)
        if len(instants) == len(columns) and taken.isdisjoint(instants):
            found.append((columns, None))
        else:
            last = {at: row for row, at in enumerate(columns.at_ms) if at not in taken}
            found.append((columns, sorted(last.values())))
        taken |= instants
    return reversed(found)
