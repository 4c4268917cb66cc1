"""Modbus frames against the frames printed by makers, and everything that must not pass for an answer."""

from __future__ import annotations

import pytest

from wattbook.codecs.conversation import Conversation, Receive, Send, T
from wattbook.codecs.crc import crc_modbus
from wattbook.codecs.modbus import (
    Request,
    Response,
    encode_request,
    encode_response,
    parse_request,
    parse_response,
    request_missing,
    tcp_frame,
)
from wattbook.codecs.modbus_ask import Rtu, Tcp, read, report_slave_id, write_register, write_registers
from wattbook.model.errors import Garbled, Refused, Unreachable

# PZEM-014/016 specification: frames as the maker prints them.
PRINTED = [
    (Request(1, 4, 0, 10), "01 04 00 00 00 0A 70 0D"),
    (Request(1, 4, 0, 9), "01 04 00 00 00 09 30 0C"),
    (Request(1, 6, 2, 1, (4,)), "01 06 00 02 00 04 29 C9"),
    (Request(0xF8, 6, 2, 1, (4,)), "F8 06 00 02 00 04 3D A0"),
    (Request(0xF8, 3, 2, 1), "F8 03 00 02 00 01 31 A3"),
    (Request(1, 6, 1, 1, (1500,)), "01 06 00 01 05 DC DA C3"),
    # Modbus Application Protocol V1.1b3, the example of function 16, with its RTU wrapping
    (Request(1, 16, 1, 2, (0x000A, 0x0102)), "01 10 00 01 00 02 04 00 0A 01 02 92 30"),
    (Request(1, 17), "01 11 C0 2C"),
]


@pytest.mark.parametrize(("request_", "printed"), PRINTED)
def test_requests_are_those_that_makers_print(request_: Request, printed: str) -> None:
    frame = bytes.fromhex(printed)
    assert encode_request(request_) == frame
    assert parse_request(frame) == request_
    for size in range(len(frame)):
        assert 0 < request_missing(frame[:size]) <= len(frame) - size
    assert request_missing(frame) == 0


def test_crc_of_a_whole_frame_is_zero() -> None:
    assert crc_modbus(b"123456789") == 0x4B37  # CRC-16/MODBUS, the catalogue's check value
    assert crc_modbus(bytes.fromhex("0104000000 0A700D".replace(" ", ""))) == 0


@pytest.mark.parametrize(
    "response",
    [
        Response(4, 4, (2301, 0xFFFF, 0)),
        Response(4, 3, (1,)),
        Response(4, 6, (7,), address=2, count=1),
        Response(4, 16, address=1, count=2),
        Response(4, 17, data=b"\x02\xffPZEM"),
        Response(4, 4, exception=2),
    ],
)
def test_answers_come_back(response: Response) -> None:
    assert parse_response(encode_response(response)) == response


@pytest.mark.parametrize("frame", [b"", b"\x01\x04", bytes(3), bytes.fromhex("01 04 02 00 2A")])
def test_short_or_unchecked_frames_are_garbled(frame: bytes) -> None:
    with pytest.raises(Garbled):
        parse_response(frame)


def hold(conversation: Conversation[T], *answers: bytes) -> tuple[T, list[bytes]]:
    """Play a conversation with answers that arrive byte by byte and end when the codec asks for no more."""
    sent: list[bytes] = []
    waiting = list(answers)
    heard: bytes | None = None
    try:
        while True:
            match conversation.send(heard):  # type: ignore[arg-type]
                case Send(data):
                    sent.append(data)
                    heard = None
                case Receive() as step:
                    stream, heard = (waiting.pop(0) if waiting else b""), b""
                    while step.missing(heard) > 0 and len(heard) < len(stream):
                        heard = stream[: min(len(heard) + step.missing(heard), len(stream))]
                    taken.append(len(heard))
    except StopIteration as end:
        return end.value, sent


taken: list[int] = []  # bytes that each Receive of the last `hold` waited for

REQUEST = Request(4, 4, 0, 2)
GOOD = encode_response(Response(4, 4, (7, 8)))


def ask(rtu: Rtu | None = None) -> Conversation[tuple[int, ...]]:
    return read(rtu or Rtu(), unit=4, address=0, count=2)


def test_an_answer_gives_its_registers() -> None:
    assert hold(ask(), GOOD) == ((7, 8), [encode_request(REQUEST)])


@pytest.mark.parametrize("lead_in", [b"\x00", b"\xff\x00", b"\x04\x00", b"\x55\xaa\x01"])
def test_a_glitch_before_the_answer_is_passed_over(lead_in: bytes) -> None:
    assert hold(ask(), lead_in + GOOD)[0] == (7, 8)


def test_noise_after_the_answer_is_not_its_fault() -> None:
    assert hold(ask(), GOOD + b"\x00\x99")[0] == (7, 8)


def test_an_echo_is_dropped_and_remembered() -> None:
    rtu = Rtu()
    assert hold(ask(rtu), encode_request(REQUEST) + GOOD)[0] == (7, 8)
    assert rtu.echoes
    # On a line that echoes, a single write is confirmed by the second copy, not by the echo.
    frame = encode_request(Request(4, 6, 2, 1, (5,)))
    with pytest.raises(Unreachable):
        hold(write_register(rtu, unit=4, address=2, word=5), frame)
    hold(write_register(rtu, unit=4, address=2, word=5), frame + frame)


def test_an_echo_alone_is_silence() -> None:
    with pytest.raises(Unreachable, match="no answer"):
        hold(ask(), encode_request(REQUEST))


@pytest.mark.parametrize(
    ("answer", "error", "size"),
    [
        (encode_response(Response(4, 4, exception=2)) + bytes(20), Refused, 5),  # ends early
        (encode_response(Response(4, 3, (7, 8))), Garbled, 5),  # another function: ends early
        (
            encode_response(Response(5, 4, (7, 8))),
            Garbled,
            6,
        ),  # another slave, or a glitch and then ours: a byte more decides
        (GOOD[:-1], Garbled, len(GOOD) - 1),  # cut
        (GOOD[:-1] + b"\x00", Garbled, len(GOOD)),  # wrong CRC
        (encode_response(Response(4, 4, (7,))), Garbled, 7),  # other number of registers
        (b"", Unreachable, 0),
    ],
)
def test_what_is_no_answer(answer: bytes, error: type[Exception], size: int) -> None:
    with pytest.raises(error):
        hold(ask(), answer)
    assert taken[-1] == size


def test_an_exception_tells_its_code_and_words() -> None:
    with pytest.raises(Refused, match=r"exception 2 \(illegal data address\)") as refused:
        hold(ask(), encode_response(Response(4, 4, exception=2)))
    assert refused.value.code == 2 and str(refused.value).endswith(" for registers 0-1")


def test_writes_check_what_was_confirmed() -> None:
    hold(write_registers(Rtu(), unit=4, address=1, words=[1, 2]), encode_response(Response(4, 16, address=1, count=2)))
    with pytest.raises(Garbled):
        hold(write_registers(Rtu(), unit=4, address=1, words=[1]), encode_response(Response(4, 16, address=1, count=2)))
    with pytest.raises(Garbled):
        hold(write_register(Rtu(), unit=4, address=1, word=1), encode_response(Response(4, 6, (2,), 1)))
    with pytest.raises(ValueError, match="broadcast"):
        hold(write_register(Rtu(), unit=0, address=1, word=1))


def test_the_identification_comes_as_it_is() -> None:
    said = b"\x02\xffABC"
    assert hold(report_slave_id(Rtu(), unit=4), encode_response(Response(4, 17, data=said)))[0] == said


def reply(transaction: int, *words: int, unit: int = 4) -> bytes:
    return tcp_frame(transaction, unit, bytes((4, 2 * len(words))) + b"".join(w.to_bytes(2, "big") for w in words))


def test_tcp_late_answers_are_dropped_even_when_they_were_cut() -> None:
    tcp = Tcp()
    late = reply(1, 1, 1)
    with pytest.raises(Unreachable):
        hold(read(tcp, unit=4, address=0, count=2), late[:5])
    assert hold(read(tcp, unit=4, address=0, count=2), late[5:] + reply(2, 7, 8))[0] == (7, 8)


def test_tcp_answers_of_a_strange_unit_or_protocol() -> None:
    assert hold(read(Tcp(), unit=4, address=0, count=1), reply(1, 7, unit=255))[0] == (7,)
    with pytest.raises(Garbled, match="unit 9"):
        hold(read(Tcp(), unit=4, address=0, count=1), reply(1, 7, unit=9))
    with pytest.raises(Garbled, match="not Modbus TCP"):
        hold(read(Tcp(), unit=4, address=0, count=1), b"HTTP/1.1 400 Bad Request\r\n")
    with pytest.raises(Refused):
        hold(read(Tcp(), unit=4, address=0, count=1), tcp_frame(1, 4, b"\x84\x02"))
