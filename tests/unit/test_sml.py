"""SML, judged by smllib, which shares no code with us."""

from __future__ import annotations

from pathlib import Path

import pytest
from smllib import SmlStreamReader
from smllib.errors import CrcError

from wattbook.codecs.obis import DataSet
from wattbook.codecs.sml import SmlDecoder, encode_telegram
from wattbook.codecs.sml_encode import frame
from wattbook.codecs.sml_parse import SmlError, find_layout
from wattbook.codecs.telegram import Damage, Telegram
from wattbook.profiles.profile import SmlSettings

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "telegrams" / "sml-hex"
OWN = Path(__file__).parents[1] / "captures" / "sml"
SERVER_ID = bytes.fromhex("0a0154535400000f4240")
DATA = (
    DataSet("1-0:1.8.0*255", "5430157.7", "Wh", "1c0104"),
    DataSet("1-0:2.8.0*255", "123456789012.3", "Wh"),
    DataSet("1-0:16.7.0*255", "-458.90", "W"),
    DataSet("1-0:96.1.0*255", SERVER_ID.hex()),
    DataSet("1-0:96.50.1*1", "TST"),
)


@pytest.mark.parametrize("crc", ["x25", "kermit"])
def test_smllib_reads_what_we_write(crc: str) -> None:
    reader = SmlStreamReader(crc=crc)
    reader.add(encode_telegram(SERVER_ID, DATA, counter=7, sensor_time_s=4096, crc=crc))  # type: ignore[arg-type]
    _, values, _ = reader.get_frame().parse_frame()
    assert values.message_body.server_id == SERVER_ID.hex()
    assert [
        (str(entry.obis), entry.value, entry.scaler, entry.unit, entry.status) for entry in values.message_body.val_list
    ] == [
        ("0100010800ff", 54301577, -1, 30, 0x1C0104),
        ("0100020800ff", 1234567890123, -1, 30, None),
        ("0100100700ff", -45890, -2, 27, None),
        ("0100600100ff", SERVER_ID.hex(), None, None, None),
        ("010060320101", "TST", None, None, None),
    ]


def test_what_is_written_is_read() -> None:
    (telegram,) = SmlDecoder().feed(encode_telegram(SERVER_ID, DATA))
    assert isinstance(telegram, Telegram)
    assert (telegram.data_sets, telegram.maker, telegram.serial) == (DATA, "TST", "1TST0001000000")
    assert telegram.server_id == SERVER_ID.hex()


def _captures() -> list[Path]:
    return sorted([*OWN.glob("*.hex"), *SHARED.glob("*.hex")])


@pytest.mark.parametrize("path", _captures(), ids=lambda path: path.stem)
def test_we_agree_with_smllib(path: Path) -> None:
    data = bytes.fromhex(path.read_text())
    ours = [item for item in SmlDecoder().feed(data) if isinstance(item, Telegram)]
    theirs = _smllib(data)
    assert len(theirs) == len(ours)
    for telegram, entries in zip(ours, theirs, strict=True):
        numbers = [_number(data_set) for data_set in telegram.data_sets if data_set.unit]
        assert entries is None or numbers == entries


def _number(data_set: DataSet) -> float | None:
    return float(data_set.text) if data_set.text else None


def _smllib(data: bytes) -> list[list[float] | None]:
    """Values with a unit of every frame; None for a frame whose content it refuses."""
    reader, frames = SmlStreamReader(), []
    reader.add(data)
    for _ in range(len(data)):
        try:
            found = reader.get_frame()
        except CrcError:
            continue
        if found is None:
            return frames
        try:
            entries = [
                entry for message in found.parse_frame() for entry in getattr(message.message_body, "val_list", ())
            ]
            frames.append([entry.get_value() for entry in entries if entry.unit])
        except ValueError:
            frames.append(None)
    raise AssertionError("smllib does not come to an end")


def test_a_telegram_with_another_check_is_damage() -> None:
    kermit = encode_telegram(SERVER_ID, DATA, crc="kermit")
    (damage,) = SmlDecoder().feed(kermit)
    assert isinstance(damage, Damage)
    assert "CRC" in damage.message
    (telegram,) = SmlDecoder(SmlSettings(crc="kermit")).feed(kermit)
    assert isinstance(telegram, Telegram)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("7605", "does not fit"),
        ("76", "end inside"),
        ("62", "no list"),
        ("75", "5 fields"),
        ("760101017263", "end inside|does not fit"),
        ("76010101726307017100", "1 fields"),
        ("76010101726307017701010101710101", "no list"),
        ("76" + "71" * 20, "nested"),
        ("760101017263070177010101017177070100010800ff0101621e5264520101" + "01" * 4, "scaler of 100"),
        ("f1", "end inside"),
        ("76" + "6a" + "00" * 9, "number of 9 bytes"),
        ("76ffffffff0f", "length"),
        ("76330000", "type 0x30"),
    ],
)
def test_a_right_check_over_a_wrong_content_is_damage(body: str, message: str) -> None:
    with pytest.raises(SmlError, match=message):
        find_layout(bytes.fromhex(body), frozenset())
    (damage,) = SmlDecoder().feed(frame(bytes.fromhex(body)))
    assert isinstance(damage, Damage)


def test_a_word_of_bits_has_no_scale() -> None:
    body = bytes.fromhex("7601010172630701770101010171" + "77070100616100ff0101621e52646203" + "01" * 4 + "00")
    (error_word,) = find_layout(body, frozenset()).data_sets(body)
    assert error_word == DataSet("1-0:97.97.0*255", "3", "Wh")


def test_a_frame_without_values_is_neither_reading_nor_damage() -> None:
    decoder = SmlDecoder()
    assert decoder.feed(frame(b"")) == []
    assert decoder.close() == []


def test_long_lists_and_texts() -> None:
    many = [DataSet(f"1-0:{number}.8.0*255", f"{number}.5", "Wh") for number in range(1, 100)]
    long = [DataSet("1-0:96.5.0*255", "ab" * 200)]
    for data_sets in (many, long):
        (telegram,) = SmlDecoder().feed(encode_telegram(SERVER_ID, data_sets))
        assert isinstance(telegram, Telegram)
        assert telegram.data_sets == tuple(data_sets)


@pytest.mark.parametrize(
    "data_set", [DataSet("nonsense", "1", "Wh"), DataSet("1.8.0", "1", "furlong"), DataSet("96.1.0", "ab" * 300)]
)
def test_what_sml_cannot_write(data_set: DataSet) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode_telegram(SERVER_ID, [data_set])
