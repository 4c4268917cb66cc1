"""The simulated CIRBUS line: what it says, and when, on a clock of the test's own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cirbus_line import frame
from wattbook.codecs.cirbus import parse_fields, parse_frame
from wattbook.model.errors import ConfigError, Garbled
from wattbook.profiles import Library, SerialSettings
from wattbook.simulate import Faults, SimulatedLine, SimulatedMeter, build
from wattbook.simulate.bus import NEVER, Say
from wattbook.simulate.cirbus import CirbusBus, CirbusSlave
from wattbook.simulate.faults import NO_FAULTS, Trouble
from wattbook.simulate.source import Plausible
from wattbook.simulate.statistics import Tally

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
CVMK = Library().get("cvmk")
WIRE = SerialSettings(9600)
CHARACTER_S = 10 / 9600


class Noon:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return 0.0


class Fixed:
    """A source with one value for everything."""

    def __init__(self, value: float | None, *, powered: bool = True) -> None:
        self._value, self._powered = value, powered

    def value(self, name: str, at: datetime) -> float | None:
        return self._value

    def powered(self, at: datetime) -> bool:
        return self._powered


def slave(
    name: str = "press", faults: Faults = NO_FAULTS, source: Fixed | Plausible | None = None, turnaround_s: float = 0.0
) -> CirbusSlave:
    return CirbusSlave(name, CVMK, source or Plausible(), Noon(), Trouble(name, first=faults), turnaround_s)


def ask(line: CirbusBus, at: float, data: bytes) -> list[Say]:
    """Write in one go, let the bus act when it wants to, and hand every answer over on time."""
    line.hear(data, at)
    says: list[Say] = []
    while (due := line.due()) < NEVER:
        for say in line.act(due):
            line.said(say, say.end)
            says.append(say)
    return says


def bus(*slaves: CirbusSlave) -> tuple[CirbusBus, Tally]:
    tally = Tally()
    return CirbusBus(dict(enumerate(slaves)), WIRE, tally), tally


def test_the_example_of_the_manual_is_answered_after_its_last_byte() -> None:
    line, tally = bus(slave())
    (answer,) = ask(line, 100.0, b"$00RVI75\n")
    assert answer.start == pytest.approx(100.0 + 9 * CHARACTER_S)
    assert answer.end == pytest.approx(answer.start + 42 * CHARACTER_S)
    address, data = parse_frame(answer.data)
    assert address == 0
    assert answer.data == frame("$00" + data.decode())
    assert 225 < int(data[:9]) < 235
    seen = tally.snapshot()
    assert (seen.requests, seen.answers, seen.offences) == (1, 1, 0)


def test_bytes_that_come_one_by_one_are_a_command_as_well() -> None:
    line, _ = bus(slave(turnaround_s=0.05))
    for number, byte in enumerate(b"$00RVI75"):
        line.hear(bytes([byte]), number * 0.01)
    (answer,) = ask(line, 0.09, b"\n")
    assert answer.start == pytest.approx(0.09 + CHARACTER_S + 0.05)


def test_every_command_of_the_profile_tells_what_the_source_measures() -> None:
    assert CVMK.cirbus is not None
    line, _ = bus(slave())
    for ask_ in CVMK.cirbus.asks:
        (answer,) = ask(line, 0.0, frame(f"$00{ask_.code}"))
        for name, value in parse_fields(ask_, parse_frame(answer.data)[1]).items():
            assert value == pytest.approx(Plausible().value(name, NOON), abs=ask_.scale.value(1))


@pytest.mark.parametrize(
    ("value", "field"),
    [(-1234.6, b"-00001235"), (5e12, b"999999999"), (-5e12, b"-99999999"), (None, b"000000000"), (0.0, b"000000000")],
)
def test_a_gauge_stops_at_what_a_field_can_show(value: float | None, field: bytes) -> None:
    line, _ = bus(slave(source=Fixed(value)))
    (answer,) = ask(line, 0.0, frame("$00RPI"))
    assert parse_frame(answer.data)[1] == field * 4


def test_a_register_starts_again_at_its_end() -> None:
    line, _ = bus(slave(source=Fixed(1_000_000_007.0)))
    (answer,) = ask(line, 0.0, frame("$00RWH"))
    assert parse_frame(answer.data)[1] == b"000000007" * 2


def test_each_meter_answers_for_itself() -> None:
    line, tally = bus(slave("a", source=Fixed(1.0)), slave("b", source=Fixed(2.0)))
    answers = [ask(line, at, frame(f"$0{at}RVI"))[0] for at in (0, 1)]
    assert [answer.data[3:12] for answer in answers] == [b"000000001", b"000000002"]
    assert [(answer.meter, answer.data[:3]) for answer in answers] == [("a", b"$00"), ("b", b"$01")]
    assert ask(line, 2.0, frame("$02RVI")) == []
    assert tally.snapshot().garbled == 0


@pytest.mark.parametrize("asked", [b"$00RVI76\n", b"$00RVI75\r\n", b"hello\n", b"\n", b"x" * 64])
def test_what_no_meter_understands_is_counted(asked: bytes) -> None:
    line, tally = bus(slave())
    assert ask(line, 0.0, asked) == []
    assert tally.snapshot().garbled == 1
    assert len(ask(line, 1.0, b"$00RVI75\n")) == 1


@pytest.mark.parametrize("command", ["RVm", "rvi", "XYZ", "RVI1"])  # a plain cvmk profile has no minima
def test_an_unknown_command_gets_no_answer(command: str) -> None:
    line, tally = bus(slave())
    assert ask(line, 0.0, frame(f"$00{command}")) == []
    assert tally.snapshot().garbled == 0


def test_noise_before_a_command_does_not_hide_it() -> None:
    line, _ = bus(slave())
    assert len(ask(line, 0.0, b"\x00\xff" + frame("$00RVI"))) == 1


def test_a_silent_meter_and_one_without_power_say_nothing() -> None:
    for quiet in (slave(faults=Faults(silent=True)), slave(source=Fixed(1.0, powered=False))):
        line, tally = bus(quiet)
        assert ask(line, 0.0, b"$00RVI75\n") == []
        assert tally.snapshot().meters["press"].requests == 1


def test_a_wrong_check_noise_and_lateness() -> None:
    line, _ = bus(slave(faults=Faults(damage_every=2, late_s=0.2, noise_before=3, noise_after=5)))
    good, after = ask(line, 0.0, b"$00RVI75\n")
    assert good.start == pytest.approx(9 * CHARACTER_S + 0.2)
    assert parse_frame(good.data[3:])[0] == 0
    assert (len(after.data), after.meter) == (5, "")
    damaged, _ = ask(line, 1.0, b"$00RVI75\n")
    with pytest.raises(Garbled):
        parse_frame(damaged.data[3:])


def test_late_answers_are_bounded_and_a_pulled_line_forgets_them() -> None:
    line, _ = bus(slave(faults=Faults(late_s=60)))
    line.hear(b"$00RVI75\n" * 200, 0.0)
    assert len(line.act(1e6)) == 64
    line.hear(b"$00RVI75\n$00", 0.0)
    line.reset()
    assert line.due() == NEVER
    assert len(ask(line, 100.0, b"$00RVI75\n")) == 1


def test_lines_that_cannot_be() -> None:
    def line(*addresses: int | str, faults: Faults = NO_FAULTS) -> None:
        meters = [SimulatedMeter(f"m{n}", "line", CVMK, a, faults=faults) for n, a in enumerate(addresses)]
        build([SimulatedLine("line", "x")], meters)

    line(1, 99, "7", "")  # "" is the model's own
    with pytest.raises(ConfigError, match="two meters have the address 7"):
        line(7, "07")
    with pytest.raises(ConfigError, match='from 0 to 99, not "100"'):
        line(100)
    with pytest.raises(ConfigError, match="exception does nothing to a CIRBUS meter"):
        line(1, faults=Faults(exception=2))
