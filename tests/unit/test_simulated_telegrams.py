"""Simulated meters that speak first, and the shapes of what meters tell by OBIS codes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from wattbook.codecs.decoder import make_decoder
from wattbook.codecs.obis import DataSet
from wattbook.codecs.telegram import Damage, Telegram
from wattbook.model.errors import ConfigError
from wattbook.model.vocabulary import obis_meanings
from wattbook.profiles import Library
from wattbook.simulate.bus import Say
from wattbook.simulate.faults import NO_FAULTS, Faults, Trouble
from wattbook.simulate.readout import Readout, load_readout
from wattbook.simulate.source import Plausible
from wattbook.simulate.statistics import Tally
from wattbook.simulate.telegram import PushBus, PushMeter

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LIBRARY = Library()
SPEAKING = [profile.name for profile in LIBRARY if profile.listens and profile.protocol not in ("mqtt", "push")]


class Noon:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return 0.0


class Fixed:
    """A source that tells the same number for everything."""

    def __init__(self, number: float | None) -> None:
        self.number = number

    def powered(self, at: datetime) -> bool:
        return True

    def value(self, name: str, at: datetime) -> float | None:
        return self.number


def push(
    model: str, *, every_s: float = 2.0, faults: Faults = NO_FAULTS, name: str = "m", serial: str = ""
) -> PushMeter:
    profile = LIBRARY.get(model)
    return PushMeter(name, profile, load_readout(profile), Plausible(), Trouble(name, first=faults), every_s, serial)


def bus(*meters: PushMeter) -> PushBus:
    return PushBus(meters, meters[0].profile.serial, Tally(), Noon(), Noon().monotonic)


def says(line: PushBus, count: int) -> list[Say]:
    heard: list[Say] = []
    for _ in range(count):
        heard += line.act(line.due())
    return heard


@pytest.mark.parametrize("model", SPEAKING)
def test_a_telegram_decodes_to_what_the_meter_measures(model: str) -> None:
    profile = LIBRARY.get(model)
    decoder = make_decoder(profile)
    heard = decoder.feed(push(model).telegram(Noon())) + decoder.close()
    (telegram,) = heard
    assert isinstance(telegram, Telegram)
    values = telegram.values(profile)
    assert values["active_power"] > 0
    for name, value in values.items():
        assert value == pytest.approx(Plausible().value(name, NOON), rel=0.2, abs=2)


@pytest.mark.parametrize("model", [name for name in SPEAKING if not LIBRARY.get(name).unchecked])
def test_a_damaged_telegram_gives_no_values(model: str) -> None:
    decoder = make_decoder(LIBRARY.get(model))
    meter = push(model, faults=Faults(damage_every=1))
    heard = [one for say in says(bus(meter), 5) for one in decoder.feed(say.data)] + decoder.close()
    assert heard
    assert all(isinstance(one, Damage) for one in heard)


def test_meters_speak_on_their_beat_and_one_after_the_other() -> None:
    quick, slow = push("sml", every_s=1.0, name="quick"), push("sml", every_s=2.0, name="slow")
    heard = says(bus(quick, slow), 6)
    assert [say.meter for say in heard] == ["quick", "slow", "quick", "quick", "slow", "quick"]
    assert all(later.start >= say.end for say, later in pairwise(heard))
    assert [say.start for say in heard if say.meter == "quick"] == pytest.approx([0.0, 1.0, 2.0, 3.0])


def test_beats_that_were_missed_are_left_out() -> None:
    line = bus(push("sml", every_s=2.0))
    line.act(0.0)
    assert len(line.act(9.0)) == 1
    assert line.due() == pytest.approx(10.0)


def test_a_silent_meter_keeps_its_beat() -> None:
    line = bus(push("sml", every_s=2.0, faults=Faults(silent=True)))
    assert line.act(0.0) == ()
    assert line.due() == pytest.approx(2.0)


def test_a_server_id_of_ones_own() -> None:
    decoder = make_decoder(LIBRARY.get("sml"))
    (telegram,) = decoder.feed(push("sml", serial="0A01464F4F0000000001").telegram(Noon()))
    assert isinstance(telegram, Telegram)
    assert telegram.server_id.upper() == "0A01464F4F0000000001"


@pytest.mark.parametrize(
    ("shape", "value", "shown"),
    [
        (DataSet("1.8.0", "0025409.587", "kWh"), 31_000_123.4, "0031000.123"),
        (DataSet("1.8.0", "0025409.587", "kWh"), 10_000_000_123.0, "0000000.123"),
        (DataSet("1-0:1.8.0*255", "12345678.9", "Wh"), 1.25, "1.2"),
        (DataSet("16.7.0", "001.234", "kW"), -1500.0, "-001.500"),
        (DataSet("1.7.0", "01.234", "kW"), -1500.0, "00.000"),
        (DataSet("2.7.0", "01.234", "kW"), -1500.0, "01.500"),
        (DataSet("31.7.0", "003", "A"), 4.6, "005"),
        (DataSet("13.4", "0.621", "cos"), 4.6, "0.621"),
        (DataSet("1.8.0*01", "0001234.567", "kWh"), 4.6, "0001234.567"),
        (DataSet("0.9.1", "120000"), 4.6, "130000"),
        (DataSet("0.9.2", "26-01-01"), 4.6, "26-11-21"),
    ],
)
def test_a_value_keeps_the_digits_of_its_shape(shape: DataSet, value: float, shown: str) -> None:
    readout = Readout("", (shape,), dict(obis_meanings()))
    (data_set,) = readout.at(NOON, Fixed(value))
    assert data_set.text == shown


def test_what_a_meter_does_not_measure_it_does_not_tell() -> None:
    readout = Readout("", (DataSet("1.8.1", "0", "kWh"), DataSet("F.F", "00")), dict(obis_meanings()))
    assert [data_set.code for data_set in readout.at(NOON + timedelta(days=1), Fixed(None))] == ["F.F"]


def test_a_model_without_telegrams_cannot_be_simulated() -> None:
    with pytest.raises(ConfigError, match="json-mqtt cannot be simulated"):
        load_readout(LIBRARY.get("json-mqtt"))
