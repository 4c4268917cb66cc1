"""Which columns files have: those of a layout, of the user, or, in the plain table, one for each quantity there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, compress

from wattbook.codecs.layouts import RX380_COLUMNS, RX380_LATER, RX380_TIME
from wattbook.model import Columns, UnknownQuantity, quantity
from wattbook.model.around import Surroundings
from wattbook.model.template import TELLS_METER, Template, parse_template
from wattbook.sinks.csv_form import Form

_METERS_MAX = 10_000  # whose quantities are remembered, so that tomorrow's header is today's
_OF_KEY = frozenset({"meter", "at", "id", "site"})


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """What stands under the names of a header."""

    around: Surroundings
    known: dict[str, Template]
    begin: tuple[str, ...]  # the header of a new file; the plain table's quantities come behind it
    plain: bool
    _of_meters: dict[str, dict[str, None]] = field(default_factory=dict, repr=False)

    def needed(self, parts: Iterable[Columns]) -> frozenset[str]:
        """The names that a file must have to take these rows."""
        if not self.plain:
            return frozenset(self.begin)
        return frozenset(self.begin).union(*(_with_values(part) for part in parts))

    def header(self, parts: Iterable[Columns], before: Iterable[str] = ()) -> tuple[str, ...]:
        """The names of a new file: those of the one that goes before it, and what these meters ever had."""
        if not self.plain:
            return self.begin
        names: dict[str, None] = dict.fromkeys((*self.begin, *(name for name in before if self.template(name))))
        for part in parts:
            names |= dict.fromkeys(self._ever_of(part))
        return tuple(names)

    @property
    def keys(self) -> Sequence[str]:
        """The columns that tell which reading a row is of."""
        return [name for name in dict.fromkeys(self.begin) if _OF_KEY & self.known[name].places]

    @property
    def tells_meter(self) -> bool:
        """Whether rows of several meters can be told apart in one file."""
        return any(TELLS_METER & template.places for template in self.known.values())

    def template(self, name: str) -> Template | None:
        """What stands under a name; None = nothing that we know."""
        if self.plain and name not in self.known:
            try:
                found = quantity(name).name
            except UnknownQuantity:
                return None
            self.known[name] = parse_template(f"{{{found}}}", self.around)
        return self.known.get(name)

    def takes(self, part: Columns) -> bool:
        """Whether any reading of a meter has something to be written."""
        return any(self._told(part, tuple(self.known.values())))

    def rows(self, parts: Sequence[Columns], names: Sequence[str], form: Form) -> list[tuple[object, ...]]:
        """The rows of a file under its names, by time as far as each meter's own order allows."""
        templates = [self.template(name) for name in names]
        rows: list[tuple[object, ...]] = []
        moments: list[int] = []
        latest: dict[str, int] = {}
        for part in parts:
            cells = [form.cells(each.cells(part), each.spec) if each else ("",) * len(part) for each in templates]
            told = self._told(part, templates)
            rows += compress(zip(*cells, strict=True), told)
            if len(parts) > 1:
                rising = list(accumulate(part.at_ms, max, initial=latest.get(part.meter, 0)))[1:]
                latest[part.meter] = rising[-1]
                moments += compress(rising, told)
        return [rows[row] for row in sorted(range(len(rows)), key=moments.__getitem__)] if moments else rows

    def _told(self, part: Columns, templates: Sequence[Template | None]) -> Sequence[bool]:
        """Which rows have any of the quantities that the columns name."""
        named = frozenset[str]().union(*(each.quantities for each in templates if each))
        if self.plain or not named:
            return [True] * len(part)
        there = [part.values[name] for name in named if name in part.values]
        return [any(cell == cell for cell in row) for row in zip(*there, strict=True)] or [False] * len(part)

    def _ever_of(self, part: Columns) -> Iterable[str]:
        if len(self._of_meters) >= _METERS_MAX:
            self._of_meters.clear()
        ever = self._of_meters.setdefault(part.meter, {})
        ever |= dict.fromkeys(_with_values(part))
        return ever


def plain_columns(around: Surroundings, *, local: bool) -> ColumnPlan:
    """The plain table: meter, at and every quantity there is, as `wattbook export` writes it and import reads it."""
    at = "{at:local}" if local else "{at}"
    known = {"meter": parse_template("{meter}", around), "at": parse_template(at, around)}
    return ColumnPlan(around, known, ("meter", "at"), plain=True)


def rx380_columns(around: Surroundings, *, twice: bool) -> ColumnPlan:
    """Seed 004's columns. Its first versions repeat the time at the end of each row."""
    places = {RX380_TIME: "at:local", **RX380_COLUMNS, **RX380_LATER}
    known = {name: parse_template(f"{{{place}}}", around) for name, place in places.items()}
    begin = (RX380_TIME, *RX380_COLUMNS, *([RX380_TIME] if twice else []))
    return ColumnPlan(around, known, begin, plain=False)


def parse_columns(pairs: Sequence[tuple[str, str]], around: Surroundings) -> ColumnPlan:
    """The user's columns: name and template. Raises ValueError."""
    known: dict[str, Template] = {}
    for name, text in pairs:
        template = parse_template(text, around)
        if template.single:
            raise ValueError(f'columns: "{text}" asks for single values; a row has a column for each quantity')
        if known.setdefault(name, template).text != text:
            raise ValueError(f'columns: "{name}" stands twice with different contents')
    if not any({"at", "id"} & template.places for template in known.values()):
        raise ValueError('columns: one must tell the time, such as { time = "{at:local}" }')
    return ColumnPlan(around, known, tuple(name for name, _ in pairs), plain=False)


def pairs_of(columns: Mapping[str, str] | Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """Name and template of each column, from a table or from a list of pairs."""
    return tuple(columns.items()) if isinstance(columns, Mapping) else tuple(columns)


def _with_values(part: Columns) -> list[str]:
    return [name for name, cells in part.values.items() if any(cell == cell for cell in cells)]
