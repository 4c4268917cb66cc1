"""The simulated RTU bus: what it says, and when, on a clock of the test's own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from wattbook.codecs.modbus import Request, Response, encode_request, frame_silence_s, parse_response, rtu_frame
from wattbook.codecs.registers import decode_registers
from wattbook.model.errors import Garbled
from wattbook.profiles import Library, ModbusSettings, Profile, Register, SerialSettings
from wattbook.simulate.bus import NEVER, Say
from wattbook.simulate.faults import NO_FAULTS, Faults, Trouble
from wattbook.simulate.memory import register_words
from wattbook.simulate.modbus import ModbusBus, ModbusSlave
from wattbook.simulate.source import Plausible
from wattbook.simulate.statistics import Tally

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PZEM = Library().get("pzem-016")
WIRE = SerialSettings(9600)
CHARACTER_S = 10 / 9600
SILENCE_S = 3.5 * CHARACTER_S


class Noon:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return 0.0


def slave(faults: Faults = NO_FAULTS, profile: Profile = PZEM, name: str = "main-a") -> ModbusSlave:
    return ModbusSlave(name, profile, Plausible(), Noon(), Trouble(name, first=faults))


def bus(faults: Faults = NO_FAULTS, *, strict: bool = True, turnaround_s: float = 0.0) -> tuple[ModbusBus, Tally]:
    tally = Tally()
    return ModbusBus({4: (slave(faults), turnaround_s)}, WIRE, tally, strict=strict), tally


def ask(bus: ModbusBus, at: float, *requests: bytes) -> list[Say]:
    """Write requests in one go, let the bus act when it wants to, and hand every answer over on time."""
    bus.hear(b"".join(requests), at)
    says: list[Say] = []
    while (due := bus.due()) < NEVER:
        for say in bus.act(due):
            bus.said(say, say.end)
            says.append(say)
    return says


READ = encode_request(Request(4, 4, 0, 9))


def test_the_answer_begins_after_the_request_and_a_silence() -> None:
    line, _ = bus()
    (answer,) = ask(line, 100.0, READ)
    assert answer.start == pytest.approx(100.0 + 8 * CHARACTER_S + SILENCE_S)
    assert answer.end == pytest.approx(answer.start + 23 * CHARACTER_S)


def test_a_thinking_slave_answers_later() -> None:
    line, _ = bus(turnaround_s=0.03)
    (answer,) = ask(line, 100.0, READ)
    assert answer.start == pytest.approx(100.0 + 8 * CHARACTER_S + SILENCE_S + 0.03)


def test_the_answer_holds_what_the_meter_measures_now() -> None:
    line, _ = bus()
    response = parse_response(ask(line, 0.0, READ)[0].data)
    assert PZEM.modbus is not None
    words = {(4, place): word for place, word in enumerate(response.words)}
    values = decode_registers(PZEM.modbus.registers, words).values
    for register in PZEM.modbus.registers:
        expected = Plausible().value(register.quantity, NOON)
        assert values[register.quantity] == pytest.approx(expected, abs=register.scale.value(1))


def test_a_request_before_the_silence_is_an_offence_and_gets_no_answer() -> None:
    line, tally = bus()
    (answer,) = ask(line, 0.0, READ)
    assert ask(line, answer.end + SILENCE_S * 0.99, READ) == []
    assert tally.snapshot().offences == tally.snapshot().ignored == 1


def test_a_patient_reader_gets_every_answer() -> None:
    line, tally = bus()
    end = 0.0
    for _ in range(10):
        (answer,) = ask(line, end + SILENCE_S * 1.001, READ)
        end = answer.end
    seen = tally.snapshot()
    assert (seen.requests, seen.answers, seen.offences) == (10, 10, 0)
    assert seen.gap_min_s == pytest.approx(SILENCE_S * 1.001)
    assert seen.share == pytest.approx(1.0, abs=0.001)


def test_a_lenient_line_answers_early_requests_and_counts_them() -> None:
    line, tally = bus(strict=False)
    (answer,) = ask(line, 0.0, READ)
    assert len(ask(line, answer.end, READ)) == 1
    assert (tally.snapshot().offences, tally.snapshot().ignored) == (1, 0)


def test_two_requests_in_one_go_are_one_garbled_message() -> None:
    line, tally = bus()
    assert ask(line, 0.0, READ, READ) == []
    assert tally.snapshot().garbled == 1


def test_a_request_for_another_slave_is_heard_and_not_answered() -> None:
    line, tally = bus()
    assert ask(line, 0.0, encode_request(Request(9, 4, 0, 9))) == []
    assert (tally.snapshot().requests, tally.snapshot().garbled) == (1, 0)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (Request(4, 4, 100, 1), 2),
        (Request(4, 4, 9, 2), 2),
        (Request(4, 3, 0, 1), 2),
        (Request(4, 4, 0, 11), 3),
        (Request(4, 16, 0, 2, (1, 2)), 2),
    ],
)
def test_what_the_model_has_not_is_refused(request_: Request, code: int) -> None:
    line, _ = bus()
    response = parse_response(ask(line, 0.0, encode_request(request_))[0].data)
    assert response == Response(4, request_.function, exception=code)


def test_an_unknown_function_is_refused() -> None:
    line, _ = bus()
    assert ask(line, 0.0, rtu_frame(4, b"\x2b\x0e\x01\x00"))[0].data == rtu_frame(4, b"\xab\x01")


def test_a_slave_says_what_it_is() -> None:
    line, _ = bus()
    response = parse_response(ask(line, 0.0, encode_request(Request(4, 17)))[0].data)
    assert response.data == b"\x04\xff" + PZEM.title.encode()


HOLDING = Profile(
    "with-holding",
    "With holding registers",
    "nobody",
    "modbus",
    "this test",
    verified=True,
    modbus=ModbusSettings(
        registers=(
            Register("voltage", 10, "uint16", function=3),
            Register("current", 14, "uint16", function=3),
        ),
        holes=((3, 12, 12),),
    ),
)


def test_written_registers_are_read_back_and_a_broadcast_is_not_answered() -> None:
    device = slave(profile=HOLDING)
    line = ModbusBus({1: (device, 0.0)}, WIRE, Tally())
    assert parse_response(ask(line, 0, encode_request(Request(1, 6, 10, 1, (777,))))[0].data).words == (777,)
    assert parse_response(ask(line, 1, encode_request(Request(1, 16, 10, 2, (5, 6))))[0].data).count == 2
    assert ask(line, 2, encode_request(Request(0, 6, 14, 1, (99,)))) == []
    assert parse_response(ask(line, 3, encode_request(Request(1, 3, 10, 2)))[0].data).words == (5, 6)
    assert parse_response(ask(line, 4, encode_request(Request(1, 3, 13, 2)))[0].data).words == (0, 99)


def test_a_function_that_reads_nothing_is_refused() -> None:
    assert slave(profile=HOLDING).answer(Request(1, 4, 10, 1)).exception == 1


def test_a_hole_is_refused_and_a_gap_reads_as_zero() -> None:
    device = slave(profile=HOLDING)
    assert device.answer(Request(1, 3, 10, 5)).exception == 2
    assert device.answer(Request(1, 3, 13, 1)).words == (0,)


def test_silence() -> None:
    line, tally = bus(Faults(silent=True))
    assert ask(line, 0.0, READ) == []
    assert tally.snapshot().meters["main-a"].requests == 1
    assert tally.snapshot().meters["main-a"].answers == 0


def test_an_exception_on_request() -> None:
    line, _ = bus(Faults(exception=6))
    assert parse_response(ask(line, 0.0, READ)[0].data).exception == 6


def test_every_third_answer_is_damaged() -> None:
    line, _ = bus(Faults(damage_every=3))
    good = []
    for at in range(9):
        try:
            parse_response(ask(line, at, READ)[0].data)
            good.append(True)
        except Garbled:
            good.append(False)
    assert good == [True, True, False] * 3


def test_a_share_of_the_answers_is_damaged_the_same_in_every_run() -> None:
    answers = [
        [ask(line, at, READ)[0].data for at in range(50)] for line in (bus(Faults(damage_share=0.3))[0] for _ in "ab")
    ]
    assert answers[0] == answers[1]
    clean = ask(bus()[0], 0.0, READ)[0].data
    assert 5 < sum(answer != clean for answer in answers[0]) < 30


def test_a_late_answer_lets_other_requests_pass() -> None:
    line, _ = bus(Faults(late_s=1.0))
    line.hear(READ, 0.0)
    assert line.act(line.due()) == []
    assert line.due() == pytest.approx(1.0 + 8 * CHARACTER_S + SILENCE_S)
    line.hear(encode_request(Request(9, 4, 0, 9)), 0.5)
    assert line.due() == pytest.approx(0.5 + 8 * CHARACTER_S + SILENCE_S)
    assert line.act(line.due()) == []
    assert len(line.act(line.due())) == 1


def test_noise_before_and_after() -> None:
    clean = ask(bus()[0], 0.0, READ)[0].data
    before, after = ask(bus(Faults(noise_before=3, noise_after=5))[0], 0.0, READ)
    assert before.data.endswith(clean)
    assert len(before.data) == len(clean) + 3
    assert (after.start, len(after.data), after.meter) == (before.end, 5, "")


def test_pulling_the_plug_forgets_what_was_begun() -> None:
    line, _ = bus(Faults(late_s=1.0))
    line.hear(READ, 0.0)
    line.act(line.due())
    line.hear(READ, 0.5)
    line.reset()
    assert line.due() == NEVER


def test_above_19200_the_silence_is_fixed() -> None:
    assert frame_silence_s(SerialSettings(115200).character_s) == 0.00175
    assert frame_silence_s(SerialSettings(19200, parity="even").character_s) == pytest.approx(3.5 * 11 / 19200)


@pytest.mark.parametrize(
    ("value", "words"),
    [(230.04, (2300,)), (1e9, (3000,)), (-5.0, (0,)), (None, (0,))],
)
def test_a_gauge_stops_at_the_end_of_its_range(value: float | None, words: tuple[int, ...]) -> None:
    assert PZEM.modbus is not None
    assert register_words(PZEM.modbus.registers[0], value) == words


def test_a_full_counter_begins_again() -> None:
    assert PZEM.modbus is not None
    energy = next(register for register in PZEM.modbus.registers if register.quantity == "active_energy_import")
    assert register_words(energy, 2**32 + 5.0) == (5, 0)


def test_a_signed_gauge_stops_at_its_least_even_when_that_is_zero() -> None:
    register = Register("active_power", 0, "int16", minimum=0.0, maximum=100.0)
    assert register_words(register, -5.0) == (0,)
    assert register_words(register, 500.0) == (100,)


def test_a_marker_tells_the_model_when_read_alone_and_is_a_value_in_a_block() -> None:
    em21 = slave(profile=Library().get("em21"))
    assert em21.answer(Request(1, 4, 0x000B, 1)).words == (57,)
    assert em21.answer(Request(1, 4, 0x000A, 2)).words[1] == 0  # the high word of voltage_l31
