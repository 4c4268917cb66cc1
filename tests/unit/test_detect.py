"""`wattbook decode`: which format, which wrapping, what of the rest."""

from __future__ import annotations

import tracemalloc

import pytest

from wattbook.codecs import dsmr, sml
from wattbook.codecs.detect import CAPTURE_SIZE_MAX, Decoded, decode
from wattbook.codecs.iec62056_21 import encode_block, encode_identification
from wattbook.codecs.obis import DataSet
from wattbook.codecs.telegram import Damage
from wattbook.model import ConfigError
from wattbook.profiles import Library

DATA = (DataSet("1.8.0", "000004.4", "kWh"), DataSet("C.1.0", "20300400"))
SML = sml.encode_telegram(b"0123456789", [DataSet("1.8.0", "4400", "Wh")])
IEC = encode_identification("LGZ4TEST.M01") + encode_block(DATA)
P1 = dsmr.encode_telegram("TST5TEST", DATA)
PUSH = dsmr.encode_telegram("TST5TEST", DATA, crc=False)


def _values(data: bytes, **options: object) -> list[dict[str, float] | str]:
    heard = decode(data, **options)  # type: ignore[arg-type]
    return [dict(item.measured.values) if isinstance(item, Decoded) else item.message for item in heard]


@pytest.mark.parametrize("fragment", [b"/LGZ4TEST\r\n\r\nC.1.0(20300400)\r\n", b"0.0.0(12345678)\r\n"])
def test_a_fragment_that_tells_nothing_is_an_error(fragment: bytes) -> None:
    (item,) = decode(fragment)
    assert isinstance(item, Damage)
    assert item.message.startswith("incomplete: no end")
    assert isinstance(decode(fragment + b"1.8.0(01.5*kWh)\r\n")[0], Decoded)


@pytest.mark.parametrize("data", [SML, IEC, P1, PUSH], ids=["sml", "iec", "p1", "push"])
def test_the_format_is_seen(data: bytes) -> None:
    assert _values(data) == [{"active_energy_import": 4400}]
    assert _values(data + data) == [{"active_energy_import": 4400}] * 2


@pytest.mark.parametrize("data", [SML, IEC, P1], ids=["sml", "iec", "p1"])
@pytest.mark.parametrize("wrap", ["{}", "{}\n", "# a note\n> {}\n", "  {}", "{} # end"])
def test_hexadecimal_in_any_dress(data: bytes, wrap: str) -> None:
    for digits in (data.hex(), data.hex(" "), data.hex().upper(), data.hex("\n", 16), data.hex(":")):
        assert _values(wrap.format(digits).encode()) == [{"active_energy_import": 4400}]
    assert _values(" ".join(f"0x{byte:02x}" for byte in data).encode()) == [{"active_energy_import": 4400}]


def test_hexadecimal_digits_take_little_memory() -> None:
    digits = (b"\0" * 100_000 + SML).hex(" ").encode()
    tracemalloc.start()
    assert _values(digits, format="sml") == [{"active_energy_import": 4400}]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10 * len(digits)


def test_the_format_can_be_told() -> None:
    assert _values(IEC, format="iec") == _values(P1, format="dsmr") == _values(SML, format="sml")
    assert _values(PUSH, format="iec") == [{"active_energy_import": 4400}]
    assert _values(IEC, format="sml") == ["no telegram found"]


def test_a_profile_decides_about_checks() -> None:
    library = Library()
    (item,) = _values(PUSH, profile=library.get("dsmr"))
    assert "no CRC" in str(item)
    unfinished = IEC[: IEC.index(b"!") + 3]
    assert _values(unfinished, profile=library.get("zpa-two-tariff")) == [{"active_energy_import": 4400}]
    (item,) = _values(unfinished, profile=library.get("iec62056-21"))
    assert "missing" in str(item)


@pytest.mark.parametrize("data", [b"", b"  \r\n", b"hello, world", b"# only a note"])
def test_what_is_nothing(data: bytes) -> None:
    with pytest.raises(ConfigError):
        decode(data)


def test_too_much() -> None:
    with pytest.raises(ConfigError, match="cut it"):
        decode(bytes(CAPTURE_SIZE_MAX + 1))


def test_damage_stands_where_it_came() -> None:
    damaged = SML[:60] + b"\x55" + SML[61:]
    first, second, third = decode(SML + damaged + SML)
    assert isinstance(first, Decoded)
    assert isinstance(second, Damage)
    assert isinstance(third, Decoded)
    assert (first.offset, second.offset, third.offset) == (0, len(SML), 2 * len(SML))


def test_a_readout_cut_by_the_end_of_the_file() -> None:
    assert _values(IEC + IEC[:40]) == [{"active_energy_import": 4400}]
    (item,) = _values(IEC[:40])
    assert "stops after" in str(item)
    damaged_end = IEC[:-2] + b"\x55" + IEC[-1:]
    assert [type(item) for item in decode(IEC + damaged_end)] == [Decoded, Damage]


def test_an_identification_alone() -> None:
    assert _values(b"/?!\r\n" + IEC[: IEC.index(b"\x02")], format="iec") == ["an identification and no data"]


def test_a_number_too_large_is_damage() -> None:
    (item,) = decode(dsmr.encode_telegram("TST5TEST", [DataSet("1.8.0", "9" * 20, "Wh")]))
    assert isinstance(item, Damage)
    assert "more digits" in item.message
