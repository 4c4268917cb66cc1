"""Lector's central server (seed 002): form posts of codes and numbers, as its own `clientRest` makes them.

    POST {url}/ws/v2/history/save/{node}/{analyser}/
    DATA_HORA=21/11/2026 02:02:03&LECTURA={"TPF":[231.0,232.0,233.0],"CEA":[25409.587]}&MODEL=PM710

It keeps one reading a second of local time and answers 409 to another; a reading without any of its codes is not sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote, urlencode

import msgspec

from wattbook.codecs.layouts import LECTOR_CODES, Code
from wattbook.model import Batch, Columns, quantity
from wattbook.model.around import Surroundings
from wattbook.model.instant_pattern import Written as Instants
from wattbook.model.instant_pattern import parse_instant_form
from wattbook.model.template import Template, parse_template
from wattbook.model.vocabulary import unit_factor
from wattbook.sinks.http_posting import Post, Posting
from wattbook.sinks.sink import Written

_encode = msgspec.json.Encoder().encode
_DIVISORS = {code.name: float(unit_factor(code.unit, quantity(code.quantities[0]).unit)) for code in LECTOR_CODES}


@dataclass(frozen=True, slots=True)
class LectorNames:
    """What meters are called at the centre, and how it writes instants."""

    node: Template
    analysers: Mapping[str, str]
    model: Template
    times: Instants

    def path(self, columns: Columns) -> str:
        """Where a meter's readings go."""
        node = self.node.cells(columns)[0]
        analyser = self.analysers.get(columns.meter, columns.meter)
        return f"/ws/v2/history/save/{quote(str(node), safe='')}/{quote(analyser, safe='')}/"


def parse_lector(node: str, analysers: Mapping[str, str], model: str, around: Surroundings) -> LectorNames:
    """Understand what meters are called. Raises ValueError."""
    templates = parse_template(node, around), parse_template(model, around)
    if any(each.quantities or each.single for each in templates):
        raise ValueError("node and model: are told by the meter, not by values")
    return LectorNames(templates[0], analysers, templates[1], parse_instant_form("DD/MM/YYYY HH:MM:SS", around.zone))


@dataclass(frozen=True, slots=True)
class LectorSink:
    """A centre of Lector. What it has for a moment stands."""

    any_order: ClassVar[bool] = True
    append_only: ClassVar[bool] = True
    posting: Posting
    names: LectorNames

    async def write(self, batch: Batch, bookmark: str) -> Written:
        """Send the readings. Raises SinkUnavailable."""
        return await self.posting.send(post for columns in batch.columns for post in self._posts(columns))

    async def aclose(self) -> None:
        """Close the connections."""
        await self.posting.client.aclose()

    def _posts(self, columns: Columns) -> Iterator[Post]:
        if not len(columns):
            return
        path, model = self.names.path(columns), str(self.names.model.cells(columns)[0])
        rows = zip(columns.at_ms, self.names.times(columns.at_ms), vectors(columns), strict=True)
        for at_ms, time, codes in rows:
            if codes:
                form = {"DATA_HORA": str(time), "LECTURA": _encode(codes).decode(), "MODEL": model}
                yield Post(path, urlencode(form).encode(), [(columns.meter, at_ms, columns.site)])


def vectors(columns: Columns) -> Sequence[Mapping[str, Sequence[float]]]:
    """Code -> its numbers, for each row. What is absent at the end is left out (a current of N); no code has holes."""
    found: list[dict[str, Sequence[float]]] = [{} for _ in columns.at_ms]
    for code in LECTOR_CODES:
        for row, numbers in enumerate(_numbers(code, columns)):
            if numbers:
                found[row][code.name] = numbers
    return found


def _numbers(code: Code, columns: Columns) -> Iterator[Sequence[float]]:
    there = [columns.values[name] for name in code.quantities if name in columns.values]
    if not there or any(name not in columns.values for name in code.quantities[: len(there)]):
        return
    divisor = _DIVISORS[code.name]
    for row in zip(*there, strict=True):
        numbers = [cell / divisor for cell in row if cell == cell]
        yield numbers if all(cell == cell for cell in row[: len(numbers)]) else ()
