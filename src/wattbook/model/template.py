"""Templates: what a foreign system is to be sent, told by an example with places in braces.

    "{meter:upper}_VOLT"    {"T1": "{active_energy_import_t1:kWh}", "when": "{at:YYYY-MM-DD HH:MM:SS}"}

Places are `site meter location model source at quality id`, every quantity (with a unit or digits behind a colon:
`{active_power:kW}`, `{voltage:.1f}`, `{active_power:kW 9.3f}`), and, where a system takes single values, `quantity
value unit title obis kind`. A text that is one place alone gives the value itself, any other text gives text. A
quantity that a reading lacks makes its text absent. `{{` and `}}` stand for braces. In a table, a key that names the
quantity stands for one key of each quantity of a reading: `{"meter": "{meter}", "{quantity}": "{value}"}`.

Templates are filled a column at a time: `cells` gives one result for each row, None = absent.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wattbook.model.around import Surroundings
from wattbook.model.batch import GOOD_CODE, QUALITY_OF, Columns
from wattbook.model.exact import plain_number
from wattbook.model.instant_pattern import iso, parse_instant_form
from wattbook.model.nearest import did_you_mean
from wattbook.model.vocabulary import UnknownQuantity, UnknownUnit, all_names, quantity, unit_factor

TEMPLATE_SIZE_MAX = 2_000  # characters of one text
LEAVES_MAX = 500  # texts of one tree
_DEPTH_MAX = 10

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_FORM = re.compile(r"(?P<unit>(?!\d{1,2}\.)[^\s.]*|)\s*(?P<spec>(?:\d{1,2})?\.(?P<digits>\d{1,2})f)?")
_OF_METER = ("site", "meter", "location", "model", "source")
TELLS_METER = frozenset({*_OF_METER, "id"})  # places that tell rows of several meters apart
_OF_VALUE = ("quantity", "value", "unit", "title", "obis", "kind")
_PLACES = (*_OF_METER, "at", "quality", "id", *_OF_VALUE)
_STEADY = frozenset((*_OF_METER, *_OF_VALUE)) - {"value"}
_CASES: Mapping[str, Callable[[str], str]] = {
    "": lambda text: text,
    "upper": str.upper,
    "lower": str.lower,
    "slug": lambda text: re.sub(r"[^a-z0-9]+", "_", text.casefold()).strip("_"),
}

Cells = Sequence[object]  # one for each row; None = absent
_Fill = Callable[[Columns, str], Cells]  # columns, the quantity of single values -> cells


@dataclass(frozen=True)
class _Place:
    """One pair of braces."""

    name: str
    fill: _Fill
    form: Callable[[object], str] = str  # as text beside other text
    spec: str = ""  # ".2f", of a number that has its digits told


@dataclass(frozen=True)
class Template:
    """One text. `quantities` are those of a reading that it names."""

    text: str
    parts: tuple[str | _Place, ...]
    quantities: frozenset[str] = field(default=frozenset())
    single: bool = False  # names a single value: asked with `quantity`

    @property
    def places(self) -> frozenset[str]:
        """The names of everything that stands in braces."""
        return frozenset(part.name for part in self.parts if isinstance(part, _Place))

    @property
    def spec(self) -> str:
        """How the number is written, where it stands alone with its digits told, by what can only write: ".2f"."""
        return part.spec if len(self.parts) == 1 and isinstance(part := self.parts[0], _Place) else ""

    @property
    def steady(self) -> bool:
        """Whether it says the same of every reading of a meter: it can be a series' name."""
        return self.places <= _STEADY

    def cells(self, columns: Columns, quantity: str = "") -> Cells:
        """What the text says of each row (and of one quantity of it, where it names a single value)."""
        if len(self.parts) == 1:
            part = self.parts[0]
            return (part,) * len(columns) if isinstance(part, str) else part.fill(columns, quantity)
        filled = [
            (part,) * len(columns) if isinstance(part, str) else _as_text(part, part.fill(columns, quantity))
            for part in self.parts
        ]
        return [None if None in row else "".join(row) for row in zip(*filled, strict=True)]

    def of_meter(self, around: Surroundings, site: str, meter: str, quantity: str = "") -> str:
        """The text where it names nothing of a reading: a topic, a measurement."""
        columns = _one_row(site or around.site, meter)
        (cell,) = self.cells(columns, quantity)
        return "" if cell is None else str(cell)

    def as_text(self, escape: Callable[[str], str] = str) -> Template:
        """The same, where only text can go: a place that stands alone too, each place as `escape` writes it.

        For topics and subjects, where the name of a meter must not say more than a name.
        """
        parts = (part if isinstance(part, str) else _escaped(part, escape) for part in self.parts)
        return replace(self, parts=tuple(parts))


@dataclass(frozen=True)
class Tree:
    """A template of tables and lists, filled for each row."""

    node: Template | Mapping[Template, Tree] | Sequence[Tree] | object
    quantities: frozenset[str]
    single: bool
    every: bool = False  # has keys that stand for every quantity of a reading

    def rows(self, columns: Columns, quantity: str = "") -> list[object]:
        """One document for each row; None where the reading has none of the quantities that are named."""
        cells = self._cells(columns, quantity)
        named: Iterable[str] = self.quantities
        if self.single or self.every:
            named = (quantity,) if quantity else columns.values
        elif not named:
            return list(cells)
        there = [columns.values[name] for name in named if name in columns.values]
        if any(not math.isnan(sum(column)) for column in there):
            return list(cells)  # one of them is in every row
        return [
            cell if any(not math.isnan(column[row]) for column in there) else None for row, cell in enumerate(cells)
        ]

    def _cells(self, columns: Columns, quantity: str) -> Cells:
        node = self.node
        if isinstance(node, Template):
            return node.cells(columns, quantity)
        if isinstance(node, Mapping):
            asked = [
                (key, each, name)
                for key, each in node.items()
                for name in (columns.values if key.single and not quantity else (quantity,))
            ]
            names = [key.cells(columns, name) for key, _, name in asked]
            values = [each._cells(columns, name) for _, each, name in asked]
            return [
                {
                    str(name[row]): value[row]
                    for name, value in zip(names, values, strict=True)
                    if value[row] is not None and name[row] is not None
                }
                for row in range(len(columns))
            ]
        if isinstance(node, tuple):
            items = [each._cells(columns, quantity) for each in node]
            return [[item[row] for item in items if item[row] is not None] for row in range(len(columns))]
        return (node,) * len(columns)


def parse_template(text: str, around: Surroundings) -> Template:
    """Understand one text. Raises ValueError with the nearest right name."""
    if len(text) > TEMPLATE_SIZE_MAX:
        raise ValueError(f"a template has at most {TEMPLATE_SIZE_MAX} characters")
    parts: list[str | _Place] = []
    for match in _PART.finditer(text):
        part = match[0]
        if part in ("{", "}"):
            raise ValueError(f'"{text}" has a lone {part}; for the character itself write {part * 2}')
        if match[1] is not None:
            parts.append(_place(match[1], around))
        elif parts and isinstance(parts[-1], str):
            parts[-1] += part[0] if part in ("{{", "}}") else part
        else:
            parts.append(part[0] if part in ("{{", "}}") else part)
    names = [part.name for part in parts if isinstance(part, _Place)]
    found = frozenset(name for name in names if name not in _PLACES)
    return Template(text, tuple(parts) or ("",), found, any(name in _OF_VALUE for name in names))


def parse_tree(node: object, around: Surroundings, *, depth: int = 0) -> Tree:
    """Understand a table or list of texts as TOML gives it; numbers and truths stand for themselves.

    Raises ValueError.
    """
    if depth > _DEPTH_MAX:
        raise ValueError(f"a template is at most {_DEPTH_MAX} tables deep")
    if isinstance(node, str):
        template = parse_template(node, around)
        return Tree(template, template.quantities, template.single)
    if isinstance(node, Mapping):
        keys = [parse_template(str(key), around) for key in node]
        trees = [parse_tree(each, around, depth=depth + 1) for each in node.values()]
        found = _tree(dict(zip(keys, trees, strict=True)), [*trees, *keys])
        single = any(tree.single for key, tree in zip(keys, trees, strict=True) if not key.single)
        return replace(found, single=single, every=found.every or any(key.single for key in keys))
    if isinstance(node, Sequence):
        trees = [parse_tree(each, around, depth=depth + 1) for each in node]
        return _tree(tuple(trees), trees)
    return Tree(node, frozenset(), single=False)


def _tree(node: object, parts: Sequence[Tree | Template]) -> Tree:
    if len(parts) > LEAVES_MAX:
        raise ValueError(f"a template has at most {LEAVES_MAX} texts")
    return Tree(
        node,
        frozenset().union(*(part.quantities for part in parts)),
        any(part.single for part in parts),
        any(isinstance(part, Tree) and part.every for part in parts),
    )


def _place(inside: str, around: Surroundings) -> _Place:
    name, _, form = inside.partition(":")
    if name == "at":
        write = parse_instant_form(form, around.zone)
        return _Place(name, lambda columns, _: write(columns.at_ms))
    if name == "value":
        return _value(form)
    if name in _PLACES:
        return _text(name, form, around)
    try:
        return _quantity(quantity(name).name, form)
    except UnknownQuantity as error:
        near = did_you_mean(name, (*_PLACES, *all_names()))
        raise ValueError(f'{{{inside}}}: nothing is called "{name}"{near}') from error


def _text(name: str, form: str, around: Surroundings) -> _Place:
    if form not in _CASES:
        raise ValueError(f'{{{name}:{form}}}: "{form}" is none of {", ".join(filter(None, _CASES))}')
    case = _CASES[form]
    if name == "quality":
        return _Place(name, lambda columns, told: [case(each) for each in _qualities(columns, told)])
    if name == "id":
        return _Place(name, lambda columns, told: [case(each) for each in identities(columns, around, told)])
    if name in _OF_METER:
        return _Place(name, lambda columns, _: (case(_of_meter(name, columns, around)),) * len(columns))
    return _Place(name, lambda columns, told: (case(_of_quantity(name, told)),) * len(columns))


def identities(columns: Columns, around: Surroundings, quantity: str = "") -> list[str]:
    """`site/meter/instant`, and `/quantity` where single values are sent: the key of a reading everywhere."""
    start, end = f"{columns.site or around.site}/{columns.meter}/", f"/{quantity}" if quantity else ""
    return [f"{start}{at}{end}" for at in iso(columns.at_ms)]


def _of_meter(name: str, columns: Columns, around: Surroundings) -> str:
    if name == "site":
        return columns.site or around.site
    return columns.meter if name == "meter" else str(getattr(around.facts(columns.meter), name))


def _of_quantity(name: str, told: str) -> str:
    return told if name == "quantity" else str(getattr(quantity(told), name))


def _qualities(columns: Columns, told: str) -> list[str]:
    return [QUALITY_OF[code].value for code in columns.codes(told)]


def _quantity(name: str, form: str) -> _Place:
    scaled, as_text, spec = _number(form, quantity(name).unit)
    return _Place(name, lambda columns, _: scaled(columns.values.get(name), len(columns)), as_text, spec)


def _value(form: str) -> _Place:
    scaled, as_text, spec = _number(form, "")
    return _Place("value", lambda columns, told: scaled(columns.values.get(told), len(columns)), as_text, spec)


def _number(
    form: str, base: str
) -> tuple[Callable[[Sequence[float] | None, int], Cells], Callable[[object], str], str]:
    """How a column of numbers is scaled and rounded, how one of them is written as text, and its digits."""
    match = _FORM.fullmatch(form.strip())
    if match is None or (match["unit"] and not base):
        raise ValueError(f'"{form}" is no form of a number; one is "kW", ".1f" or "kW .1f"')
    try:
        factor = unit_factor(match["unit"] or base, base) if base else 1
    except UnknownUnit as error:
        raise ValueError(str(error)) from error
    spec = match["spec"] or ""
    digits = int(match["digits"]) if spec else None
    divisor, multiplier = (float(factor), 1.0) if factor >= 1 else (1.0, float(1 / factor))

    def scaled(column: Sequence[float] | None, rows: int) -> Cells:
        if column is None:
            return (None,) * rows
        if digits is None:
            if divisor == multiplier:
                return [cell if cell == cell else None for cell in column]
            return [cell / divisor * multiplier if cell == cell else None for cell in column]
        return [round(cell / divisor * multiplier, digits) if cell == cell else None for cell in column]

    def as_text(cell: object) -> str:
        assert isinstance(cell, float | int)
        return f"{cell:{spec}}" if spec else repr(plain_number(cell))

    return scaled, as_text, spec


def _escaped(place: _Place, escape: Callable[[str], str]) -> _Place:
    def fill(columns: Columns, told: str) -> Cells:
        return [None if cell is None else escape(place.form(cell)) for cell in place.fill(columns, told)]

    return _Place(place.name, fill)


def _as_text(place: _Place, cells: Cells) -> list[str | None]:
    return [None if cell is None else place.form(cell) for cell in cells]


def _one_row(site: str, meter: str) -> Columns:
    return Columns(site, meter, array("q", [0]), array("q", [0]), {}, array("B", [GOOD_CODE]))
