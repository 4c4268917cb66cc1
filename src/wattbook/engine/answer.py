"""The answer to a question, as columns, and its JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from wattbook.engine.query import Question
from wattbook.model import Quantity, Series, quantity
from wattbook.model.exact import plain_number
from wattbook.model.reading import nothing

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of one meter, or of the sum of several, in base units."""

    question: Question
    meter: str
    series: Series
    every: str = ""  # the step; "" = values as they were read
    source: str = ""  # of this part of the meter's energy
    parts: Sequence[str] = ()  # the real meters that were added up
    gaps: Mapping[str, int] = field(default_factory=nothing)  # part -> steps that it is missing in
    integrated: Sequence[str] = ()  # meters without a register, whose power was added up

    @property
    def quantity(self) -> Quantity:
        return quantity(self.question.quantity)

    def to_json(self, *, columns: bool = False) -> bytes:
        """The shape of design section 8; what not every answer has stands there only where it says something.

        With `columns` the points are three arrays, a third as long on the wire and quick to read.
        """
        head: dict[str, object] = {"meter": self.meter, "quantity": self.quantity.name, "unit": self.quantity.unit}
        more = {
            "source": self.source,
            "meters": list(self.parts),
            "missing": dict(self.gaps),
            "integrated": list(self.integrated),
        }
        head |= {"every": self.every or None} | {key: value for key, value in more.items() if value}
        if columns:
            return _encode(head)[:-1] + b',"columns":' + _columns(self.series) + b"}"
        return _encode(head)[:-1] + b',"points":[' + ",".join(_points(self.series)).encode() + b"]}"


def _columns(series: Series) -> bytes:
    """Instants in ms, the first since 1970 and the others since the one before; the quality once where it is one."""
    import numpy as np  # loaded by whoever made the series

    at = np.frombuffer(series.at_ms, np.int64)
    steps = np.diff(at, prepend=np.int64(0)).tolist()
    told = [series.qualities[code] for code in series.quality]
    quality = told[0] if len(set(told)) == 1 else told
    values = ",".join(map(_number, series.values)).encode()
    return b'{"steps_ms":' + _encode(steps) + b',"value":[' + values + b'],"quality":' + _encode(quality) + b"}"


def _points(series: Series) -> Iterator[str]:
    """Each point as JSON, written from the columns: a year of them costs no objects."""
    import numpy as np  # loaded by whoever made the series

    instants = np.datetime_as_string(np.frombuffer(series.at_ms, np.int64).view("datetime64[ms]")).tolist()
    told = [f'"quality":"{quality}"}}' for quality in series.qualities]
    for at, value, code in zip(instants, map(_number, series.values), series.quality, strict=True):
        yield f'{{"at":"{at}Z","value":{value},{told[code]}'


def _number(value: float) -> str:
    return "null" if value != value else repr(plain_number(value))  # null: nothing is known
