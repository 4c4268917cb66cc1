"""What a sink had set aside: which readings, and the same once more as the book has them now, in the sink's batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from wattbook.engine.condense import Intervals, rows_of, runs
from wattbook.engine.deliver import REFUSED, REPLAYED
from wattbook.engine.select import Selection
from wattbook.model import Batch, Columns, Event, Span
from wattbook.model.batch import from_ms, to_ms
from wattbook.model.era import ERA_MS
from wattbook.sinks import Rejected
from wattbook.store import BookReader

_AT_ONCE_MAX = 100_000  # readings that are tried again by one order; what is left stays set aside
_TOGETHER_MS = 3_600_000  # readings of a meter that are read from the book in one go; it opens days


@dataclass(frozen=True, slots=True)
class Aside:
    """What a sink refused for ever. `upto`: the number of the last event that told of it."""

    readings: Sequence[Rejected]
    upto: int


def set_aside(reader: BookReader, name: str) -> Aside:
    """What a sink refused, without what was tried again since: the oldest events of it, when there are very many."""
    upto = tried_upto(reader, name)
    found: dict[tuple[str, str, int], Rejected] = {}
    for event in reader.events_about(name, (REFUSED,), after=upto):
        if len(found) >= _AT_ONCE_MAX:
            break
        upto = event.seq
        for one in refused_in(event):
            found[one.site, one.meter, one.at_ms] = one
    return Aside(list(found.values()), upto)


def tried_upto(reader: BookReader, name: str) -> int:
    """The number of the last event whose readings were tried again; 0 = none was."""
    tried = [event for event in reader.events_about(name, (REPLAYED,)) if "refused" in event.body]
    return int(tried[-1].body["upto"]) if tried else 0


def refused_in(event: Event) -> Iterator[Rejected]:
    """Yield the readings that one event sets aside."""
    for row in event.body["readings"]:
        at_ms = to_ms(datetime.fromisoformat(row["at"]))
        yield Rejected(row["meter"], at_ms, row["reason"], row.get("site", ""))


@dataclass(slots=True)
class CountAside:
    """How many readings of a sink are set aside, whoever asks how often: an event is decoded once."""

    name: str
    _upto: int = -1  # the replay that was counted from
    _looked: int = 0  # the last event that was counted
    _found: set[int] = field(default_factory=set)  # hashes of identities: a reading may be refused twice
    _alone: Lock = field(default_factory=Lock)

    def count(self, reader: BookReader) -> int:
        """Count what came since. Blocks."""
        with self._alone:
            upto = tried_upto(reader, self.name)
            if upto != self._upto:
                self._upto = self._looked = upto
                self._found.clear()
            if len(self._found) < _AT_ONCE_MAX:
                self._add(reader.events_about(self.name, (REFUSED,), after=self._looked))
            return len(self._found)

    def _add(self, events: Iterable[Event]) -> None:
        for event in events:
            if len(self._found) >= _AT_ONCE_MAX:
                return
            self._looked = event.seq
            self._found.update(hash((one.site, one.meter, one.at_ms)) for one in refused_in(event))


def once_more(reader: BookReader, selection: Selection, aside: Aside) -> Iterator[Batch]:
    """Yield what was set aside in batches of the sink's size, chosen and condensed as ever. Blocks."""
    batch_max = selection.settings.batch
    waiting: list[Columns] = []
    for columns in _read(reader, selection, aside.readings):
        start = 0
        while start < len(columns):
            part = columns.cut(slice(start, start + batch_max - sum(map(len, waiting))))
            start += len(part)
            waiting.append(part)
            if sum(map(len, waiting)) == batch_max:
                yield Batch(tuple(waiting), (), "")
                waiting = []
    if waiting:
        yield Batch(tuple(waiting), (), "")


def _read(reader: BookReader, selection: Selection, readings: Iterable[Rejected]) -> Iterator[Columns]:
    by_meter: dict[tuple[str, str], list[int]] = {}
    for each in readings:
        if each.at_ms not in ERA_MS:
            continue  # it will never be given to a sink
        by_meter.setdefault((each.site, each.meter), []).append(each.at_ms)
    for (site, meter), instants in by_meter.items():
        for together in runs(sorted(instants), _TOGETHER_MS):
            found = _rows(reader, selection, site, meter, together)
            yield from selection.of(Batch(tuple(found), (), "")).columns


def _rows(
    reader: BookReader, selection: Selection, site: str, meter: str, instants: Sequence[int]
) -> Iterator[Columns]:
    every = selection.settings.every
    if every is not None:  # a row's instant is the end of its interval
        intervals = Intervals.remember(every, selection.around.zone, "")
        starts = [intervals.span_of(at_ms - 1)[0] for at_ms in instants]
        yield rows_of(reader, intervals, site, meter, starts, selection.settings.aggregate)
        return
    wanted = frozenset(instants)
    for columns in reader.columns(meter, Span(from_ms(instants[0]), from_ms(instants[-1] + 1)), site=site):
        yield columns.take([row for row, at_ms in enumerate(columns.at_ms) if at_ms in wanted])
