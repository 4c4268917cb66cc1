"""Every Modbus model of the library simulates, and our own reader reads back what the simulated device measures."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from given import given
from wattbook.cli.main import make_app
from wattbook.codecs.conversation import Send
from wattbook.codecs.measured import Measured
from wattbook.codecs.modbus import encode_response, parse_request
from wattbook.codecs.modbus_ask import Rtu
from wattbook.drivers.modbus import ModbusMeter
from wattbook.profiles import Library, Profile
from wattbook.simulate.faults import NO_FAULTS, Trouble
from wattbook.simulate.modbus import ModbusSlave
from wattbook.simulate.source import Plausible, Source

MODELS = [profile for profile in Library() if profile.modbus is not None]


class Noon:
    """A clock that stands still."""

    def now(self) -> datetime:
        return datetime(2026, 11, 21, 12, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


def read(profile: Profile, source: Source) -> Measured:
    """One reading of a simulated device, frame by frame and without a line."""
    slave = ModbusSlave("meter", profile, source, Noon(), Trouble("meter", first=NO_FAULTS))
    conversation = ModbusMeter(profile, 9, Rtu()).conversation(1.0)
    heard = b""
    try:
        step = next(conversation)
        while True:
            if isinstance(step, Send):
                heard = encode_response(slave.answer(parse_request(step.data)))
                step = conversation.send(b"")
            else:
                step = conversation.send(heard)
    except StopIteration as end:
        assert isinstance(end.value, Measured)
        return end.value


@pytest.mark.parametrize("profile", MODELS, ids=lambda profile: profile.name)
def test_a_model_simulates_and_is_read_back_equal(profile: Profile) -> None:
    source = given(profile)
    measured = read(profile, source)
    assert measured.values == source.values
    assert not measured.doubt


@pytest.mark.parametrize("profile", MODELS, ids=lambda profile: profile.name)
def test_plausible_values_are_plausible_for_the_model(profile: Profile) -> None:
    assert profile.modbus is not None
    measured = read(profile, Plausible())
    assert set(measured.values) == {register.quantity for register in profile.modbus.registers}
    assert not measured.doubt


def test_the_user_sees_what_is_not_verified() -> None:
    runner, app = CliRunner(), make_app(["models"])
    listed = [json.loads(line) for line in runner.invoke(app, ["models", "list", "--json"]).output.splitlines()]
    by_name = {row["name"]: row for row in listed}
    assert by_name["rx380"]["verified"]
    assert "active_energy_import" in by_name["rx380"]["not_verified"]
    assert "current_l1" not in by_name["rx380"]["not_verified"]
    assert by_name["pzem-016"]["not_verified"] == []
    shown = runner.invoke(app, ["models", "show", "cvm-mini"], env={"COLUMNS": "140"}).output
    rows = {line.split()[0]: line.split()[-1] for line in shown.splitlines() if line.strip()}
    assert (rows["power_factor"], rows["power_factor_l1"]) == ("no", "yes")
    assert not by_name["pm710"]["verified"]  # its registers are known, its serial settings are not
    shown = runner.invoke(app, ["models", "show", "pm710"], env={"COLUMNS": "140"}).output
    assert "0x1008" in shown  # 4105 on the wire: the exponent of the currents


def test_the_user_sees_where_an_mqtt_model_listens() -> None:
    shown = CliRunner().invoke(make_app(["models"]), ["models", "show", "json-mqtt"], env={"COLUMNS": "140"}).output
    assert ["active_energy_import", "Wh", "meters/{address}/reading", "energy", "x", "1000"] in [
        line.split() for line in shown.splitlines()
    ]
