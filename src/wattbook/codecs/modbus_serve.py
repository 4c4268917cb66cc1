"""What a gateway says to other masters before it asks anybody: which requests are right, and how frames arrive on TCP.

Modbus Application Protocol V1.1b3, section 6 (bounds of each function), and Modbus Messaging on TCP/IP V1.0b, 3.1.3.
"""

from __future__ import annotations

import struct

from wattbook.codecs.modbus import (
    BITS_READ_MAX,
    BITS_WRITE_MAX,
    FUNCTIONS,
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    READ_MAX,
    WRITE_MAX,
    Request,
    Response,
    parse_request_pdu,
)
from wattbook.model.errors import Garbled

BUSY, PATH_UNAVAILABLE, TARGET_SILENT = 6, 10, 11
HEADER_SIZE = 7  # of a TCP frame: transaction, protocol, length, unit
_LENGTHS = (2, 254)  # of what follows the length: the unit and a PDU of 1 to 253 bytes
_COIL_STATES = (0x0000, 0xFF00)
_ADDRESSES = 0x10000


def parse_tcp_header(header: bytes) -> tuple[int, int, int]:
    """Return transaction, size of the PDU that follows, and unit. Raises Garbled for what is not Modbus TCP."""
    transaction, protocol, length, unit = struct.unpack(">HHHB", header)
    if protocol or not _LENGTHS[0] <= length <= _LENGTHS[1]:
        raise Garbled(f"no Modbus TCP: protocol {protocol}, length {length}")
    return transaction, length - 1, unit


def judge_request(unit: int, pdu: bytes) -> Request | Response:
    """The request, when a slave may be asked so; else the exception that it deserves by the standard alone."""
    function = pdu[0] if pdu else 0
    if function not in FUNCTIONS:
        return refusal(Request(unit, function), ILLEGAL_FUNCTION)
    try:
        request = parse_request_pdu(unit, pdu)
    except Garbled:
        return refusal(Request(unit, function), ILLEGAL_VALUE)
    if not _has_right_size(request, pdu):
        return refusal(request, ILLEGAL_VALUE)
    if request.address + request.count > _ADDRESSES:
        return refusal(request, ILLEGAL_ADDRESS)
    return request


def _has_right_size(request: Request, pdu: bytes) -> bool:
    match request.function:
        case 1 | 2:
            return 1 <= request.count <= BITS_READ_MAX
        case 3 | 4:
            return 1 <= request.count <= READ_MAX
        case 5:
            return request.words[0] in _COIL_STATES
        case 15:
            return 1 <= request.count <= BITS_WRITE_MAX and len(request.bits) == (request.count + 7) // 8
        case 16:
            return 1 <= request.count <= WRITE_MAX and pdu[5] == 2 * request.count
        case _:
            return True


def refusal(request: Request, exception: int) -> Response:
    """An exception for this request. Functions above 127 cannot be named in one; their lower bits are."""
    return Response(request.unit, request.function & 0x7F, exception=exception)
