"""Laws of everything that makes telegrams out of bytes: cuts do not matter, a damaged byte never becomes a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattbook.codecs import dsmr, sml
from wattbook.codecs.conversation import Conversation, Receive, Send, SetBaud, Step, T
from wattbook.codecs.iec62056_21 import encode_block, encode_identification, read_out
from wattbook.codecs.iec_block import ACK, NAK, block_check
from wattbook.codecs.obis import DataSet
from wattbook.codecs.sml_encode import frame
from wattbook.codecs.telegram import Damage, Decoder, Heard, Telegram
from wattbook.model import MeterError
from wattbook.profiles.profile import IecSettings, SmlSettings

CAPTURES = Path(__file__).parents[1] / "captures" / "sml"
SERVER_ID = bytes.fromhex("0a0154535400000f4240")
DATA = (
    DataSet("1-0:1.8.0*255", "5430157.7", "Wh"),
    DataSet("1-0:16.7.0*255", "-458.90", "W"),
    DataSet("1-0:96.1.0*255", SERVER_ID.hex()),
)
PAIRS = tuple(DataSet(f"1-0:{code}.8.{tariff}*255", "01.5", "kWh") for code in (1, 2) for tariff in (0, 1, 2))
TWO = (encode_identification("LGZ4TEST.M01"), encode_block((DataSet("1.8.0", "0013345.679", "kWh"), *PAIRS)))

DECODERS: dict[str, tuple[Callable[[], Decoder], bytes]] = {
    "sml": (sml.SmlDecoder, sml.encode_telegram(SERVER_ID, DATA)),
    "sml with a doubled escape": (
        sml.SmlDecoder,
        sml.encode_telegram(SERVER_ID, [DataSet("1-0:96.5.0*255", "1b" * 9 + "1a" + "1b" * 5)]),
    ),
    "sml kermit": (
        lambda: sml.SmlDecoder(SmlSettings(crc="kermit")),
        sml.encode_telegram(SERVER_ID, DATA, crc="kermit"),
    ),
    "dsmr 5": (dsmr.DsmrDecoder, dsmr.encode_telegram("TST5\\2TEST-1000", DATA)),
    "dsmr 2": (lambda: dsmr.DsmrDecoder("optional"), dsmr.encode_telegram("TST5\\2TEST-1000", DATA, crc=False)),
}
CHECKED = [name for name in DECODERS if name != "dsmr 2"]


def _decode(decoder: Decoder, pieces: list[bytes]) -> list[Heard]:
    return [heard for piece in pieces for heard in decoder.feed(piece)] + decoder.close()


def _cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


@pytest.mark.parametrize("name", DECODERS)
@given(data=st.data())
def test_any_cutting_gives_the_same(name: str, data: st.DataObject) -> None:
    make, telegram = DECODERS[name]
    noise = st.one_of(st.binary(max_size=40), st.sampled_from([telegram[:70], telegram[70:], b"\x1b" * 6, b"\n/", b""]))
    parts = data.draw(st.lists(st.one_of(st.just(telegram), noise), max_size=6))
    stream = b"".join(parts)
    whole = _decode(make(), [stream])
    assert _decode(make(), _cut(stream, data.draw(st.lists(st.integers(0, 10_000), max_size=12)))) == whole
    assert _decode(make(), [stream[at : at + 1] for at in range(len(stream))]) == whole


@pytest.mark.parametrize("name", DECODERS)
def test_telegrams_in_a_row_are_all_heard(name: str) -> None:
    make, telegram = DECODERS[name]
    heard = _decode(make(), [telegram[50:] + telegram * 5 + telegram[:60]])
    assert [type(item) for item in heard] == [Telegram] * 5
    assert [item.offset for item in heard] == [len(telegram) - 50 + len(telegram) * n for n in range(5)]


@pytest.mark.parametrize("name", CHECKED)
@pytest.mark.parametrize("flip", [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF, 0x1B, 0x03])
def test_any_damaged_byte_is_counted_and_never_a_value(name: str, flip: int) -> None:
    make, telegram = DECODERS[name]
    (right,) = _decode(make(), [telegram])
    assert isinstance(right, Telegram)
    for at in range(len(telegram)):
        damaged = telegram[:at] + bytes([telegram[at] ^ flip]) + telegram[at + 1 :]
        for stream, good in ((damaged, 0), (telegram + damaged + telegram, 2), (damaged + telegram, 1)):
            heard = _decode(make(), [stream])
            assert [item.data_sets for item in heard if isinstance(item, Telegram)] == [right.data_sets] * good, at
            assert any(isinstance(item, Damage) for item in heard), at


SIZED: dict[str, tuple[Callable[[], Decoder], Callable[[Sequence[DataSet]], bytes]]] = {
    "sml": (sml.SmlDecoder, lambda rows: sml.encode_telegram(SERVER_ID, rows)),
    "dsmr 5": (dsmr.DsmrDecoder, lambda rows: dsmr.encode_telegram("TST5\\2TEST-1000", rows)),
}


@pytest.mark.parametrize("name", SIZED)
@given(data=st.data())
def test_a_damaged_byte_is_counted_whatever_is_beside_the_telegram(name: str, data: st.DataObject) -> None:
    make, encode = SIZED[name]
    size = st.integers(1, 12)
    telegrams = [encode([DATA[0]] * data.draw(size)) for _ in range(data.draw(st.integers(2, 4)))]
    place = data.draw(st.integers(0, len(telegrams) - 1))
    telegram = telegrams[place]
    edges = st.sampled_from([*range(10), *range(len(telegram) - 10, len(telegram))])
    at = data.draw(st.one_of(edges, st.integers(0, len(telegram) - 1)))
    byte = data.draw(st.sampled_from([telegram[at] ^ flip for flip in (1, 2, 4, 8, 16, 32, 64, 128, 255)]))
    damaged = telegram[:at] + bytes([byte]) + telegram[at + 1 :]
    whole = _decode(make(), [b"".join(telegrams)])
    heard = _decode(make(), [b"".join([*telegrams[:place], damaged, *telegrams[place + 1 :]])])
    assert [item for item in heard if isinstance(item, Telegram)] == [*whole[:place], *whole[place + 1 :]]
    assert any(isinstance(item, Damage) for item in heard)


@pytest.mark.parametrize("name", DECODERS)
@given(junk=st.binary(max_size=300))
def test_after_any_junk_the_next_but_one_is_heard(name: str, junk: bytes) -> None:
    make, telegram = DECODERS[name]
    good = [item for item in _decode(make(), [junk + telegram * 2]) if isinstance(item, Telegram)]
    assert good
    assert good[-1].offset == len(junk) + len(telegram)


def _sml_body(telegram: bytes) -> bytes:
    return telegram[8 : -8 - telegram[-3]]


SML_BODIES = [
    _sml_body(bytes.fromhex((CAPTURES / name).read_text())) for name in ("signed_power.hex", "sign_fault.hex")
]
SML_BODIES.append(_sml_body(sml.encode_telegram(SERVER_ID, DATA, counter=7, sensor_time_s=4096)))
CHANGES = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=3)


@given(st.sampled_from(SML_BODIES), st.lists(CHANGES, min_size=2, max_size=6))
def test_what_came_before_does_not_change_what_a_telegram_says(
    body: bytes, changes: list[list[tuple[int, int]]]
) -> None:
    """Telegrams that differ in a few bytes, wherever: in values, in what is ignored, in how they are laid out."""
    settings = SmlSettings(unsigned_codes=("16.7.0",))
    decoder = sml.SmlDecoder(settings)
    for change in changes:
        changed = bytearray(body)
        for place, byte in change:
            changed[place % len(body)] = byte
        (said,), (alone,) = (
            [_without_offset(heard) for heard in each.feed(frame(bytes(changed)))] or [None]
            for each in (decoder, sml.SmlDecoder(settings))
        )
        assert said == alone


def _without_offset(heard: Heard) -> Heard:
    return replace(heard, offset=0)


@pytest.mark.parametrize("make", [sml.SmlDecoder, dsmr.DsmrDecoder])
@pytest.mark.parametrize("start", [b"", b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01", b"/TST5TEST\r\n\r\n1-0:1.8.0("])
def test_endless_noise_is_bounded_and_told(make: type[sml.SmlDecoder] | type[dsmr.DsmrDecoder], start: bytes) -> None:
    decoder = make()
    heard = decoder.feed(start)
    for _ in range(300):
        heard += decoder.feed(bytes(range(0x80, 0xC0)) * 16)
    assert sys_size(decoder) < 200_000
    assert len(heard) >= 20
    assert all(isinstance(item, Damage) for item in heard)


def sys_size(decoder: sml.SmlDecoder | dsmr.DsmrDecoder) -> int:
    """Bytes the decoder holds on to."""
    return sum(len(value) for value in vars(decoder).values() if isinstance(value, (bytes, bytearray)))


def play(conversation: Conversation[T], answers: list[bytes]) -> T:
    """A player whose line says these answers, one to each Receive; nothing more after them."""
    rest = iter(answers)
    try:
        step = next(conversation)
        while True:
            step = conversation.send(next(rest, b"") if isinstance(step, Receive) else b"")
    except StopIteration as end:
        result: T = end.value
        return result


class Trickle:
    """A player that hears a byte stream in given pieces and stops when nothing is missing."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = iter(pieces)

    def play(self, conversation: Conversation[T]) -> T:
        try:
            step = next(conversation)
            while True:
                step = conversation.send(self._hear(step) if isinstance(step, Receive) else b"")
        except StopIteration as end:
            result: T = end.value
            return result

    def _hear(self, step: Receive) -> bytes:
        heard = b""
        while step.missing(heard) > 0 and (piece := next(self._pieces, None)) is not None:
            heard += piece
        return heard


@given(st.lists(st.integers(0, 1000), max_size=12))
def test_any_cutting_of_a_readout_gives_the_same(cuts: list[int]) -> None:
    stream = b"".join(TWO)
    telegram = Trickle(_cut(stream, cuts)).play(read_out(IecSettings(mode="A")))
    assert telegram.data_sets == play(read_out(IecSettings()), list(TWO)).data_sets
    assert telegram == Trickle([bytes([byte]) for byte in stream]).play(read_out(IecSettings(mode="A")))


@pytest.mark.parametrize("flip", [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x7F, 0x03])
def test_a_damaged_readout_is_never_a_value(flip: int) -> None:
    line, block = TWO
    for at in range(len(block)):
        damaged = block[:at] + bytes([block[at] ^ flip]) + block[at + 1 :]
        with pytest.raises(MeterError):
            play(read_out(IecSettings()), [line, damaged])


def test_every_character_that_becomes_an_end_is_noticed() -> None:
    line, block = TWO
    for end in (b"\x03", b"\x04", b"\x02", ACK):
        for at in range(1, len(block)):
            if block[at : at + 1] != end:
                with pytest.raises(MeterError):
                    play(read_out(IecSettings()), [line, block[:at] + end + block[at + 1 :]])


class Onward:
    """A player on a line that goes on sending whatever we do: the meter hears nothing while it speaks."""

    def __init__(self, identification: bytes, stream: bytes, *, repeats: bool) -> None:
        self._there, self._stream, self._repeats = identification, stream, repeats
        self.nak = 0

    def play(self, conversation: Conversation[T]) -> T:
        try:
            step = next(conversation)
            while True:
                step = conversation.send(self._carry_out(step))
        except StopIteration as end:
            result: T = end.value
            return result

    def _carry_out(self, step: Step) -> bytes:
        if isinstance(step, Send) and step.data.startswith(ACK + b"0"):
            self._there = self._stream
        elif isinstance(step, Send) and step.data == NAK:
            self.nak += 1
            self._there += self._stream * self._repeats
        elif isinstance(step, Receive):
            size = 0
            while step.missing(self._there[:size]) > 0 and size < len(self._there):
                size += 1
            heard, self._there = self._there[:size], self._there[size:]
            return heard
        return b""


@pytest.mark.parametrize("check", ["required", "optional"])
@pytest.mark.parametrize("end", [b"\r\n", b"\n\n"])
@given(data=st.data())
def test_a_damaged_byte_of_a_checked_readout_never_gives_other_values(
    check: Literal["required", "optional"], end: bytes, data: st.DataObject
) -> None:
    line, _ = TWO
    rows = data.draw(st.lists(st.sampled_from([*PAIRS, *DATA[:2], DataSet("21.7.0", "00.2", "kW")]), min_size=1))
    body = encode_block(rows)[1:-1].replace(b"\r\n", end)
    block = b"\x02" + body + bytes([block_check(body)])
    right = play(read_out(IecSettings(check=check)), [line, block])
    at = data.draw(st.integers(0, len(block) - 1))
    byte = data.draw(st.sampled_from([*b"\x01\x02\x03\x04\x06\x15\r\n!()*#.:0129/\0", *range(256)]))
    damaged = block[:at] + bytes([byte]) + block[at + 1 :]
    meter = Onward(line, damaged, repeats=data.draw(st.booleans()))
    try:
        telegram = meter.play(read_out(IecSettings(check=check)))
    except MeterError:
        return
    assert telegram.data_sets == right.data_sets
    assert damaged == block or check == "optional"


@pytest.mark.parametrize("check", ["required", "optional"])
def test_a_byte_that_becomes_the_end_of_a_partial_block_gives_no_values(check: Literal["required", "optional"]) -> None:
    line, block = TWO
    for at in range(1, len(block)):
        meter = Onward(line, block[:at] + b"\x04" + block[at + 1 :], repeats=False)
        with pytest.raises(MeterError):
            meter.play(read_out(IecSettings(check=check)))


@given(st.lists(st.binary(max_size=80), max_size=6), st.sampled_from(["A", "B", "C"]), st.booleans())
def test_no_answer_breaks_the_conversation(answers: list[bytes], mode: str, optional: bool) -> None:
    settings = IecSettings(mode=mode, check="optional" if optional else "required")  # type: ignore[arg-type]
    with pytest.raises(MeterError):
        play(read_out(settings), answers)


def test_the_speed_is_reset_first() -> None:
    assert next(read_out(IecSettings(), baud=300)) == SetBaud(300)
