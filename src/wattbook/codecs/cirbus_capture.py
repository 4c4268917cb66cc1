"""CIRBUS out of a file: both sides of a line, to what a model says by them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from wattbook.codecs.cirbus import END, START, find_frame, parse_fields, parse_frame
from wattbook.codecs.measured import Measured
from wattbook.codecs.obis import DataSet
from wattbook.codecs.telegram import Damage
from wattbook.model import Garbled
from wattbook.profiles.cirbus import CirbusAsk, CirbusSettings

_COMMAND = re.compile(rb"(?:[RWC][A-Z][A-Za-z]|VER).*")  # read, write, clear, version


@dataclass(frozen=True, slots=True)
class CirbusReading:
    """Values of one meter from answers that follow each other."""

    measured: Measured
    address: int
    offset: int
    data_sets: tuple[DataSet, ...]  # every answer: its command and its data as sent


def is_cirbus(raw: bytes) -> bool:
    """Whether a frame stands at the beginning of these bytes, or of their second line: the first may be cut."""
    for line in raw.split(END, 2)[:2]:
        try:
            parse_frame(line + END)
        except Garbled:
            continue
        return True
    return False


def decode_cirbus(raw: bytes, settings: CirbusSettings | None = None) -> list[CirbusReading | Damage]:
    """Decode a capture. Without `settings` answers are listed and none has a meaning.

    An answer does not say what it answers: one without its command before it is Damage, as are bytes that are no frame.
    """
    asks = {ask.code.encode(): ask for ask in settings.asks} if settings else {}
    heard: list[CirbusReading | Damage] = []
    gathered: _Gathered | None = None
    asked: tuple[int, bytes] | None = None
    for item in _frames(raw):
        if isinstance(item, Damage):
            heard.append(item)
            asked = None
        elif _COMMAND.fullmatch(item.data):
            asked = item.address, item.data  # an echo says the same once more
        elif asked is None or asked[0] != item.address:
            heard.append(Damage(f"an answer of {item.address:02} to a command that was not heard", item.offset))
        else:
            _, command = asked
            asked = None
            if gathered is None or gathered.address != item.address or command in gathered.data:
                heard += gathered.readings() if gathered else []
                gathered = _Gathered(item.address, item.offset)
            try:
                gathered.add(command, item, asks.get(command))
            except Garbled as error:
                heard.append(Damage(str(error), item.offset))
    return heard + (gathered.readings() if gathered else [])


@dataclass(frozen=True, slots=True)
class _Frame:
    offset: int
    address: int
    data: bytes
    followed: bool  # by bytes that begin no frame


@dataclass(slots=True)
class _Gathered:
    address: int
    offset: int
    data: dict[bytes, bytes] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)

    def add(self, command: bytes, answer: _Frame, ask: CirbusAsk | None) -> None:
        """Take an answer in. Raises Garbled when it is none."""
        if ask is not None:
            values = parse_fields(ask, answer.data)
            if answer.followed and len(answer.data) < ask.sizes[-1]:
                raise Garbled(f"the answer to {ask.code} goes on after its end")
            self.values |= values
        self.data[command] = answer.data

    def readings(self) -> list[CirbusReading | Damage]:
        if not self.data:
            return []
        data_sets = tuple(DataSet(code.decode(), data.decode("latin-1")) for code, data in self.data.items())
        return [CirbusReading(Measured(self.values), self.address, self.offset, data_sets)]


def _frames(raw: bytes) -> Iterator[_Frame | Damage]:
    at = 0
    for line in _lines(raw):
        try:
            start, end = find_frame(line)
            address, data = parse_frame(line[start:end])
        except Garbled as error:
            yield Damage(str(error), at)
        else:
            next_byte = raw[at + len(line) : at + len(line) + 1]
            yield _Frame(at + start, address, data, followed=next_byte not in (b"", START))
        at += len(line)


def _lines(raw: bytes) -> Iterator[bytes]:
    """Cut after each line feed, and nowhere else."""
    at = 0
    while at < len(raw):
        end = raw.find(END, at) + 1 or len(raw)
        yield raw[at:end]
        at = end
