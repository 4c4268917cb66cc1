"""Simulated optical meters: the dialogue of modes A, B and C, on a clock of the test's own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import pytest

from wattbook.codecs.iec62056_21 import block_check
from wattbook.profiles import IecSettings, Library, SerialSettings
from wattbook.simulate.bus import NEVER, Say
from wattbook.simulate.faults import NO_FAULTS, Faults, Trouble
from wattbook.simulate.optical import ACK_WAIT_S, OpticalBus, OpticalMeter
from wattbook.simulate.readout import load_readout
from wattbook.simulate.source import Plausible
from wattbook.simulate.statistics import Tally

START = SerialSettings(300, 7, "even")
CHARACTER_S = 10 / 300
GENERIC = Library().get("iec62056-21")
SIGN_ON = b"/?!\r\n"


class Noon:
    """A clock that stands still."""

    def now(self) -> datetime:
        return datetime(2026, 11, 21, 12, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


def meter(
    mode: Literal["A", "B", "C"] = "C",
    *,
    address: str = "",
    baud: int = 9600,
    faults: Faults = NO_FAULTS,
    name: str = "m",
) -> OpticalMeter:
    profile = replace(GENERIC, iec=IecSettings(mode=mode))
    return OpticalMeter(
        name, profile, load_readout(profile), Plausible(), Trouble(name, first=faults), address=address, baud=baud
    )


def bus(*meters: OpticalMeter) -> tuple[OpticalBus, Tally]:
    tally = Tally()
    return OpticalBus(meters, START, tally, Noon()), tally


def next_says(line: OpticalBus) -> list[Say]:
    """What the bus does next, handed over on time."""
    if line.due() == NEVER:
        return []
    says = list(line.act(line.due()))
    for say in says:
        line.said(say, say.end)
    return says


def test_mode_c_changes_speed_after_the_acknowledgement() -> None:
    line, tally = bus(meter())
    line.hear(SIGN_ON, 0.0)
    (identification,) = next_says(line)
    assert identification.start == pytest.approx(5 * CHARACTER_S + 0.2)
    assert identification.data == b"/WBK5SIMULATED.01\r\n"
    acknowledged_at = identification.end + 0.201
    line.hear(b"\x06050\r\n", acknowledged_at)
    (data,) = next_says(line)
    assert data.serial.baud == 9600
    assert data.start == pytest.approx(acknowledged_at + 6 * CHARACTER_S + 0.2)
    assert data.data[:1] == b"\x02"
    assert data.data[-2] == 0x03
    assert data.data[-1] == block_check(data.data[1:-1])
    assert tally.snapshot().answers == 1
    assert tally.snapshot().offences == 0


@pytest.mark.parametrize("acknowledgement", [b"\x06000\r\n", b"\x06040\r\n"])
def test_another_speed_than_offered_keeps_the_meter_at_300(acknowledgement: bytes) -> None:
    line, _ = bus(meter())
    line.hear(SIGN_ON, 0.0)
    (identification,) = next_says(line)
    line.hear(acknowledgement, identification.end + 0.2)
    assert next_says(line)[0].serial.baud == 300


def test_without_acknowledgement_the_data_comes_at_300_after_the_waiting_time() -> None:
    line, _ = bus(meter())
    line.hear(SIGN_ON, 0.0)
    (identification,) = next_says(line)
    line.hear(b"\x7f\x12", identification.end + 0.3)
    assert line.due() == pytest.approx(identification.end + ACK_WAIT_S)
    (data,) = next_says(line)
    assert data.serial.baud == 300
    assert line.due() == NEVER


def test_a_request_for_programming_mode_ends_the_dialogue() -> None:
    line, _ = bus(meter())
    line.hear(SIGN_ON, 0.0)
    (identification,) = next_says(line)
    line.hear(b"\x06051\r\n", identification.end + 0.3)
    assert line.due() == NEVER


def test_an_acknowledgement_before_the_reaction_time_is_an_offence() -> None:
    line, tally = bus(meter())
    line.hear(SIGN_ON, 0.0)
    (identification,) = next_says(line)
    line.hear(b"\x06050\r\n", identification.end + 0.1)
    assert tally.snapshot().offences == 1


def test_mode_a_sends_everything_at_once() -> None:
    line, _ = bus(meter("A"))
    line.hear(SIGN_ON, 0.0)
    identification, data = next_says(line)
    assert identification.data[4:5] == b" "
    assert data.start == identification.end
    assert data.serial.baud == 300


def test_mode_b_changes_speed_by_itself() -> None:
    line, _ = bus(meter("B"))
    line.hear(SIGN_ON, 0.0)
    identification, data = next_says(line)
    assert identification.data[4:5] == b"E"
    assert data.serial.baud == 9600
    assert data.start == pytest.approx(identification.end + 0.2)


@pytest.mark.parametrize(
    ("called", "who"),
    [(b"", "first"), (b"0012", "first"), (b"12", "first"), (b"0345", "second"), (b"99", None)],
)
def test_the_meter_that_is_called_answers(called: bytes, who: str | None) -> None:
    line, tally = bus(meter(address="12", name="first"), meter(address="345", name="second"))
    line.hear(b"/?" + called + b"!\r\n", 0.0)
    asked = tally.snapshot().meters
    assert (next(iter(asked)) if asked else None) == who
    assert (line.due() == NEVER) == (who is None)


def test_wake_up_nuls_and_garbage_before_the_sign_on_do_not_matter() -> None:
    line, _ = bus(meter())
    line.hear(bytes(200) + b"\x7f\xff\r\n" + SIGN_ON, 0.0)
    assert line.due() == pytest.approx((200 + 4 + 5) * CHARACTER_S + 0.2)


def test_a_sign_on_in_pieces() -> None:
    line, _ = bus(meter())
    for place in range(5):
        line.hear(SIGN_ON[place : place + 1], place * CHARACTER_S)
    assert line.due() == pytest.approx(5 * CHARACTER_S + 0.2)


def test_what_comes_while_the_meter_talks_is_lost() -> None:
    line, tally = bus(meter("A"))
    line.hear(SIGN_ON, 0.0)
    _, data = next_says(line)
    line.hear(SIGN_ON, data.end)
    assert line.due() == NEVER
    assert tally.snapshot().requests == 1


def test_a_swift_meter_reacts_in_20_ms() -> None:
    readout = replace(load_readout(GENERIC), identification="ISk5MT174")
    swift = replace(meter(), readout=readout)
    line, _ = bus(swift)
    line.hear(SIGN_ON, 0.0)
    assert line.due() == pytest.approx(5 * CHARACTER_S + 0.02)


def test_a_silent_meter() -> None:
    line, tally = bus(meter(faults=Faults(silent=True)))
    line.hear(SIGN_ON, 0.0)
    assert line.due() == NEVER
    assert tally.snapshot().meters["m"].requests == 1


def test_a_damaged_readout_fails_its_check() -> None:
    line, _ = bus(meter("A", faults=Faults(damage_every=1)))
    clean = bus(meter("A"))[0]
    for one in (line, clean):
        one.hear(SIGN_ON, 0.0)
    spoiled, good = next_says(line)[1].data, next_says(clean)[1].data
    assert sum((one ^ other).bit_count() for one, other in zip(spoiled, good, strict=True)) == 1


def test_the_speed_offered_follows_the_setting() -> None:
    assert meter(baud=300).identification[4:5] == b"0"
    assert meter(baud=4800).identification[4:5] == b"4"
    assert meter("B", baud=19200).identification[4:5] == b"F"
