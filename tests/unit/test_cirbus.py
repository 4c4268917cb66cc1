"""CIRBUS frames and the conversation with a meter."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cirbus_line import CVMK, frame, meter, play
from wattbook.codecs.cirbus import encode_frame, parse_fields, parse_frame, read_out, write
from wattbook.model import Garbled, Refused, Unreachable
from wattbook.profiles import CirbusAsk, CirbusSettings, Library, Scale

PROFILE = Library().get("cvmk").cirbus
assert PROFILE is not None
VOLTAGE = CirbusAsk("RVI", ("voltage_l1", "voltage_l2", "voltage_l3", ""), Scale(), fields_min=3)
ONE = CirbusSettings((VOLTAGE,))
THREE = "000000231000000229000000230"


def test_the_example_of_the_manual() -> None:
    assert encode_frame(0, b"RVI") == b"$00RVI75\n"
    assert parse_frame(b"$00RVI75\n") == (0, b"RVI")
    assert encode_frame(7, b"RVm")[:6] == b"$07RVm"  # a minimum: never upper case


@pytest.mark.parametrize("address", [-1, 100])
def test_an_address_has_two_digits(address: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 99"):
        encode_frame(address, b"RVI")


@pytest.mark.parametrize(
    "bad",
    [b"", b"$00RVI76\n", b"$00RVI75", b"$00RVI75\r\n", b"$0ARVI86\n", b"$00rvi75\n", b"$0075\n", b"00RVI75\n",
     b"$00RVI75\n$00RVI75\n", b"$00$RVI99\n", encode_frame(0, b"KK").lower()],
)  # fmt: skip
def test_what_is_no_frame(bad: bytes) -> None:
    with pytest.raises(Garbled):
        parse_frame(bad)


def test_a_whole_meter_is_read() -> None:
    measured = play(read_out(PROFILE, 0, 0.5), meter(CVMK))
    expected = {
        "frequency": 49.9, "voltage_l1": 231.0, "voltage_l3": 230.0, "voltage_l31": 399.0, "current_l1": 10.07,
        "current_l3": 1.25, "active_power_l2": 110.0, "active_power": 2700.0, "reactive_power_l1_q1": 400.0,
        "reactive_power_q4": 5.0, "power_factor_l3": 1.0, "power_factor": 0.98, "active_energy_import": 12345678.0,
        "active_energy_export": 42.0, "reactive_energy_q1": 765432.0, "reactive_energy_q4": 1001.0,
    }  # fmt: skip
    assert expected.items() <= measured.values.items()
    assert "reactive_energy_q3" not in measured.values  # this meter did not tell it


@pytest.mark.parametrize(("data", "count"), [(THREE, 3), (THREE + "000000230", 3)])
def test_three_or_four_fields(data: str, count: int) -> None:
    assert len(play(read_out(ONE, 0, 0.5), meter({"RVI": data})).values) == count


def test_minima_are_their_own_commands() -> None:
    settings = CirbusSettings((CirbusAsk("RVm", ("voltage_l1_min",), Scale()),))
    assert play(read_out(settings, 3, 0.5), meter({"RVm": "000000207"}, "03")).values == {"voltage_l1_min": 207.0}


@pytest.mark.parametrize(
    ("field", "value"), [("-00000123", -123.0), ("+00000123", 123.0), ("-00000000", 0.0), ("999999999", 999999999.0)]
)
def test_a_sign_may_stand_in_place_of_a_digit(field: str, value: float) -> None:
    assert parse_fields(CirbusAsk("RPI", ("active_power",), Scale()), field.encode()) == {"active_power": value}


@pytest.mark.parametrize("field", ["        5", "00000.123", "0000-0123", "--0000123", "00000012-", "ERROR    ", "-"])
def test_what_is_no_number_is_garbled(field: str) -> None:
    with pytest.raises(Garbled, match="RPI"):
        parse_fields(CirbusAsk("RPI", ("active_power",), Scale()), field.encode())


@pytest.mark.parametrize("digits", ["", "-", "+"])
def test_a_field_of_one_character_is_a_digit(digits: str) -> None:
    with pytest.raises(Garbled):
        parse_fields(CirbusAsk("RPI", ("active_power",), Scale(), digits=1), digits.encode())


def _with(change: Callable[[bytes, bytes], bytes]) -> Callable[[bytes], bytes]:
    """A line that does something to what the meter answers to RVI."""
    good = meter({"RVI": THREE})
    return lambda sent: change(sent, good(sent))


@pytest.mark.parametrize("chunk", [1, 9, 1000])
@pytest.mark.parametrize(
    "change",
    [
        lambda sent, answer: sent + answer,  # the adapter gives back what it sends
        lambda sent, answer: b"\x00\xff\n" + answer,  # a glitch
    ],
)
def test_an_echo_or_a_glitch_costs_nothing(change: Callable[[bytes, bytes], bytes], chunk: int) -> None:
    values = play(read_out(ONE, 0, 0.5), _with(change), iter(lambda: chunk, 0)).values
    assert values["voltage_l1"] == 231.0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda sent, answer: frame(f"$01{THREE}"), "address 01 answered for 00"),
        (lambda sent, answer: frame("$00ERR"), "answered with 3 characters: 'ERR'"),
        (lambda sent, answer: b"\x00\x01\x02\x03" + answer, "noise instead of an answer"),
        (lambda sent, answer: answer + b"00", "goes on after its end"),
        (lambda sent, answer: answer[:-1], "no end of the answer in its 32 bytes"),
        (lambda sent, answer: answer[:-1] + b"\r\n", "no CIRBUS frame"),
        (lambda sent, answer: b"\xff" * 1000, "noise instead of an answer"),
        (lambda sent, answer: b"$" * 1000, "no end of the answer"),
    ],
)
def test_what_is_no_answer_is_garbled(change: Callable[[bytes, bytes], bytes], says: str) -> None:
    with pytest.raises(Garbled, match=says):
        play(read_out(ONE, 0, 0.5), _with(change))


@pytest.mark.parametrize("change", [lambda sent, answer: b"", lambda sent, answer: sent])
def test_silence_names_the_command(change: Callable[[bytes, bytes], bytes]) -> None:
    with pytest.raises(Unreachable, match="no answer to RVI"):
        play(read_out(ONE, 0, 0.5), _with(change))


def test_an_answer_that_comes_one_command_late_is_noticed() -> None:
    late = [frame(f"$00{CVMK['RPI']}")]  # of the poll before, which gave up waiting

    def line(sent: bytes) -> bytes:
        late.append(meter(CVMK)(sent))
        return late.pop(0)

    with pytest.raises(Garbled, match="no end of the answer in its 9 bytes"):
        play(read_out(PROFILE, 0, 0.5), line)
    with pytest.raises(Garbled, match="RVI was answered with 3 characters"):  # RHI's own, late
        play(read_out(PROFILE, 0, 0.5), line)


def test_a_write_is_confirmed() -> None:
    good = meter({"WCL21/11/2026 01:02:03": "ACK", "CMDX0": "NAK"})
    play(write(0, b"WCL21/11/2026 01:02:03", 0.5), good)
    with pytest.raises(Refused, match="'CMDX0' was answered with 'NAK', not with ACK"):
        play(write(0, b"CMDX0", 0.5), good)
    with pytest.raises(Unreachable):
        play(write(0, b"WCE", 0.5), good)
