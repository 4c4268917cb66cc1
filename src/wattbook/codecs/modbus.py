"""Modbus frames: RTU and TCP, functions 1 to 6 and 15 to 17, both as the asking and as the answering side.

Modbus Application Protocol V1.1b3 (the PDU: function and data) and Modbus over Serial Line V1.02 (RTU: address, PDU,
CRC with its low byte first). Nothing here knows a profile; see `registers` for the meaning of what was read. Coils and
discrete inputs (functions 1, 2, 5 and 15) are passed on as packed bits: no profile has them, but a proxy serves them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wattbook.codecs.crc import crc_modbus
from wattbook.model.errors import Garbled

READ_HOLDING, READ_INPUT, WRITE_ONE, WRITE_MANY, REPORT_ID = 3, 4, 6, 16, 17
READ_COILS, READ_DISCRETE, WRITE_COIL, WRITE_COILS = 1, 2, 5, 15
READS = (READ_COILS, READ_DISCRETE, READ_HOLDING, READ_INPUT, REPORT_ID)
WRITES = (WRITE_COIL, WRITE_ONE, WRITE_COILS, WRITE_MANY)
FUNCTIONS = (*READS, *WRITES)
PLAIN_FUNCTIONS = range(65, 73)  # free for makers: here a code that is a command by itself, repeated when done
READ_MAX, WRITE_MAX = 125, 123  # registers in one request, by the standard
BITS_READ_MAX, BITS_WRITE_MAX = 2000, 1968
BROADCAST = 0
ERROR_BIT = 0x80

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, DEVICE_FAILURE = 1, 2, 3, 4
EXCEPTION_WORDS: Mapping[int, str] = {
    ILLEGAL_FUNCTION: "illegal function",
    ILLEGAL_ADDRESS: "illegal data address",
    ILLEGAL_VALUE: "illegal data value",
    DEVICE_FAILURE: "device failure",
    5: "acknowledged, still working",
    6: "device busy",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "no answer behind the gateway",
}

_SILENCE_CHARACTERS = 3.5
_SILENCE_S_MIN = 0.00175  # above 19200 Bd the standard gives a fixed time instead of 3.5 characters
EXCEPTION_SIZE = 5  # of an RTU frame: the shortest answer there is
PLAIN_SIZE = 4  # of an RTU frame with a plain function, request or answer
REQUEST_SIZE = 8  # of an RTU frame with functions 1 to 6


def frame_silence_s(character_s: float) -> float:
    """The silence between frames on a serial line (Modbus over Serial Line V1.02, 2.5.1.1)."""
    return max(_SILENCE_CHARACTERS * character_s, _SILENCE_S_MIN)


@dataclass(frozen=True, slots=True)
class Request:
    """What a master asks. `count` registers or bits from `address` are read, or `words` or `bits` written."""

    unit: int  # the slave's address; 0 = everybody, nobody answers
    function: int
    address: int = 0
    count: int = 0
    words: tuple[int, ...] = ()  # functions 6 and 16; the state of function 5 (0xFF00 = on)
    bits: bytes = b""  # function 15: eight a byte, the lowest first


@dataclass(frozen=True, slots=True)
class Response:
    """What a slave answers: registers, bits, the echo of a write, an identification, or an exception."""

    unit: int
    function: int  # without the error bit
    words: tuple[int, ...] = ()  # functions 3 and 4; the one word of functions 5 and 6
    address: int = 0  # functions 5, 6, 15 and 16
    count: int = 0  # functions 15 and 16
    data: bytes = b""  # functions 1 and 2: packed bits; function 17: id, run indicator, additional data
    exception: int = 0  # not 0: refused


def rtu_frame(unit: int, pdu: bytes) -> bytes:
    """Wrap a PDU for a serial line."""
    frame = bytes((unit,)) + pdu
    return frame + crc_modbus(frame).to_bytes(2, "little")


def tcp_frame(transaction: int, unit: int, pdu: bytes) -> bytes:
    """Wrap a PDU for TCP: transaction, protocol 0, length of unit and PDU, unit."""
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


def open_rtu(frame: bytes) -> tuple[int, bytes]:
    """Return unit and PDU of an RTU frame. Raises Garbled when it is short or its CRC is wrong."""
    if len(frame) < 4:
        raise Garbled(f"a frame of {len(frame)} bytes is too short", offset=0)
    if crc_modbus(frame):
        raise Garbled("wrong CRC", offset=len(frame) - 2)
    return frame[0], frame[1:-2]


def request_pdu(request: Request) -> bytes:
    """The PDU of a request."""
    match request.function:
        case 3 | 4:
            assert 1 <= request.count <= READ_MAX
            return struct.pack(">BHH", request.function, request.address, request.count)
        case 1 | 2:
            assert 1 <= request.count <= BITS_READ_MAX
            return struct.pack(">BHH", request.function, request.address, request.count)
        case 5 | 6:
            return struct.pack(">BHH", request.function, request.address, *request.words)
        case 15:
            assert 1 <= request.count <= BITS_WRITE_MAX
            return struct.pack(">BHHB", 15, request.address, request.count, len(request.bits)) + request.bits
        case 16:
            assert 1 <= len(request.words) <= WRITE_MAX
            count = len(request.words)
            return struct.pack(f">BHHB{count}H", 16, request.address, count, 2 * count, *request.words)
        case function if function == REPORT_ID or function in PLAIN_FUNCTIONS:
            return bytes((function,))
        case _:
            raise ValueError(f"function {request.function} cannot be asked")


def encode_request(request: Request) -> bytes:
    """The RTU frame of a request."""
    return rtu_frame(request.unit, request_pdu(request))


def parse_request_pdu(unit: int, pdu: bytes) -> Request:
    """Understand a request. Raises Garbled when its length does not fit its function.

    A function unknown here gives a Request with nothing but its number, so that a slave can answer ILLEGAL_FUNCTION.
    """
    if not pdu:
        raise Garbled("an empty request")
    function = pdu[0]
    if function not in FUNCTIONS and function not in PLAIN_FUNCTIONS:
        return Request(unit, function)
    if len(pdu) != _request_pdu_size(pdu):
        raise Garbled(f"a request of {len(pdu)} bytes does not fit function {function}")
    match function:
        case 1 | 2 | 3 | 4:
            return Request(unit, function, *struct.unpack_from(">HH", pdu, 1))
        case 5 | 6:
            address, word = struct.unpack_from(">HH", pdu, 1)
            return Request(unit, function, address, 1, (word,))
        case 15:
            address, count = struct.unpack_from(">HH", pdu, 1)
            return Request(unit, function, address, count, bits=pdu[6:])
        case 16:
            address, count = struct.unpack_from(">HH", pdu, 1)
            return Request(unit, function, address, count, _words(pdu[6:]))
        case _:
            return Request(unit, function)


def parse_request(frame: bytes) -> Request:
    """Understand an RTU request, whole and alone. Raises Garbled."""
    return parse_request_pdu(*open_rtu(frame))


def _request_pdu_size(pdu: bytes) -> int:
    """The size of the request that begins so; at least 6 bytes of functions 15 and 16 must be there."""
    match pdu[0]:
        case 1 | 2 | 3 | 4 | 5 | 6:
            return 5
        case 16 if len(pdu) >= 6:
            return 6 + 2 * (pdu[5] // 2)
        case 15 if len(pdu) >= 6:
            return 6 + pdu[5]
        case 15 | 16:
            return 6
        case _:
            return 1


def request_missing(heard: bytes) -> int:
    """How many more bytes of an RTU request are certain to follow (a slave's `Missing`); 0 = complete or unknown."""
    if len(heard) < 2:
        return 4 - len(heard)
    if heard[1] in (WRITE_COILS, WRITE_MANY) and len(heard) < 7:
        return (10 if heard[1] == WRITE_COILS else 11) - len(heard)  # with one byte of bits, or one register
    if heard[1] not in FUNCTIONS:
        return max(0, 4 - len(heard))
    return max(0, _request_pdu_size(heard[1:]) + 3 - len(heard))


def response_pdu(response: Response) -> bytes:
    """The PDU of an answer."""
    function = response.function
    if response.exception:
        return bytes((function | ERROR_BIT, response.exception))
    match function:
        case 3 | 4:
            count = len(response.words)
            return struct.pack(f">BB{count}H", function, 2 * count, *response.words)
        case 5 | 6:
            return struct.pack(">BHH", function, response.address, *response.words)
        case 15 | 16:
            return struct.pack(">BHH", function, response.address, response.count)
        case 1 | 2 | 17:
            return bytes((function, len(response.data))) + response.data
        case function if function in PLAIN_FUNCTIONS:
            return bytes((function,))
        case _:
            raise ValueError(f"function {function} cannot be answered")


def encode_response(response: Response) -> bytes:
    """The RTU frame of an answer."""
    return rtu_frame(response.unit, response_pdu(response))


def parse_response_pdu(unit: int, pdu: bytes) -> Response:
    """Understand an answer. Raises Garbled when its length does not fit."""
    if len(pdu) >= 2 and pdu[0] & ERROR_BIT:
        if len(pdu) != 2:
            raise Garbled(f"an exception of {len(pdu)} bytes")
        return Response(unit, pdu[0] & ~ERROR_BIT, exception=pdu[1])
    if not pdu or len(pdu) != response_pdu_size(pdu):
        raise Garbled(f"an answer of {len(pdu)} bytes does not fit its function")
    function = pdu[0]
    match function:
        case function if function in PLAIN_FUNCTIONS:
            return Response(unit, function)
        case 3 | 4:
            return Response(unit, function, _words(pdu[2:]))
        case 5 | 6:
            address, word = struct.unpack_from(">HH", pdu, 1)
            return Response(unit, function, (word,), address, 1)
        case 15 | 16:
            address, count = struct.unpack_from(">HH", pdu, 1)
            return Response(unit, function, (), address, count)
        case _:
            return Response(unit, function, data=pdu[2:])


def parse_response(frame: bytes) -> Response:
    """Understand an RTU answer, whole and alone. Raises Garbled."""
    return parse_response_pdu(*open_rtu(frame))


def response_pdu_size(pdu: bytes) -> int:
    """The size of the answer that begins with these bytes; 0 when it cannot be told: unknown here, or too few."""
    function = pdu[0]
    if function & ERROR_BIT:
        return 2
    if function in PLAIN_FUNCTIONS:
        return 1
    if len(pdu) < 2:
        return 0
    match function:
        case 3 | 4:
            return 0 if pdu[1] % 2 else 2 + pdu[1]  # half a register is damage
        case 5 | 6 | 15 | 16:
            return 5
        case 1 | 2 | 17:
            return 2 + pdu[1]
        case _:
            return 0


def _words(data: bytes | Sequence[int]) -> tuple[int, ...]:
    """Big-endian 16-bit words; the length must be even."""
    raw = bytes(data)
    return struct.unpack(f">{len(raw) // 2}H", raw)
