"""A small journal in memory with two partitions: what a distributed stream would look like to a follower.

Meters are spread over the partitions; a position holds one place of each; order is kept within a meter only. It keeps
the promises of `wattbook.store.Journal`, and nothing of the book's numbers or texts.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from wattbook.model import Batch, BookError, Columns, Event, Kept, Reading
from wattbook.model.batch import NO_DOUBT, QUALITY_CODES, to_ms
from wattbook.store import Position

_PARTITIONS = 2
_Entry = tuple[int, Reading | Event]


class TwoPartitions:
    """A journal without a disk."""

    def __init__(self) -> None:
        self._partitions: list[list[_Entry]] = [[] for _ in range(_PARTITIONS)]
        self._identities: dict[tuple[str, str, int], tuple[int, Reading]] = {}
        self._positions: dict[str, Position] = {}
        self.wakers: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._seq = 0

    def append(self, readings: Sequence[Reading]) -> Kept:
        seqs: list[int] = []
        same = conflicts = 0
        with self._lock:
            for reading in readings:
                identity = reading.site, reading.meter, to_ms(reading.at)
                if identity in self._identities:
                    seq, known = self._identities[identity]
                    same += known.values == reading.values
                    conflicts += known.values != reading.values
                else:
                    seq = self._add(sum(reading.meter.encode()) % _PARTITIONS, reading)
                    self._identities[identity] = seq, reading
                seqs.append(seq)
        self._wake()
        return Kept(tuple(seqs), len(seqs) - same - conflicts, same, conflicts)

    def append_event(self, event: Event) -> int:
        with self._lock:
            seq = self._add(0, event)
        self._wake()
        return seq

    def read(self, after: str, limit: int) -> Batch:
        places = _places(after)
        found: list[_Entry] = []
        with self._lock:
            for partition, entries in enumerate(self._partitions):
                part = entries[places[partition] : places[partition] + limit - len(found)]
                places[partition] += len(part)
                found += part
        by_meter: dict[tuple[str, str], list[tuple[int, Reading]]] = {}
        for seq, entry in found:
            if isinstance(entry, Reading):
                by_meter.setdefault((entry.site, entry.meter), []).append((seq, entry))
        events = tuple(
            Event(each.kind, each.subject, each.at, each.body, each.actor, seq)
            for seq, each in found
            if isinstance(each, Event)
        )
        columns = tuple(_columns(*meter, readings) for meter, readings in by_meter.items())
        return Batch(columns, events, "p" + "/".join(map(str, places)) if found else after)

    def position(self, follower: str) -> Position | None:
        return self._positions.get(follower)

    def acknowledge(self, follower: str, after: str, bookmark: str = "") -> None:
        self._positions[follower] = Position(after, bookmark)

    def decide(self, follower: str, after: str, bookmark: str, events: Sequence[Event]) -> Future[Sequence[int]]:
        future: Future[Sequence[int]] = Future()
        with self._lock:
            self.acknowledge(follower, after, bookmark)
            seqs = [self._add(0, event) for event in events]
        self._wake()
        future.set_result(seqs)
        return future

    def on_commit(self, wake: Callable[[], None]) -> Callable[[], None]:
        self.wakers.append(wake)
        return lambda: self.wakers.remove(wake)

    def _add(self, partition: int, entry: Reading | Event) -> int:
        self._seq += 1
        self._partitions[partition].append((self._seq, entry))
        return self._seq

    def _wake(self) -> None:
        for wake in self.wakers:
            wake()


def _places(after: str) -> list[int]:
    if not after:
        return [0] * _PARTITIONS
    places = after.removeprefix("p").split("/")
    if not after.startswith("p") or len(places) != _PARTITIONS or not all(map(str.isdigit, places)):
        raise BookError(f'"{after}" is no position of this journal')
    return list(map(int, places))


def _columns(site: str, meter: str, readings: Sequence[tuple[int, Reading]]) -> Columns:
    names = {name: None for _, reading in readings for name in reading.values}
    doubted = {name: None for _, reading in readings for name in reading.doubt}
    return Columns(
        site,
        meter,
        array("q", [to_ms(reading.at) for _, reading in readings]),
        array("q", [seq for seq, _ in readings]),
        {name: array("d", [reading.values.get(name, float("nan")) for _, reading in readings]) for name in names},
        array("B", [QUALITY_CODES[reading.quality] for _, reading in readings]),
        {
            name: array(
                "B",
                [QUALITY_CODES[reading.doubt[name]] if name in reading.doubt else NO_DOUBT for _, reading in readings],
            )
            for name in doubted
        },
    )
