"""What other masters are answered: by the standard, by whom they are, and by what the line did."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wattbook.codecs.conversation import Conversation, Receive, T
from wattbook.codecs.modbus import (
    Request,
    Response,
    encode_request,
    encode_response,
    parse_request,
    request_pdu,
    rtu_frame,
    tcp_frame,
)
from wattbook.codecs.modbus_ask import Rtu
from wattbook.codecs.modbus_serve import judge_request, parse_tcp_header
from wattbook.config import ProxySettings, examine
from wattbook.engine.gateway import Gateway, Route
from wattbook.engine.masters import RtuMaster, TcpMaster
from wattbook.engine.orders import LineBusy
from wattbook.engine.proxy import Proxy
from wattbook.model import Event, Kept, Reading
from wattbook.model.errors import Garbled
from wattbook.transports.link import LinkLost

READ = Request(4, 4, 0, 2)
WRITE = Request(4, 6, 2, 1, (5,))
ANSWERS = {
    READ: Response(4, 4, (2301, 7)),
    WRITE: Response(4, 6, (5,), address=2, count=1),
    Request(4, 1, 0, 10): Response(4, 1, data=b"\x05\x02"),
    Request(4, 2, 0, 1): Response(4, 2, data=b"\x01"),
    Request(4, 3, 9, 1): Response(4, 3, exception=2),
    Request(4, 17): Response(4, 17, data=b"\x04\xffPZEM"),
    Request(4, 5, 1, 1, (0xFF00,)): Response(4, 5, (0xFF00,), address=1, count=1),
    Request(4, 15, 0, 10, bits=b"\x05\x02"): Response(4, 15, address=0, count=10),
    Request(4, 16, 0, 2, (1, 2)): Response(4, 16, address=0, count=2),
}


class Desk:
    """A line that answers from a table, and what it was asked. Also the clock and the book of the test."""

    def __init__(self) -> None:
        self.framing = Rtu()
        self.asked: list[bytes] = []
        self.events: list[Event] = []
        self.time = 100.0
        self.gone: Exception | None = None

    def submit(self, conversation: Conversation[T], *, meter: str = "", guest: bool = False) -> Future[T]:
        assert guest
        done: Future[T] = Future()
        done.set_running_or_notify_cancel()
        asyncio.get_running_loop().call_soon(self._play, conversation, done)
        return done

    def _play(self, conversation: Conversation[T], done: Future[T]) -> None:
        if self.gone:
            done.set_exception(self.gone)
            return
        step = conversation.send(None)  # type: ignore[arg-type]
        self.asked.append(step.data)  # type: ignore[union-attr]
        waits = conversation.send(None)  # type: ignore[arg-type]
        assert isinstance(waits, Receive)
        response = ANSWERS.get(parse_request(self.asked[-1]))
        self.time += 0.04 if response else waits.timeout_s
        try:
            conversation.send(encode_response(response) if response else b"")
        except StopIteration as end:
            done.set_result(end.value)
        except Exception as error:  # noqa: BLE001 - as a line does, it goes to who asked
            done.set_exception(error)

    def monotonic(self) -> float:
        return self.time

    def now(self) -> datetime:
        return datetime(2026, 11, 28, tzinfo=UTC)

    async def keep(self, readings: Sequence[Reading]) -> Kept:
        raise AssertionError("a proxy measures nothing")

    def measured(self, reading: Reading) -> None:
        raise AssertionError("a proxy measures nothing")

    def note(self, event: Event) -> None:
        self.events.append(event)

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


def proxy(desk: Desk, route: Route | None = None, *, write: tuple[str, ...] = ()) -> Proxy:
    gateway = Gateway(desk, route or Route(), clock=desk)
    settings = ProxySettings(line="rs485", allow=("10.0.0.0/8",), allow_write=write)
    return Proxy(settings, gateway, keeper=desk, clock=desk, sleep=desk.sleep)


@pytest.mark.parametrize("request_", [request for request in ANSWERS if request.function not in (5, 6, 15, 16)])
async def test_reads_pass_through_with_their_answers_and_exceptions(request_: Request) -> None:
    desk = Desk()
    served = proxy(desk)
    assert await served.answer("127.0.0.1", 4, request_pdu(request_)) == ANSWERS[request_]
    assert desk.asked == [encode_request(request_)] and desk.events == []
    assert served.status.exceptions == bool(ANSWERS[request_].exception)


@pytest.mark.parametrize(
    ("pdu", "exception"),
    [
        ("", 1),
        ("07", 1),
        ("08 00 00 00 00", 1),
        ("14 07", 1),
        ("42", 1),  # erases the energy of a PZEM
        ("2b 0e 01 00", 1),
        ("81 02", 1),
        ("03 00 00 00", 3),
        ("03 00 00 00 01 00", 3),
        ("03 00 00 00 00", 3),
        ("04 00 00 00 7e", 3),
        ("01 00 00 07 d1", 3),
        ("04 ff ff 00 02", 2),
        ("05 00 00 12 34", 3),
        ("10 00 00 00 02 02 00 01", 3),
        ("10 00 00 00 02 04 00 01", 3),
        ("0f 00 00 00 09 01 ff", 3),
        ("06 00 02 00 05", 1),  # right, but this client may not write
        ("10 00 00 00 01 02 00 01", 1),
    ],
)
async def test_what_is_wrong_or_not_allowed_never_reaches_the_line(pdu: str, exception: int) -> None:
    desk = Desk()
    served = proxy(desk, write=("10.0.0.7",))
    response = await served.answer("127.0.0.1", 4, bytes.fromhex(pdu))
    assert response.exception == exception and desk.asked == [] and desk.events == []
    assert served.status.refused == 1
    assert desk.time > 100  # it had to wait for it


@pytest.mark.parametrize("request_", [request for request in ANSWERS if request.function in (5, 6, 15, 16)])
async def test_a_write_of_who_may_is_done_and_written_down(request_: Request) -> None:
    desk = Desk()
    served = proxy(desk, write=("10.0.0.7",))
    assert await served.answer("::ffff:10.0.0.7", 4, request_pdu(request_)) == ANSWERS[request_]
    [event] = desk.events
    assert (event.kind, event.subject) == ("proxy.write", "rs485")
    assert event.body["function"] == request_.function and event.body["unit"] == 4 and event.body["outcome"] == "done"
    assert event.body["words"] == list(request_.words) and event.body.get("bits", "") == request_.bits.hex()


async def test_a_write_without_an_answer_is_written_down_too() -> None:
    desk = Desk()
    response = await proxy(desk, write=("127.0.0.1",)).answer("127.0.0.1", 9, request_pdu(WRITE))
    assert response.exception == 11
    assert "no answer" in desk.events[0].body["outcome"]


async def test_a_silent_slave_is_left_alone_for_a_while_and_asked_again() -> None:
    desk = Desk()
    served = proxy(desk)
    for _ in range(3):
        assert (await served.answer("127.0.0.1", 9, request_pdu(READ))).exception == 11
    assert len(desk.asked) == 1
    desk.time += 0.5
    assert (await served.answer("127.0.0.1", 9, request_pdu(READ))).exception == 11
    assert len(desk.asked) == 2
    assert (await served.answer("127.0.0.1", 4, request_pdu(READ))).exception == 0  # its neighbours do not suffer


@pytest.mark.parametrize(("error", "exception"), [(LinkLost("pulled out"), 10), (LineBusy("64 wait"), 6)])
async def test_what_the_line_cannot_do_is_told_as_a_gateway_tells_it(error: Exception, exception: int) -> None:
    desk = Desk()
    desk.gone = error
    served = proxy(desk)
    assert (await served.answer("127.0.0.1", 4, request_pdu(READ))).exception == exception
    desk.gone = None
    assert (await served.answer("127.0.0.1", 4, request_pdu(READ))).exception == 0  # at once: the slave did nothing


async def test_units_that_cannot_answer_are_not_asked() -> None:
    desk = Desk()
    assert (await proxy(desk).answer("127.0.0.1", 0, request_pdu(READ))).exception == 11
    on_ports = proxy(desk, Route(meters={4: "m4"}))
    assert (await on_ports.answer("127.0.0.1", 9, request_pdu(READ))).exception == 10
    assert desk.asked == []
    assert (await on_ports.answer("127.0.0.1", 4, request_pdu(READ))).exception == 0


async def test_equal_reads_at_one_time_are_asked_once_and_equal_writes_are_not() -> None:
    desk = Desk()
    served = proxy(desk, write=("127.0.0.1",))
    answers = await asyncio.gather(*(served.answer("127.0.0.1", 4, request_pdu(READ)) for _ in range(5)))
    assert answers == [ANSWERS[READ]] * 5 and len(desk.asked) == 1
    await asyncio.gather(*(served.answer("127.0.0.1", 4, request_pdu(WRITE)) for _ in range(2)))
    assert len(desk.asked) == 3


def _reader(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


@pytest.mark.parametrize("request_", [*ANSWERS, Request(4, 8)])
async def test_requests_are_cut_out_of_the_stream(request_: Request) -> None:
    pdu = request_pdu(request_) if request_.function != 8 else bytes.fromhex("0800001234")
    master = TcpMaster()
    reader = _reader(tcp_frame(7, 4, pdu) + tcp_frame(8, 5, b"\x11"))
    assert await master.request(reader) == (4, pdu)
    assert master.frame(4, b"\x84\x0b") == bytes.fromhex("0007 0000 0003 04 84 0b")
    assert await master.request(reader) == (5, b"\x11")
    with pytest.raises(EOFError):
        await master.request(reader)
    assert await RtuMaster().request(_reader(rtu_frame(4, pdu))) == (4, pdu)


@pytest.mark.parametrize("header", ["0001 0001 0006 04", "0001 0000 0001 04", "0001 0000 00ff 04", "4745 5420 2f20 48"])
def test_what_is_not_modbus_tcp_is_told_by_its_header(header: str) -> None:
    with pytest.raises(Garbled):
        parse_tcp_header(bytes.fromhex(header))


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", rtu_frame(4, b"\x04\0\0\0\x02")[:-1] + b"\0", b"\x04\x08" + bytes(300)],
)
async def test_what_is_no_rtu_frame_is_told(data: bytes) -> None:
    with pytest.raises(Garbled):
        await RtuMaster().request(_reader(data))


def test_every_request_of_the_table_is_right_by_the_standard() -> None:
    assert [judge_request(4, request_pdu(request)) for request in ANSWERS] == list(ANSWERS)


PROXY = """
[[line]]
name = "rs485"
port = "{port}"
[[line]]
name = "broker"
port = "mqtt://h"
[[meter]]
name = "m"
line = "rs485"
model = "{model}"
[[proxy]]
line = "{line}"
{more}
"""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, ""),
        ({"line": "rs458"}, 'did you mean "rs485"'),
        ({"line": "broker"}, "is a broker"),
        ({"model": "sml"}, "is no Modbus meter"),
        ({"more": 'listen = "0.0.0.0:1502"'}, "open beyond this machine"),
        ({"more": 'listen = "0.0.0.0:1502"\nallow = ["10.0.0.0/8"]\nallow_write = ["10.0.0.7"]'}, ""),
        ({"more": 'listen = "localhost"'}, "HOST:PORT"),
        ({"more": 'allow = ["10.0.0.1/8"]'}, "no network"),
        ({"more": 'allow_write = ["10.0.0.0/8"]'}, "no address of a client"),
        ({"more": 'allow_write = ["10.0.0.7"]'}, "may write but not ask"),
        ({"more": 'kind = "udp"'}, "one of: tcp, rtu+tcp"),
        ({"more": '[[proxy]]\nline = "rs485"'}, "two proxies listen"),
    ],
)
def test_a_proxy_that_cannot_be_is_told(tmp_path: Path, change: dict[str, str], says: str) -> None:
    path = tmp_path / "wattbook.toml"
    path.write_text(
        PROXY.format(**({"port": "/dev/ttyUSB0", "model": "pzem-016", "line": "rs485", "more": ""} | change))
    )
    _, problems = examine(path)
    assert [says in problem.message and problem.line > 0 for problem in problems] in ([], [True], [True] * 2)
    assert bool(problems) == bool(says)
