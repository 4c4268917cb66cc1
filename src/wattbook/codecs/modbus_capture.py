"""Modbus out of a file: both sides of a line or a connection, or answers alone, to what a model says by them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from wattbook.codecs.crc import crc_modbus
from wattbook.codecs.measured import Measured
from wattbook.codecs.modbus import (
    ERROR_BIT,
    EXCEPTION_WORDS,
    READ_HOLDING,
    READ_INPUT,
    Response,
    parse_response_pdu,
)
from wattbook.codecs.obis import DataSet
from wattbook.codecs.registers import Words, decode_registers, plan_reads
from wattbook.codecs.sunspec import find_in
from wattbook.codecs.telegram import Damage
from wattbook.model import Garbled
from wattbook.profiles.profile import ModbusSettings, SunspecSettings

_READS = (READ_HOLDING, READ_INPUT)
_WRITES, _REPORT_ID = (6, 16), 17
_REQUEST_PDU_SIZE = 5  # of functions 3, 4 and 6, and of the answer to 6 and 16
_RTU_OVERHEAD, _TCP_HEAD_SIZE = 3, 7  # unit and CRC; transaction, protocol, length, unit
_TCP_LENGTH_MAX = 254  # unit and PDU


@dataclass(frozen=True, slots=True)
class ModbusReading:
    """Values of one unit from answers that follow each other."""

    measured: Measured
    unit: int
    offset: int
    data_sets: tuple[DataSet, ...]  # every register read: "4:0x0000"; "4:+0" when its address is not known


@dataclass(frozen=True, slots=True)
class _Frame:
    offset: int
    unit: int
    pdu: bytes
    transaction: int = 0  # TCP: an answer has that of its request

    @property
    def is_read_request(self) -> bool:
        return self.pdu[0] in _READS and len(self.pdu) == _REQUEST_PDU_SIZE


def decode_modbus(raw: bytes, settings: ModbusSettings | None = None) -> list[ModbusReading | Damage]:
    """Decode a capture. Without `settings` registers are listed and none has a meaning.

    Answers without their requests are understood when the model has just one block that fits. Exceptions and
    bytes that are no frame are Damage.
    """
    heard: list[ModbusReading | Damage] = []
    gathered: _Gathered | None = None
    asked: dict[int, _Frame] = {}  # by transaction: a master may ask on before it is answered
    for item in _frames(raw):
        if isinstance(item, Damage):
            heard.append(item)
        elif item.is_read_request:
            asked[item.transaction] = item
        elif (answer := _answer(item, heard)) is not None and answer.function in _READS:
            first = _first(answer, asked.pop(item.transaction, None), settings)
            if gathered is None or gathered.unit != item.unit or gathered.has(answer.function, first):
                heard += gathered.readings(settings) if gathered else []
                gathered = _Gathered(item.unit, item.offset, {})
            gathered.add(answer, first)
    return heard + (gathered.readings(settings) if gathered else [])


@dataclass(slots=True)
class _Gathered:
    unit: int
    offset: int
    words: dict[tuple[int, int], int]

    def has(self, function: int, first: int) -> bool:
        return (function, first) in self.words

    def add(self, answer: Response, first: int) -> None:
        self.words |= {(answer.function, first + place): word for place, word in enumerate(answer.words)}

    def readings(self, settings: ModbusSettings | None) -> list[ModbusReading | Damage]:
        registers = settings.registers if settings else ()
        data_sets = tuple(DataSet(_place(*place), str(word)) for place, word in self.words.items())
        try:
            words = _from_block(self.words, settings.sunspec) if settings and settings.sunspec else self.words
            return [ModbusReading(decode_registers(registers, words), self.unit, self.offset, data_sets)]
        except Garbled as error:
            return [Damage(str(error), self.offset)]


def _from_block(words: Words, sunspec: SunspecSettings) -> Words:
    """The words with their addresses counted from the block of the meter. Raises Garbled when it is not among them."""
    base = find_in(sunspec, {address: word for (_, address), word in words.items()})
    return {(function, address - base): word for (function, address), word in words.items()}


def _answer(frame: _Frame, heard: list[ModbusReading | Damage]) -> Response | None:
    try:
        answer = parse_response_pdu(frame.unit, frame.pdu)
    except Garbled:
        return None  # a request to write, or to identify itself
    if answer.exception:
        words = EXCEPTION_WORDS.get(answer.exception, "unknown")
        heard.append(Damage(f"unit {frame.unit} refused: exception {answer.exception}, {words}", frame.offset))
        return None
    return answer


_NOWHERE = -1_000_000  # for words whose addresses nobody told


def _place(function: int, address: int) -> str:
    return f"{function}:0x{address:04X}" if address >= 0 else f"{function}:+{address - _NOWHERE}"


def _first(answer: Response, asked: _Frame | None, settings: ModbusSettings | None) -> int:
    """The address of an answer's first register: as asked, else of the model's only block that fits."""
    if asked is not None and (asked.unit, asked.pdu[0]) == (answer.unit, answer.function):
        first, count = struct.unpack(">HH", asked.pdu[1:])
        if count == len(answer.words):
            return int(first)
    if settings is not None:
        blocks = plan_reads(settings.registers, read_max=settings.read_max, holes=settings.holes)
        blocks = [block for block in blocks if block.function == answer.function]
        fitting = [block for block in blocks if block.end - block.first == len(answer.words)]
        if len(blocks) == 1 and blocks[0].end - blocks[0].first < len(answer.words):
            fitting = blocks  # somebody else's poll of the same registers may ask for more
        if len(fitting) == 1:
            return fitting[0].first
    return _NOWHERE


def _frames(raw: bytes) -> list[_Frame | Damage]:
    """TCP has no check: bytes are that when they are nothing but that, or hold no frame of a line."""
    tcp, rtu = _tcp_frames(raw), list(_rtu_frames(raw))
    no_frame = all(isinstance(item, Damage) for item in rtu)
    return tcp if tcp and (no_frame or not isinstance(tcp[-1], Damage)) else rtu


def _tcp_frames(raw: bytes) -> list[_Frame | Damage]:
    """Frames of a connection; none when the bytes are not such from the first on."""
    frames: list[_Frame | Damage] = []
    at = 0
    while at + _TCP_HEAD_SIZE < len(raw):
        transaction, protocol, length, unit = struct.unpack_from(">HHHB", raw, at)
        end = at + _TCP_HEAD_SIZE - 1 + length
        if protocol or not 2 <= length <= _TCP_LENGTH_MAX or end > len(raw):
            break
        frames.append(_Frame(at, unit, raw[at + _TCP_HEAD_SIZE : end], transaction))
        at = end
    if frames and at < len(raw):
        frames.append(Damage(f"{len(raw) - at} bytes that are no frame", at))
    return frames


def _rtu_frames(raw: bytes) -> Iterator[_Frame | Damage]:
    at = junk = 0
    while at < len(raw):
        size = next((size for size in _rtu_sizes(raw, at) if not crc_modbus(raw[at : at + size])), 0)
        if size:
            if junk < at:
                yield Damage(f"{at - junk} bytes that are no frame", junk)
            yield _Frame(at, raw[at], raw[at + 1 : at + size - 2])
            junk = at + size
        at += size or 1
    if junk < at:
        yield Damage(f"{at - junk} bytes that are no frame", junk)


def _rtu_sizes(raw: bytes, at: int) -> Iterator[int]:
    """How long a frame that starts here may be, as request or answer."""
    if at + 4 > len(raw):
        return
    function, third = raw[at + 1], raw[at + 2]
    sizes: tuple[int, ...] = ()
    if function & ERROR_BIT:
        sizes = (2,)
    elif function in _READS:
        sizes = (_REQUEST_PDU_SIZE, 2 + third)
    elif function in _WRITES:
        sizes = (_REQUEST_PDU_SIZE, 6 + raw[at + 6] if at + 6 < len(raw) else _REQUEST_PDU_SIZE)
    elif function == _REPORT_ID:
        sizes = (1, 2 + third)
    yield from (size + _RTU_OVERHEAD for size in sizes if at + size + _RTU_OVERHEAD <= len(raw))
