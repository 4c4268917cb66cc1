"""The dialogue through the optical head, step by step, and the frames under it."""

from __future__ import annotations

from typing import Any

import pytest

from wattbook.codecs.conversation import Pause, Receive, Send, SetBaud, Step
from wattbook.codecs.iec62056_21 import encode_block, encode_identification, read_out
from wattbook.codecs.iec_block import ACK, NAK, block_check, missing_of_block, parse_block
from wattbook.codecs.iec_programming import Frame, encode_frame, parse_frame
from wattbook.codecs.iec_text import (
    Identification,
    check_syntax,
    format_data_sets,
    parse_data_sets,
    parse_identification,
)
from wattbook.codecs.obis import DataSet
from wattbook.codecs.telegram import Telegram
from wattbook.model import ConfigError, Garbled, Refused, Unreachable
from wattbook.profiles.profile import IecSettings

DATA = (DataSet("1.8.0", "0013345.679", "kWh"), DataSet("C.1.0", "20300400"))
LINE = encode_identification("LGZ4TEST.M01")
BLOCK = encode_block(DATA)


def talk(settings: IecSettings, *answers: bytes, address: str = "") -> tuple[list[Step], Telegram]:
    """Play a read-out; return what was done besides listening, and the telegram. All answers must be used."""
    done: list[Step] = []
    rest = list(answers)
    conversation = read_out(settings, address)
    try:
        step: Any = next(conversation)
        while True:
            if isinstance(step, Receive):
                step = conversation.send(rest.pop(0))
            else:
                done.append(step)
                step = next(conversation)
    except StopIteration as end:
        assert not rest
        telegram: Telegram = end.value
        return done, telegram


def test_mode_c_agrees_on_the_speed() -> None:
    done, telegram = talk(IecSettings(), LINE, BLOCK)
    assert done == [SetBaud(300), Send(b"/?!\r\n"), Pause(0.2), Send(b"\x06040\r\n"), SetBaud(4800)]
    assert telegram == Telegram(DATA, "LGZ", "TEST.M01")
    assert (telegram.serial, telegram.values()) == ("20300400", {"active_energy_import": 13345679})


def test_a_swift_meter_is_answered_at_once() -> None:
    done, _ = talk(IecSettings(), encode_identification("ISk5MT174-0002"), BLOCK)
    assert done[2:] == [Pause(0.02), Send(b"\x06050\r\n"), SetBaud(9600)]


def test_a_speed_beyond_the_head_is_declined() -> None:
    done, _ = talk(IecSettings(baud_max=300), LINE, BLOCK)
    assert done == [SetBaud(300), Send(b"/?!\r\n"), Pause(0.2), Send(b"\x06000\r\n")]


def test_mode_b_follows_the_meter() -> None:
    done, telegram = talk(IecSettings(mode="B"), encode_identification("LGZETEST"), BLOCK)
    assert done == [SetBaud(300), Send(b"/?!\r\n"), SetBaud(9600)]
    assert telegram.data_sets == DATA


def test_mode_a_stays() -> None:
    done, telegram = talk(IecSettings(mode="A"), LINE, BLOCK)
    assert done == [SetBaud(300), Send(b"/?!\r\n")]
    assert telegram.data_sets == DATA


def test_mode_a_in_one_piece() -> None:
    _, telegram = talk(IecSettings(mode="A"), LINE + BLOCK)
    assert telegram.data_sets == DATA


def test_a_generic_profile_takes_the_mode_from_the_meter() -> None:
    assert talk(IecSettings(), encode_identification("LGZ@TEST"), BLOCK)[0] == [SetBaud(300), Send(b"/?!\r\n")]
    assert talk(IecSettings(), encode_identification("LGZBTEST"), BLOCK)[0][-1] == SetBaud(1200)


def test_address_wake_up_echo_and_garbage() -> None:
    settings = IecSettings(wake_nuls=65)
    echo = b"\x7f\x00/?00123!\r\n\x7f"
    done, telegram = talk(settings, echo + LINE, b"\x06040\r\n\x00" + BLOCK, address="00123")
    assert done[:4] == [SetBaud(300), Send(bytes(65)), Pause(1.6), Send(b"/?00123!\r\n")]
    assert telegram.data_sets == DATA


def test_partial_blocks_are_acknowledged_and_asked_for_again() -> None:
    first = encode_block(DATA[:1], partial=True)
    damaged = first.replace(b"0013345", b"0013346")
    done, telegram = talk(IecSettings(), LINE, damaged, first, encode_block(DATA[1:]))
    assert done[5:] == [Send(NAK), Send(ACK)]
    assert telegram.data_sets == DATA
    with pytest.raises(Garbled, match="block check"):
        talk(IecSettings(), LINE, damaged, damaged, damaged)


def test_blocks_without_an_end_are_bounded() -> None:
    with pytest.raises(Garbled, match="more than 64 blocks"):
        talk(IecSettings(), LINE, *[encode_block(DATA, partial=True)] * 64)


@pytest.mark.parametrize(
    ("answers", "error", "message"),
    [
        ([b""], Unreachable, "no answer"),
        ([b"/?!\r\n"], Unreachable, "no answer"),
        ([b"\x00\x7f\r\n"], Unreachable, "no answer"),
        ([b"\x8b\x10garbage"], Garbled, "no identification"),
        ([bytes(byte | 0x80 * (byte.bit_count() & 1) for byte in LINE)], Garbled, "7 bits, even parity"),
        ([LINE, b""], Unreachable, "sent no data"),
        ([LINE, b"\x06040\r\n"], Garbled, "without the start"),
        ([LINE, BLOCK[:30]], Garbled, "stops after 30 bytes"),
        ([LINE, BLOCK[:-1]], Garbled, "missing"),
        ([LINE, BLOCK[:-1] + b"\x55"], Garbled, "block check 55"),
        ([LINE, BLOCK[1:]], Garbled, "without the start"),
        ([LINE, bytes(byte | 0x80 for byte in BLOCK)], Garbled, "without the start"),
        ([LINE, NAK], Refused, "broke"),
        ([LINE, b"\x01B0\x03q"], Refused, "broke"),
        ([LINE, encode_block([DataSet("", "ER07")])], Refused, "ER07"),
        ([LINE, encode_block([DataSet("", "ERROR")])], Refused, "ERROR"),
    ],
)
def test_what_goes_wrong(answers: list[bytes], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        talk(IecSettings(), *answers)


def test_the_offset_tells_where() -> None:
    with pytest.raises(Garbled) as caught:
        talk(IecSettings(), LINE, b"\x00" + BLOCK[:-1] + b"\x55")
    assert caught.value.offset == len(BLOCK)


@pytest.mark.parametrize("address", ["1" * 33, "a!b", "ä", "a\r\n"])
def test_an_address_that_cannot_be_sent(address: str) -> None:
    with pytest.raises(ConfigError, match="no address"):
        talk(IecSettings(), address=address)


@pytest.mark.parametrize("end", [b"!\r\n\x03", b"!\r\n", b"!"])
def test_a_missing_check_is_accepted_when_the_profile_says_so(end: bytes) -> None:
    text = BLOCK[: BLOCK.index(b"!")] + end
    _, telegram = talk(IecSettings(check="optional"), LINE, text)
    assert (telegram.data_sets, telegram.checked) == (DATA, False)
    _, telegram = talk(IecSettings(check="optional"), LINE, text[1:].replace(b"\x03", b""))
    assert (telegram.data_sets, telegram.checked) == (DATA, False)


def test_a_wrong_check_is_never_accepted() -> None:
    with pytest.raises(Garbled, match="block check"):
        talk(IecSettings(check="optional"), LINE, BLOCK[:-1] + b"\x55")


def test_how_much_is_missing() -> None:
    assert missing_of_block(b"") > 0
    assert missing_of_block(BLOCK[:-2]) == 2
    assert missing_of_block(BLOCK[:-1]) == 1
    assert missing_of_block(BLOCK) == 0
    for size in range(len(BLOCK)):
        assert 0 < missing_of_block(BLOCK[:size]) <= len(BLOCK) - size


def test_the_check_of_a_real_block() -> None:
    # SOH B0 ETX q, the break of the standard
    assert block_check(b"B0\x03") == ord("q")


def test_line_ends_of_a_block() -> None:
    for end in (b"\r\n", b"\n\n", b"\n"):
        body = end.join([b"1.8.0(0013345.679*kWh)", b"C.1.0(20300400)", b"!", b"\x03"])
        block = parse_block(b"\x02" + body + bytes([block_check(body)]), "required")
        assert (block.data_sets, block.checked, block.partial) == (DATA, True, False)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"/LGZ4ZMF100AC.M26\r\n", Identification("LGZ", "4", "", "ZMF100AC.M26")),
        (b"/ISk5\\2MT382-1000\r\n", Identification("ISk", "5", "2", "MT382-1000")),
        (b"/EMH4\\@01LZQJL0014F\r\n", Identification("EMH", "4", "@", "01LZQJL0014F")),
        (b"/ISk5\x02MIE5T-200\r\n", Identification("ISk", "5", "", "\x02MIE5T-200")),
        (b"/NWA-WARMTELINK\n", Identification("NWA", "-", "", "WARMTELINK")),
    ],
)
def test_identifications(line: bytes, expected: Identification) -> None:
    assert parse_identification(line) == expected
    assert expected.encode().rstrip() == line.rstrip()
    assert expected.swift == (expected.maker == "ISk")


@pytest.mark.parametrize("line", [b"", b"/?!\r\n", b"/LG4\r\n", b"/LGZ4TEST", b"LGZ4TEST\r\n", b"/kWh)(1)\r\n"])
def test_what_is_no_identification(line: bytes) -> None:
    with pytest.raises(ValueError, match="no identification"):
        parse_identification(line)


def test_data_sets_of_all_shapes() -> None:
    text = "F.F(00)\r\n\n0.0(     42 )\r\n1.8.1(0035749#kWh)\r\n1.6.0(02.5*kW)(2410091105)\r\n"
    text += "0-1:24.3.0(1)(m3)\r\n(00001.001)\r\n"
    data_sets = parse_data_sets(text)
    assert [(item.code, item.text, item.unit) for item in data_sets] == [
        ("F.F", "00", ""),
        ("0.0", "42", ""),
        ("1.8.1", "0035749", "kWh"),
        ("1.6.0", "02.5", "kW"),
        ("1.6.0", "2410091105", ""),
        ("0-1:24.3.0", "1", ""),
        ("0-1:24.3.0", "m3", ""),
        ("0-1:24.3.0", "00001.001", ""),
    ]
    assert parse_data_sets("\r\n".join(format_data_sets(data_sets))) == data_sets
    assert parse_data_sets("") == ()


@pytest.mark.parametrize("text", ["1.8.0(", "1.8.0)", "1.8.0(1(2)", "1.8.0(1))", "1.8.0(1)\r\n2.8.0(3"])
def test_brackets_that_do_not_fit(text: str) -> None:
    with pytest.raises(ValueError, match="brackets"):
        parse_data_sets(text)


@pytest.mark.parametrize(
    "data_set", [DataSet("", "1"), DataSet("1.8 0", "1"), DataSet("1.8.0", "1\x05"), DataSet("\x021", "1")]
)
def test_what_no_meter_writes(data_set: DataSet) -> None:
    with pytest.raises(ValueError, match="no data set"):
        check_syntax([data_set])


def test_programming_frames() -> None:
    assert encode_frame("R5", "0.9.2()") == b"\x01R5\x020.9.2()\x03\x5c"
    assert encode_frame("B0") == b"\x01B0\x03q"
    assert encode_frame(content="0.9.2(133010)") == b"\x020.9.2(133010)\x03\x39"
    assert parse_frame(encode_frame("P1", "(00000000)")) == Frame("P1", (DataSet("", "00000000"),))
    assert parse_frame(encode_frame(content="0.9.2(133010)")) == Frame("", (DataSet("0.9.2", "133010"),))
    for frame in (b"", b"\x06", encode_frame("B0")[:-1] + b"r", b"\x02(\x03" + bytes([ord("(") ^ 3])):
        with pytest.raises(Garbled):
            parse_frame(frame)
