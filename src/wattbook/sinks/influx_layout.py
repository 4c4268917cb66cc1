"""How readings are laid out in an InfluxDB: which series and fields a meter's quantities become."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from wattbook.model import Columns
from wattbook.model.around import Surroundings
from wattbook.model.template import Template, parse_template
from wattbook.sinks.influx_lines import NOTHING, Field, LeftOut, Series, encode_series, escaped_key, make_series

PLANS_MAX = 10_000  # meters and sets of quantities whose lines are remembered; more than a site has

_IDENTIFYING = {"meter", "location"}


@dataclass(slots=True)
class Layout:
    """Templates of series and fields. It remembers what the lines of each meter look like."""

    around: Surroundings
    measurement: Template
    tags: Mapping[str, Template]
    fields: Sequence[tuple[Template, Template]]
    integers: Sequence[str] = ()
    _plans: dict[tuple[str, str, tuple[str, ...]], tuple[Series, ...]] = field(default_factory=dict)

    def encode(self, columns: Columns, left_out: LeftOut = NOTHING) -> bytes:
        """The lines of one meter's readings, each with its end; fields that are left out are not written."""
        if not len(columns):
            return b""
        plan = self._plan(columns)
        if left_out:
            plan = tuple(series.without(left_out) for series in plan)
        return b"".join([encode_series(series, columns) for series in plan])

    def having(self, columns: Columns, left_out: LeftOut) -> set[int]:
        """The rows that have a value in one of these fields."""
        return {
            row
            for series in self._plan(columns)
            for each in series.fields
            if (series.measurement, each.name) in left_out
            for row, cell in enumerate(each.cells(columns))
            if cell is not None and cell == cell
        }

    def _plan(self, columns: Columns) -> tuple[Series, ...]:
        key = columns.site, columns.meter, tuple(columns.values)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= PLANS_MAX:
                self._plans.clear()
            plan = self._plans[key] = tuple(self._series(columns))
        return plan

    def _series(self, columns: Columns) -> Iterator[Series]:
        per_value = self.measurement.single or any(tag.single for tag in self.tags.values())
        for quantity in columns.values if per_value else ("",):
            fields = tuple(self._fields(columns, quantity))
            if any(each.measured for each in fields):
                measurement, start = self._start(columns, quantity)
                yield make_series(measurement, start, fields)

    def _start(self, columns: Columns, quantity: str) -> tuple[str, bytes]:
        def text(template: Template) -> str:
            return template.of_meter(self.around, columns.site, columns.meter, quantity)

        measurement = re.sub("^#", "_", text(self.measurement))  # a line that begins with # is a comment
        tags = {name: told for name, tag in sorted(self.tags.items()) if (told := text(tag))}  # none may be empty
        written = [
            escaped_key(measurement, " ,"),
            *(f"{escaped_key(name)}={escaped_key(told)}" for name, told in tags.items()),
        ]
        return measurement, ",".join(written).encode()

    def _fields(self, columns: Columns, quantity: str) -> Iterator[Field]:
        for name, value in self.fields:
            several = not quantity and (name.single or value.single)
            for told in columns.values if several else (quantity,):
                if value.quantities <= columns.values.keys():
                    called = name.of_meter(self.around, columns.site, columns.meter, told)
                    yield self._field(called, value, told)

    def _field(self, name: str, value: Template, told: str) -> Field:
        measured = names_value(value)
        number = measured and len(value.parts) == 1
        raw = next((each for each in (told, *value.quantities) if value.text in ("{value}", f"{{{each}}}")), "")
        whole = number and any(fnmatchcase(name, pattern) for pattern in self.integers)
        return Field(name, value, told, measured, number, whole, raw)


def parse_layout(
    around: Surroundings, measurement: str, tags: Mapping[str, str], fields: Mapping[str, str], integers: Sequence[str]
) -> Layout:
    """Understand a layout. Raises ValueError: a template is wrong, or names what cannot stand in a series' name."""
    names = {text: parse_template(text, around) for text in (measurement, *tags.values(), *fields)}
    for text, template in names.items():
        if not text or not template.steady:
            raise ValueError(
                f'"{text}" cannot name a series or a field: it must say the same of all readings of a meter'
            )
    found = [(names[name], parse_template(value, around)) for name, value in fields.items()]
    if not any(names_value(value) for _, value in found):
        raise ValueError('"fields" names no quantity and no {value}')
    return Layout(around, names[measurement], {name: names[tag] for name, tag in tags.items()}, found, integers)


def names_value(template: Template) -> bool:
    """Whether it says something that was measured."""
    return bool(template.quantities) or "value" in template.places


def tells_meters_apart(layout: Layout) -> bool:
    """Whether readings of two meters at one instant stay two."""
    templates = (layout.measurement, *layout.tags.values(), *(name for name, _ in layout.fields))
    return any(template.places & _IDENTIFYING for template in templates)


def tells_quantities_apart(layout: Layout) -> bool:
    """Whether the values of one reading stay apart."""
    series = (layout.measurement, *layout.tags.values())
    return any(template.single for template in series) or not any(
        value.single and not name.single for name, value in layout.fields
    )
