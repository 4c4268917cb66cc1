"""CIRBUS captures to values."""

from __future__ import annotations

import pytest

from cirbus_line import CVMK, frame
from wattbook.codecs.cirbus_capture import CirbusReading, decode_cirbus
from wattbook.codecs.detect import Decoded, decode
from wattbook.codecs.telegram import Damage
from wattbook.model import ConfigError
from wattbook.profiles import Library

PROFILE = Library().get("cvmk")


def exchange(code: str, data: str, address: str = "00") -> bytes:
    return frame(f"${address}{code}") + frame(f"${address}{data}")


POLL = b"".join(exchange(code, data) for code, data in CVMK.items())


def test_without_a_model_answers_are_listed() -> None:
    (item,) = decode(POLL)  # found out by its frames
    assert isinstance(item, Decoded)
    assert (item.meter, item.measured.values) == ("00", {})
    assert {data_set.code: data_set.text for data_set in item.data_sets} == CVMK


def test_every_poll_is_a_reading_of_its_meter() -> None:
    other = b"".join(exchange(code, data, "07") for code, data in CVMK.items())
    heard = decode(POLL + POLL + other + POLL, profile=PROFILE)
    assert [item.meter for item in heard if isinstance(item, Decoded)] == ["00", "00", "07", "00"]
    assert len(heard) == 4


def test_an_echo_says_nothing_new() -> None:
    echoed = b"".join(frame(f"$00{code}") * 2 + frame(f"$00{data}") for code, data in CVMK.items())
    (item,) = decode(echoed, profile=PROFILE)
    assert isinstance(item, Decoded) and len(item.measured.values) == 31


def test_other_commands_and_silence_add_nothing() -> None:
    extra = exchange("VER", "CVMK 1.3") + exchange("WCL21/11/2026 01:02:03", "ACK") + frame("$09RVI") + frame("$00RVI")
    (item,) = decode(extra + exchange("RWH", CVMK["RWH"]), profile=PROFILE)
    assert isinstance(item, Decoded)
    assert item.measured.values == {"active_energy_import": 12345678.0, "active_energy_export": 42.0}


@pytest.mark.parametrize(
    ("raw", "damages"),
    [
        (frame("$00000000231000000229000000230"), ["an answer of 00 to a command that was not heard"]),
        (frame("$01RVI") + frame("$00000000231000000229000000230"), ["of 00 to a command that was not heard"]),
        (exchange("RVI", "ERR"), ["RVI was answered with 3 characters: 'ERR'"]),
        (exchange("RVI", "00000023100000022900000x230"), ["which is no number"]),
        (exchange("RVI", CVMK["RVI"])[:-5], ["no end of the answer"]),
        (exchange("RWH", "012345678") + b"0042A0\n", ["goes on after its end", "noise instead of an answer"]),
        (b"hello\n", ["noise instead of an answer"]),
        (exchange("RVI", CVMK["RVI"]).lower(), ["wrong check", "not heard"]),
    ],
)
def test_what_is_no_answer_is_damage(raw: bytes, damages: list[str]) -> None:
    heard = decode_cirbus(raw, PROFILE.cirbus)
    assert not [item for item in heard if isinstance(item, CirbusReading) and item.measured.values]
    said = [item.message for item in heard if isinstance(item, Damage)]
    assert len(said) == len(damages)
    assert all(part in message for part, message in zip(damages, said, strict=True))


def test_a_capture_joined_midway_is_still_found_out() -> None:
    heard = decode(POLL[5:])
    assert [type(item) for item in heard] == [Damage, Damage, Decoded]
    with pytest.raises(ConfigError, match="modbus or cirbus"):
        decode(b"$ money for nothing\n")
