"""How the requests of one foreign master arrive on its connection, and how answers go back: MBAP or RTU frames."""

from __future__ import annotations

import asyncio
from typing import Protocol

from wattbook.codecs.modbus import FUNCTIONS, open_rtu, request_missing, rtu_frame, tcp_frame
from wattbook.codecs.modbus_serve import HEADER_SIZE, parse_tcp_header
from wattbook.model.errors import Garbled

FRAME_S_MAX = 5.0  # from the first byte of a request to its last: a slow mobile network; then the client is hung up
_GAP_S = 0.1  # of silence: a request of unknown length is over
_RTU_SIZE_MAX = 256  # of a frame, by the standard


class Master(Protocol):
    """One connection's framing."""

    async def request(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        """Unit and PDU of the next request, however long it takes to come.

        Raises EOFError when the client left, TimeoutError when a frame does not go on, Garbled for what is no frame.
        """
        ...

    def frame(self, unit: int, pdu: bytes) -> bytes:
        """The answer to the last request."""
        ...


class TcpMaster:
    """Modbus TCP: every frame says its length."""

    def __init__(self) -> None:
        self._transaction = 0

    async def request(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        """Unit and PDU of the next request."""
        first = await reader.readexactly(1)
        async with asyncio.timeout(FRAME_S_MAX):
            header = first + await reader.readexactly(HEADER_SIZE - 1)
            self._transaction, size, unit = parse_tcp_header(header)
            return unit, await reader.readexactly(size)

    def frame(self, unit: int, pdu: bytes) -> bytes:
        """The answer, with the number of its request."""
        return tcp_frame(self._transaction, unit, pdu)


class RtuMaster:
    """RTU frames on TCP: the function tells the length. There is no silence to find the next frame after nonsense."""

    async def request(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        """Unit and PDU of the next request."""
        heard = await reader.readexactly(1)
        async with asyncio.timeout(FRAME_S_MAX):
            while missing := request_missing(heard):
                heard += await reader.readexactly(missing)
            if heard[1] not in FUNCTIONS:
                heard += await _rest(reader)
        if len(heard) > _RTU_SIZE_MAX:
            raise Garbled(f"a frame of {len(heard)} bytes")
        return open_rtu(heard)

    def frame(self, unit: int, pdu: bytes) -> bytes:
        """The answer, with its CRC."""
        return rtu_frame(unit, pdu)


async def _rest(reader: asyncio.StreamReader) -> bytes:
    """What else is there before a silence, of a frame whose length nobody can tell."""
    heard = b""
    while len(heard) <= _RTU_SIZE_MAX:
        try:
            async with asyncio.timeout(_GAP_S):
                chunk = await reader.read(_RTU_SIZE_MAX + 1 - len(heard))
        except TimeoutError:
            break
        if not chunk:
            break
        heard += chunk
    return heard
