"""Last values as retained messages: one of each topic, and never an older one after a newer one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from wattbook.model import Batch, Columns
from wattbook.model.batch import BEFORE_ALL_MS
from wattbook.sinks.messages import MessageMaker
from wattbook.transports.mqtt_publish import Publish

METERS_KEPT_MAX = 500  # whose newest instants go into the bookmark: 20 KB with every batch; beyond, this process knows
_Newest = dict[str, int]  # -> milliseconds since 1970


@dataclass(slots=True)
class States:
    """What each topic was told last.

    A backlog is delivered beside live values, and a consumer such as Home Assistant takes whatever comes for the
    present: of every batch only the newest row of a meter is told, and that only if nothing newer has been.
    """

    maker: MessageMaker
    single: bool  # each value has a topic of its own
    _topics: _Newest = field(default_factory=dict)
    _meters: _Newest = field(default_factory=dict)
    _before: _Newest = field(default_factory=dict)  # meters, as told by a process before this one

    def messages(self, batch: Batch) -> Iterator[Publish]:
        """Yield the states that a batch brings up to date."""
        newest = tuple(part for columns in batch.columns for part in _newest(columns, single=self.single))
        for made in self.maker.messages(Batch(newest, (), batch.upto)):
            columns = made.columns
            meter = f"{columns.site}/{columns.meter}"
            for row, topic, _, payload in made.rows():
                at_ms = columns.at_ms[row]
                if at_ms >= self._topics.get(topic, self._before.get(meter, BEFORE_ALL_MS)):
                    self._topics[topic] = at_ms
                    self._meters[meter] = max(at_ms, self._meters.get(meter, BEFORE_ALL_MS))
                    yield Publish(topic, payload, retained=True)

    def recall(self, bookmark: str) -> None:
        """Take up what a process before this one has told. A bookmark of another kind is as good as none."""
        try:
            told: Mapping[str, int] = msgspec.json.decode(bookmark, type=dict[str, int]) if bookmark else {}
        except msgspec.MsgspecError:
            told = {}
        for meter, at_ms in told.items():
            self._before[meter] = max(at_ms, self._before.get(meter, BEFORE_ALL_MS))

    def bookmark(self) -> str:
        """What to give to `recall` after the next start."""
        told = self._before | self._meters
        return msgspec.json.encode(told).decode() if len(told) <= METERS_KEPT_MAX else ""


def _newest(columns: Columns, *, single: bool) -> Iterator[Columns]:
    """The newest row; of single values the newest row of each quantity."""
    if len(columns) < 2:
        yield from (columns,) * len(columns)
        return
    rows = range(len(columns))
    last = max(rows, key=lambda row: (columns.at_ms[row], row))
    if not single:
        yield columns.cut(slice(last, last + 1))
        return
    by_row: dict[int, list[str]] = {}
    for name, cells in columns.values.items():
        there = [row for row in rows if not math.isnan(cells[row])] if math.isnan(cells[last]) else [last]
        if there:
            by_row.setdefault(max(there, key=lambda row: (columns.at_ms[row], row)), []).append(name)
    for row, names in by_row.items():
        cut = columns.cut(slice(row, row + 1))
        values = {name: cut.values[name] for name in names}
        doubt = {name: codes for name, codes in cut.doubt.items() if name in values}
        yield Columns(cut.site, cut.meter, cut.at_ms, cut.seq, values, cut.quality, doubt)
