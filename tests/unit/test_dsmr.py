"""P1 telegrams out of a stream, with and without CRC."""

from __future__ import annotations

import pytest

from wattbook.codecs.decoder import make_decoder
from wattbook.codecs.dsmr import DsmrDecoder, encode_telegram
from wattbook.codecs.obis import DataSet
from wattbook.codecs.telegram import Damage, Heard, Telegram
from wattbook.model import ConfigError
from wattbook.profiles import Library

DATA = (
    DataSet("1-0:1.8.1", "000004.426", "kWh"),
    DataSet("0-1:24.2.1", "161129200000W"),
    DataSet("0-1:24.2.1", "1", "m3"),
)
VERSION = DataSet("1-3:0.2.8", "50")
WITH_CRC = encode_telegram("TST5\\2TEST-1000", DATA)
WITHOUT = encode_telegram("TST5\\2TEST-1000", DATA, crc=False)


def _heard(decoder: DsmrDecoder, data: bytes) -> list[Heard]:
    return decoder.feed(data) + decoder.close()


def test_what_is_written_is_read() -> None:
    expected = Telegram(DATA, "TST", "TEST-1000")
    assert _heard(DsmrDecoder(), WITH_CRC) == [expected]
    assert _heard(DsmrDecoder("optional"), WITH_CRC) == [expected]
    assert _heard(DsmrDecoder("optional"), WITHOUT) == [Telegram(DATA, "TST", "TEST-1000", checked=False)]


def _said(heard: list[Heard]) -> str:
    (damage,) = heard
    assert isinstance(damage, Damage)
    return damage.message


def test_a_crc_that_must_be_there() -> None:
    assert "no CRC" in _said(_heard(DsmrDecoder(), WITHOUT))
    promised = encode_telegram("TST5TEST", [VERSION, *DATA], crc=False)
    assert "no CRC" in _said(_heard(DsmrDecoder("optional"), promised))


@pytest.mark.parametrize("end", ["!12345\r\n", "!xyz\r\n", "!b9f\r\n", "! 0B9F\r\n", "!0B9F \r\n", "!!\r\n"])
def test_what_is_no_crc(end: str) -> None:
    data = WITH_CRC[: WITH_CRC.index(b"!")] + end.encode()
    assert "no CRC" in _said(_heard(DsmrDecoder(), data))


def test_a_wrong_crc_is_told_with_the_right_one() -> None:
    right = WITH_CRC[WITH_CRC.index(b"!") + 1 :].strip().decode()
    said = _said(_heard(DsmrDecoder("optional"), WITH_CRC.replace(b"4.426", b"4.427")))
    assert f"CRC {right} does not fit" in said


def test_the_last_line_end_of_a_file_may_be_missing() -> None:
    assert [type(item) for item in _heard(DsmrDecoder(), WITH_CRC.rstrip())] == [Telegram]
    assert [type(item) for item in _heard(DsmrDecoder("optional"), WITHOUT.rstrip())] == [Telegram]


def test_a_telegram_without_an_end() -> None:
    heard = _heard(DsmrDecoder(), WITH_CRC[:60] + b"\r\n" + WITH_CRC)
    assert [type(item) for item in heard] == [Damage, Telegram]
    assert heard[0] == Damage("a telegram without an end", 0)


def test_a_file_that_stops_inside() -> None:
    assert _said(_heard(DsmrDecoder(), WITH_CRC[:60])) == "the input ends inside a telegram"
    assert [type(item) for item in _heard(DsmrDecoder(), WITH_CRC + WITH_CRC[:60])] == [Telegram]


def test_no_telegram_at_all() -> None:
    assert _said(_heard(DsmrDecoder(), b"hello, world")) == "no telegram found"
    assert _heard(DsmrDecoder(), b"") == []


@pytest.mark.parametrize("line", [b"1.8.0(1", b"1.8.0)1(", b"\x05.8.0(1)", b"1.8.0(\xff)"])
def test_without_a_check_the_syntax_is_the_check(line: bytes) -> None:
    data = WITHOUT.replace(b"1-0:1.8.1(000004.426*kWh)", line)
    assert [type(item) for item in _heard(DsmrDecoder("optional"), data)] == [Damage]


def test_values_outside_of_a_telegram_are_damage_even_without_a_check() -> None:
    lost = WITHOUT.replace(b"/", b"?", 1)
    assert [type(item) for item in _heard(DsmrDecoder("optional"), WITHOUT + lost + WITHOUT)] == [
        Telegram,
        Damage,
        Telegram,
    ]


def test_the_decoder_of_a_profile() -> None:
    library = Library()
    assert [type(item) for item in make_decoder(library.get("dsmr")).feed(WITHOUT)] == [Damage]
    assert [type(item) for item in make_decoder(library.get("dsmr-2")).feed(WITHOUT)] == [Telegram]
    assert [type(item) for item in make_decoder(library.get("iec62056-21-push")).feed(WITHOUT)] == [Telegram]
    for profile in library:
        if profile.protocol in ("sml", "dsmr"):
            assert make_decoder(profile).feed(b"") == []
    with pytest.raises(ConfigError, match="has to be asked"):
        make_decoder(library.get("zpa-two-tariff"))
    with pytest.raises(ConfigError, match="has to be asked"):
        make_decoder(library.get("pzem-016"))


@pytest.mark.parametrize(
    ("code", "text", "serial"),
    [
        ("0-0:96.1.1", "4530303030303030303031323334353637", "E0000000001234567"),
        ("0-0:96.1.1", "00000000000000", ""),
        ("0-0:96.1.0", "0a0145535911 03b599a5".replace(" ", ""), "1ESY1162232997"),
        ("C.1.0", "   13647123", "13647123"),
        ("0.0", "C123456", "C123456"),
        ("0-1:96.1.0", "3232323241424344313233343536373839", ""),
        ("0-0:96.1.1", "ADC3100000158491", "ADC3100000158491"),
    ],
)
def test_the_meter_s_own_number(code: str, text: str, serial: str) -> None:
    assert Telegram((DataSet(code, text.strip()),)).serial == serial
