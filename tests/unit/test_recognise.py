"""Which model is it: by what the device says of itself, else by whether the values can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wattbook.codecs.conversation import Conversation
from wattbook.codecs.identity import matches, same_serial, serial_text
from wattbook.codecs.measured import Measured
from wattbook.codecs.modbus import Request, Response
from wattbook.engine.recognise import Candidate, Recognised, Verdict, choose, judge, recognise
from wattbook.model import Refused, Unreachable
from wattbook.profiles import Library, Profile
from wattbook.profiles.profile import Identity, Marker, SerialNumber
from wattbook.simulate.faults import NO_FAULTS, Trouble
from wattbook.simulate.modbus import ModbusSlave
from wattbook.simulate.source import Plausible

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MODELS = Library([Path(__file__).parents[1] / "profiles"])
PZEM, SDM120, SDM630, DAS = (MODELS.get(name) for name in ("pzem-016", "sdm120", "sdm630", "das-8000"))
GOOD: Mapping[str, float] = {
    "voltage": 230.0, "current": 5.0, "active_power": 1100.0, "frequency": 50.0, "power_factor": 0.96,
    "active_energy_import": 12345.0,
}  # fmt: skip


class Noon:
    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return 0.0


class Dead:
    """A source of which only the first phase is wired."""

    def value(self, name: str, at: datetime) -> float | None:
        return 0.0 if name.endswith(("_l2", "_l3")) else Plausible().value(name, at)

    def powered(self, at: datetime) -> bool:
        return True


class Direct:
    """A framing that reaches one slave without a line."""

    def __init__(self, slave: ModbusSlave) -> None:
        self.slave, self.asked = slave, list[Request]()

    def exchange(self, request: Request, timeout_s: float) -> Conversation[Response]:
        yield from ()
        self.asked.append(request)
        if request.unit != self.slave.unit:
            raise Unreachable("no answer")
        answer = self.slave.answer(request)
        if answer.exception:
            raise Refused("no", code=answer.exception)
        return answer

    def reset(self) -> None:
        pass


def play(conversation: Conversation[Recognised]) -> Recognised:
    try:
        next(conversation)
    except StopIteration as end:
        found: Recognised = end.value
        return found
    raise AssertionError("nothing is to be sent")


def device(profile: Profile, source: Plausible | Dead | None = None) -> Direct:
    trouble = Trouble("meter", first=NO_FAULTS)
    return Direct(ModbusSlave("meter", profile, source or Plausible(), Noon(), trouble))


def who(profile: Profile, models: list[Profile], source: Plausible | Dead | None = None) -> Recognised:
    return play(recognise(device(profile, source), models, unit=1, timeout_s=0.1))


@pytest.mark.parametrize("models", [[PZEM, SDM120, SDM630], [SDM630, SDM120, PZEM]], ids=["one order", "the other"])
@pytest.mark.parametrize("profile", [PZEM, SDM120, SDM630], ids=lambda one: one.name)
def test_each_model_is_told_from_the_others(profile: Profile, models: list[Profile]) -> None:
    found = who(profile, models)
    assert found.model is profile and not found.certain and found.also == ()


def test_an_sdm630_of_which_one_phase_is_wired_is_still_one() -> None:
    found = who(SDM630, [SDM120, SDM630], Dead())
    assert found.model is SDM630 and found.dead == 2


def test_a_three_phase_model_with_dead_phases_loses_to_the_single_phase_model_that_tells_as_much() -> None:
    phases = {f"{name}_l1": value for name, value in GOOD.items() if name not in ("frequency", "active_energy_import")}
    dead = {f"voltage_l{phase}": 0.0 for phase in (2, 3)}
    rest = {name: GOOD[name] for name in ("frequency", "active_energy_import")}
    three, one = Measured({**phases, **dead, **rest}), Measured(GOOD)
    candidates = [
        Candidate(profile, False, judge(profile, told), told) for profile, told in ((SDM630, three), (SDM120, one))
    ]
    assert choose(candidates).model is SDM120


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({}, ""),
        ({"voltage": 12.0}, "no phase has a voltage"),
        ({"voltage": 600.0}, "600 V"),
        ({"frequency": 0.0}, "0 Hz"),
        ({"frequency": 70.0}, "70 Hz"),
        ({"active_power": 1500.0}, "1500 W are more"),
        ({"active_power": -1100.0}, ""),
        ({"power_factor": 1.5}, "beyond 1"),
        ({"active_energy_import": -1.0}, "active_energy_import"),
        ({"active_energy_import": 1e15}, "active_energy_import"),
        ({"current": 1e-30, "active_power": 0.0}, "current"),
    ],
)
def test_values_that_cannot_be_are_said(changed: Mapping[str, float], says: str) -> None:
    objection = judge(SDM120, Measured({**GOOD, **changed})).objection
    assert (says in objection) if says else objection == ""


def test_phases_of_one_net_do_not_differ_much() -> None:
    phases = {f"voltage_l{phase}": value for phase, value in ((1, 230.0), (2, 110.0), (3, 231.0))}
    assert "one phase has 110 V" in judge(SDM630, Measured({**phases, "frequency": 50.0})).objection


def test_a_power_of_direct_current_is_neither_more_nor_less_than_its_factors() -> None:
    assert PZEM.modbus is not None
    plain = [one for one in PZEM.modbus.registers if one.quantity in ("voltage", "current", "active_power")]
    direct = replace(PZEM, modbus=replace(PZEM.modbus, registers=tuple(plain)))
    values = {"voltage": 48.0, "current": 10.0}
    assert judge(direct, Measured({**values, "active_power": 480.0})).objection == ""
    assert "less than" in judge(direct, Measured({**values, "active_power": 100.0})).objection
    assert "more than" in judge(direct, Measured({**values, "active_power": 900.0})).objection


def test_what_the_device_says_of_itself_outweighs_values() -> None:
    assert SDM120.modbus is not None
    named = replace(SDM120, name="named", modbus=replace(SDM120.modbus, identity=Identity(report_id="ACME 7")))
    found = who(named, [SDM120, SDM630, named])
    assert found.model is not None and (found.model.name, found.certain) == ("named", True)
    assert who(SDM120, [SDM120, named]).model is SDM120  # whose own name is another


def test_a_device_without_voltages_is_known_by_what_it_says_of_itself() -> None:
    found = who(DAS, [SDM120, DAS])
    assert found.model is DAS and found.certain
    assert DAS.modbus is not None
    nameless = replace(DAS, name="nameless", modbus=replace(DAS.modbus, identity=Identity()))
    assert who(SDM120, [nameless, SDM120]).model is SDM120 and who(DAS, [nameless]).model is None


def test_a_marker_and_a_serial_number_are_read() -> None:
    assert SDM120.modbus is not None
    identity = Identity(markers=(Marker(3, 0xFC02, frozenset({0x70})),), serial_number=SerialNumber(3, 0xFC00, 2))
    marked = replace(SDM120, name="marked", modbus=replace(SDM120.modbus, identity=identity))
    found = who(marked, [SDM120, marked])
    assert found.model is marked and found.certain and found.serial_number.isdecimal()


def test_a_marker_that_another_model_holds_by_chance_proves_nothing_against_the_values() -> None:
    assert PZEM.modbus is not None
    identity = Identity(markers=(Marker(4, 0x0001, frozenset(range(1, 0x10000))),))  # any word
    lucky = replace(PZEM, name="lucky", modbus=replace(PZEM.modbus, identity=identity))
    assert who(SDM120, [lucky, SDM120]).model is SDM120


def test_a_marker_that_may_be_zero_is_needed_but_proves_nothing() -> None:
    assert PZEM.modbus is not None
    identity = Identity(markers=(Marker(4, 0x0004, frozenset({0, 0xFFFF})),))  # the high word of a power below 6553 W
    weak = replace(PZEM, name="weak", modbus=replace(PZEM.modbus, identity=identity))
    found = who(PZEM, [weak, PZEM])
    assert not found.certain and {found.model and found.model.name, *found.also} == {"weak", "pzem-016"}


def test_models_that_cannot_be_told_apart_are_all_named_the_usual_settings_first() -> None:
    twin = replace(PZEM, name="a-twin", serial=replace(PZEM.serial, baud=2400))
    candidates = [Candidate(one, False, Verdict("", 6)) for one in (twin, PZEM)]
    found = choose(candidates, PZEM.serial)
    assert found.model is PZEM and found.also == ("a-twin",) and found.fits("a-twin")
    assert choose([]).model is None


def test_the_same_question_is_asked_once() -> None:
    framing = device(SDM120)
    play(recognise(framing, [SDM120, SDM630, PZEM, SDM120], unit=1, timeout_s=0.1))
    assert len(framing.asked) == len(set(framing.asked))


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (SerialNumber(3, 0, 2), (0x0001, 0x0002), "65538"),
        (SerialNumber(3, 0, 3, "text"), (0x4142, 0x3132, 0x0000), "AB12"),
    ],
)
def test_serial_numbers_are_told_as_they_are_printed(number: SerialNumber, words: tuple[int, ...], text: str) -> None:
    assert serial_text(number, words) == text


def test_zeros_before_a_serial_number_do_not_make_another_one() -> None:
    assert same_serial("0012", "12") and same_serial("ab1 ", "AB1") and not same_serial("12", "13")


def test_all_of_an_identity_must_hold() -> None:
    identity = Identity("PM710", (Marker(3, 5, frozenset({7, 8})),))
    assert matches(identity, b"\xfa\xffpm710 Power Meter", {(3, 5): 8})
    assert not matches(identity, b"\xfa\xffPM710", {(3, 5): 9}) and not matches(identity, b"PM210", {(3, 5): 7})
