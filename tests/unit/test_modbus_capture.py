"""Modbus captures to values."""

from __future__ import annotations

from wattbook.codecs.detect import Decoded, decode
from wattbook.codecs.modbus import (
    Request,
    Response,
    encode_request,
    encode_response,
    request_pdu,
    response_pdu,
    tcp_frame,
)
from wattbook.codecs.modbus_capture import decode_modbus
from wattbook.codecs.telegram import Damage
from wattbook.profiles import Library

PZEM = Library().get("pzem-016")
# 230.1 V, 1.234 A, 283.9 W, 123456 Wh, 50.0 Hz, power factor 1.00, no alarm
WORDS = (2301, 1234, 0, 2839, 0, 123456 & 0xFFFF, 123456 >> 16, 500, 100, 0)
ASK = Request(4, 4, 0, len(WORDS))
ANSWER = Response(4, 4, WORDS)
RTU = encode_request(ASK) + encode_response(ANSWER)
TCP = tcp_frame(7, 4, request_pdu(ASK)) + tcp_frame(7, 4, response_pdu(ANSWER))


def test_both_sides_of_a_line_or_connection() -> None:
    for raw in (RTU, TCP):
        (item,) = decode(raw, profile=PZEM)
        assert isinstance(item, Decoded)
        assert item.meter == "unit 4"
        expected = {"voltage": 230.1, "current": 1.234, "active_energy_import": 123456.0, "frequency": 50.0}
        assert expected.items() <= item.measured.values.items()
        assert (item.data_sets[0].code, item.data_sets[0].text) == ("4:0x0000", "2301")


def test_every_poll_is_a_reading() -> None:
    assert [type(item) for item in decode_modbus(RTU * 3, PZEM.modbus)] == [type(decode_modbus(RTU)[0])] * 3
    assert len(decode_modbus(TCP * 3, PZEM.modbus)) == 3


def test_an_answer_is_that_of_its_transaction() -> None:
    """Whoever asks on before the answer, or asks again after a late one, has two requests open at once."""
    asks = [Request(4, 4, 0, 1), Request(4, 4, 7, 1)]
    answers = [Response(4, 4, (2301,)), Response(4, 4, (500,))]
    raw = b"".join(tcp_frame(number, 4, request_pdu(ask)) for number, ask in enumerate(asks))
    for order in ((0, 1), (1, 0)):
        answered = b"".join(tcp_frame(number, 4, response_pdu(answers[number])) for number in order)
        (item,) = decode(raw + answered, profile=PZEM)
        assert isinstance(item, Decoded)
        assert item.measured.values == {"voltage": 230.1, "frequency": 50.0}


def test_without_a_model_registers_are_listed() -> None:
    (item,) = decode(RTU.hex(" ").encode(), "modbus")
    assert isinstance(item, Decoded)
    assert item.measured.values == {}
    assert [int(data_set.text) for data_set in item.data_sets] == list(WORDS)


def test_an_answer_alone() -> None:
    (item,) = decode(encode_response(ANSWER), profile=PZEM)
    assert isinstance(item, Decoded)
    assert item.measured.values["voltage"] == 230.1
    (item,) = decode(encode_response(Response(4, 4, (2301, 7))), profile=PZEM)
    assert isinstance(item, Decoded)
    assert item.measured.values == {}


def test_an_exception_and_other_functions() -> None:
    refused = encode_request(ASK) + encode_response(Response(4, 4, exception=2))
    heard = decode(
        refused + encode_request(Request(4, 6, 2, words=(5,))) * 2 + encode_request(Request(4, 17)), "modbus"
    )
    assert heard == [Damage("unit 4 refused: exception 2, illegal data address", 8)]


def test_any_damaged_byte_is_no_value() -> None:
    for at in range(len(RTU)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = RTU[:at] + bytes([RTU[at] ^ flip]) + RTU[at + 1 :]
            heard = decode_modbus(damaged, PZEM.modbus)
            assert any(isinstance(item, Damage) for item in heard)
            if at >= 8:
                assert all(isinstance(item, Damage) for item in heard)


def test_junk_between() -> None:
    heard = decode_modbus(b"\x00\xff" + RTU + b"\x17" + RTU + b"\x01\x04", PZEM.modbus)
    assert [item.offset for item in heard if isinstance(item, Damage)] == [0, 2 + len(RTU), 3 + 2 * len(RTU)]
    assert sum(not isinstance(item, Damage) for item in heard) == 2
