"""Laws of a connection played in the event loop: however its bytes are cut and whenever they come, it says the same."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattbook.codecs.modbus import tcp_frame
from wattbook.codecs.modbus_ask import Tcp, read
from wattbook.model.errors import MeterError
from wattbook.transports.link import LinkLost
from wattbook.transports.stream import Stream

words = st.integers(0, 0xFFFF)


class Wire(asyncio.Transport):
    """A connection in memory: what is written, and whether it was hung up."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.aborted = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is held back here."""

    def abort(self) -> None:
        self.aborted = True


def connected() -> tuple[Stream, Wire]:
    stream, wire = Stream(), Wire()
    stream.connection_made(wire)
    return stream, wire


def hear(stream: Stream, data: bytes) -> None:
    """Bytes arrive, as the loop hands them over."""
    while data:
        buffer = stream.get_buffer(-1)
        part = data[: len(buffer)]
        buffer[: len(part)] = part
        stream.buffer_updated(len(part))
        data = data[len(part) :]


def answer(transaction: int, values: Sequence[int]) -> bytes:
    return tcp_frame(transaction, 4, struct.pack(f">BB{len(values)}H", 4, 2 * len(values), *values))


def pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:stop] for start, stop in pairwise(places)]


@given(
    st.lists(st.lists(words, min_size=2, max_size=2), min_size=1, max_size=4),
    st.lists(st.integers(0, 1000), max_size=6),
    st.booleans(),
)
def test_any_cutting_gives_the_same(asked: list[list[int]], cuts: list[int], between: bool) -> None:
    """Answers cut anywhere, with late ones of strangers before them, the loop running between the pieces or not."""

    async def talk() -> list[tuple[int, ...]]:
        stream, _ = connected()
        tcp, told = Tcp(), []
        for number, values in enumerate(asked, 1):
            playing = asyncio.ensure_future(stream.play(read(tcp, unit=4, address=0, count=2, timeout_s=60)))
            await asyncio.sleep(0)
            for piece in pieces(answer(60_000 + number, [1, 2]) + answer(number, values), cuts):
                hear(stream, piece)
                if between:
                    await asyncio.sleep(0)
            told.append(await playing)
        return told

    assert asyncio.run(talk()) == [tuple(values) for values in asked]


def test_what_came_while_nobody_asked_is_not_the_next_answer() -> None:
    async def talk() -> tuple[int, ...]:
        stream, _ = connected()
        tcp = Tcp()
        with pytest.raises(MeterError, match="no answer"):
            await stream.play(read(tcp, unit=4, address=0, count=1, timeout_s=0.001))
        hear(stream, answer(1, [7]))
        playing = asyncio.ensure_future(stream.play(read(tcp, unit=4, address=0, count=1, timeout_s=60)))
        await asyncio.sleep(0)
        hear(stream, answer(2, [8]))
        return await playing

    assert asyncio.run(talk()) == (8,)


@pytest.mark.parametrize("waiting", [True, False])
def test_the_end_of_a_connection_is_told_to_who_waits_and_to_who_comes_later(waiting: bool) -> None:
    async def talk() -> None:
        stream, wire = connected()
        conversation = read(Tcp(), unit=4, address=0, count=1, timeout_s=60)
        if waiting:
            playing = asyncio.ensure_future(stream.play(conversation))
            await asyncio.sleep(0)
        stream.connection_lost(None)
        with pytest.raises(LinkLost, match="closed the connection before it said anything"):
            await (playing if waiting else stream.play(conversation))
        assert wire.aborted

    asyncio.run(talk())


def test_what_is_kept_of_a_talkative_end_is_bounded() -> None:
    async def talk() -> None:
        stream, wire = connected()
        hear(stream, b"x" * 100_000)
        assert wire.aborted
        assert "without being asked" in stream.lost

    asyncio.run(talk())
