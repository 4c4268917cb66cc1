"""Which model is it? By its identification, else by whether the values that a model makes of its registers can be.

Pure but for the order of its questions, which are a conversation like any other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from wattbook.codecs.conversation import Conversation
from wattbook.codecs.identity import identifies, matches, read_serial
from wattbook.codecs.measured import Measured
from wattbook.codecs.modbus import REPORT_ID, Request, Response
from wattbook.codecs.modbus_ask import Framing
from wattbook.codecs.sunspec import MARKER
from wattbook.drivers.modbus import ModbusMeter
from wattbook.model.errors import ConfigError, Garbled, MeterError, Unreachable
from wattbook.model.vocabulary import Kind, quantity
from wattbook.profiles.profile import Profile, SerialSettings
from wattbook.transports.link import LinkLost

VOLTAGE = (80.0, 300.0)  # V between a phase and neutral where a meter lives: 100 V to 277 V networks
VOLTAGE_BETWEEN = (138.0, 520.0)  # V, the same between phases
FREQUENCY = (45.0, 65.0)  # Hz
_UNEVEN_MAX = 1.3  # the highest living phase voltage to the lowest
_POWER_FACTOR_MAX = 1.2  # how far P may be above U times I, which are not measured at the same instant
_POWER_S_MAX = 20.0  # VA: what last digits make of it
_TINY = 1e-7  # of any base unit: an integer that is read as a float looks like this
_GREATEST: Mapping[str, float] = {"V": 1e6, "A": 1e5, "W": 1e9, "var": 1e9, "VA": 1e9, "Hz": 500, "°": 360.5}
_ENERGY_MAX = 1e14  # Wh: a large power station in its life
_PHASED = re.compile(r"(voltage|current|active_power)(_l[123])?")
_SILENT_MAX = 12  # requests without an answer, before no further model is tried: each costs a whole time-out

_GARBLED_MAX = 2  # times the same is asked


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether values can be. `told` values speak for the model, `dead` phases have no voltage."""

    objection: str  # in words; "" = all of them can be
    told: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that fits what answers."""

    profile: Profile
    certain: bool  # the device said so itself
    verdict: Verdict
    measured: Measured = field(default_factory=lambda: Measured({}))


@dataclass(frozen=True, slots=True)
class Recognised:
    """Who answers. No `model`: somebody does, but as no model known here."""

    model: Profile | None = None
    certain: bool = False  # by its identification, not by its values
    also: tuple[str, ...] = ()  # models that fit as well
    measured: Measured = field(default_factory=lambda: Measured({}))
    serial_number: str = ""
    dead: int = 0  # phases without voltage

    def fits(self, name: str) -> bool:
        """Whether this model is it, or cannot be told from it."""
        return (self.model is not None and self.model.name == name) or name in self.also


def judge(profile: Profile, measured: Measured) -> Verdict:
    """Judge what a model makes of a device's registers."""
    values = measured.values
    objection = next(_objections(profile, measured), "")
    told = sum(value != 0 for value in values.values())
    voltages = _phases(values, "voltage")
    alive = [value for value in voltages.values() if value >= VOLTAGE[0]]
    return Verdict(objection, told, len(voltages) - len(alive) if alive else 0)


def _objections(profile: Profile, measured: Measured) -> Iterator[str]:
    values = measured.values
    for name, value in values.items():
        if name in measured.doubt:
            yield f"{name} is {value:g}, outside of what the model can tell"
        elif 0 < abs(value) < _TINY or abs(value) > _greatest(name) or (_counts(name) and value < 0):
            yield f"{name} is {value:g}"
        elif name.startswith("power_factor") and abs(value) > 1.001:
            yield f"{name} is {value:g}, beyond 1"
    yield from _electrical(profile, values)


def _electrical(profile: Profile, values: Mapping[str, float]) -> Iterator[str]:
    alternating = _alternates(profile)
    voltages, currents, powers = (_phases(values, base) for base in ("voltage", "current", "active_power"))
    between = {name: values[f"voltage_{name}"] for name in ("l12", "l23", "l31") if f"voltage_{name}" in values}
    if alternating:
        frequency = values.get("frequency")
        if frequency is not None and not FREQUENCY[0] <= frequency <= FREQUENCY[1]:
            yield f"frequency is {frequency:g} Hz"
        alive = [value for value in voltages.values() if value >= VOLTAGE[0]]
        between_alive = [value for value in between.values() if value >= VOLTAGE_BETWEEN[0]]
        if not alive and not between_alive:
            yield "no phase has a voltage"
        if any(value > VOLTAGE[1] or value < 0 for value in voltages.values()):
            yield f"a phase has {max(voltages.values(), key=abs):g} V"
        if any(value > VOLTAGE_BETWEEN[1] or value < 0 for value in between.values()):
            yield f"there are {max(between.values(), key=abs):g} V between two phases"
        if alive and max(alive) > _UNEVEN_MAX * min(alive):
            yield f"one phase has {min(alive):g} V, another {max(alive):g} V"
        if len(alive) > 1 and between_alive and not 0.9 * min(alive) <= max(between_alive) <= 2.1 * max(alive):
            yield f"{max(between_alive):g} V between phases do not go with {max(alive):g} V of one"
    elif not any(voltages.values()) and (voltages or not _has_identity(profile)):
        yield "there is no voltage"
    for phase, power in powers.items():
        if phase not in voltages or phase not in currents:
            continue
        apparent = abs(voltages[phase] * currents[phase])
        if abs(power) > _POWER_FACTOR_MAX * apparent + _POWER_S_MAX:
            yield f"{power:g} W are more than {voltages[phase]:g} V and {currents[phase]:g} A can be"
        if not alternating and abs(power) < apparent / _POWER_FACTOR_MAX - _POWER_S_MAX:
            yield f"{power:g} W are less than {voltages[phase]:g} V and {currents[phase]:g} A of direct current"


def _has_identity(profile: Profile) -> bool:
    """Whether a device says that it is this model: one that tells no voltage is known by that alone."""
    assert profile.modbus is not None
    return identifies(profile.modbus.identity)


def _alternates(profile: Profile) -> bool:
    assert profile.modbus is not None
    tells = ("frequency", "power_factor", "reactive_", "apparent_", "phase_angle")
    return any(register.quantity.startswith(tells) for register in profile.modbus.registers)


def _phases(values: Mapping[str, float], base: str) -> Mapping[str, float]:
    """Phase -> value; a total beside phases is a mean or a sum, which has no power of its own to be compared with."""
    found = {
        match[2] or "": value
        for name, value in values.items()
        if (match := _PHASED.fullmatch(name)) and match[1] == base
    }
    return {phase: value for phase, value in found.items() if phase} or found


def _greatest(name: str) -> float:
    unit = quantity(name).unit
    if unit in ("Wh", "varh", "VAh"):
        return _ENERGY_MAX
    return _GREATEST.get(unit, math.inf)


def _counts(name: str) -> bool:
    return quantity(name).kind is Kind.REGISTER


def choose(candidates: Iterable[Candidate], settings: SerialSettings | None = None) -> Recognised:
    """The richest model of those that fit; the model's usual settings and its name decide between equals.

    A three-phase model with dead phases loses to the single-phase model that tells as much.
    """
    fitting = [one for one in candidates if not one.verdict.objection or (one.certain and not one.measured.values)]
    if not fitting:
        return Recognised()
    best = max(fitting, key=_worth)
    equals = sorted((one for one in fitting if _worth(one) == _worth(best)), key=lambda one: _rank(one, settings))
    first, *others = equals
    return Recognised(
        first.profile,
        first.certain,
        tuple(one.profile.name for one in others),
        first.measured,
        dead=first.verdict.dead,
    )


def _worth(candidate: Candidate) -> tuple[bool, bool, int, int]:
    verdict = candidate.verdict
    return not verdict.objection, candidate.certain, verdict.told, -verdict.dead


def _rank(candidate: Candidate, settings: SerialSettings | None) -> tuple[bool, bool, str]:
    serial = candidate.profile.serial
    usual = settings is not None and (serial.baud, serial.parity) == (settings.baud, settings.parity)
    return not usual, not candidate.profile.verified, candidate.profile.name


class _Once:
    """A framing that asks the same thing once: models share registers, and their values shall be of one instant."""

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._answers: dict[Request, Response | MeterError] = {}

    def exchange(self, request: Request, timeout_s: float) -> Conversation[Response]:
        """Ask, or say again what was answered."""
        if request not in self._answers:
            for _ in range(_GARBLED_MAX):
                try:
                    self._answers[request] = yield from self._framing.exchange(request, timeout_s)
                except LinkLost:
                    raise
                except MeterError as error:
                    self._answers[request] = error
                if not isinstance(self._answers[request], Garbled):
                    break
        answer = self._answers[request]
        if isinstance(answer, MeterError):
            raise answer
        return answer

    def reset(self) -> None:
        """Ask everything again."""
        self._answers.clear()


def recognise(
    framing: Framing,
    profiles: Sequence[Profile],
    *,
    unit: int,
    timeout_s: float,
    settings: SerialSettings | None = None,
) -> Conversation[Recognised]:
    """Ask the device at `unit` what each model would, and tell which one it is. Raises LinkLost only."""
    once = _Once(framing)
    certain: list[Profile] = []
    possible: list[Profile] = []
    for profile in profiles:
        if profile.modbus is None:
            continue
        told = yield from _identified(once, profile, unit, timeout_s)
        if told:
            certain.append(profile)
        elif told is None:
            possible.append(profile)
    candidates = yield from _tried(once, certain, unit, timeout_s, certain=True)
    if all(one.verdict.objection for one in candidates):  # a marker may stand in another model's registers by chance
        candidates += yield from _tried(once, possible, unit, timeout_s, certain=False)
    return (yield from _with_serial(once, choose(candidates, settings), unit, timeout_s))


def _tried(
    framing: Framing, profiles: Iterable[Profile], unit: int, timeout_s: float, *, certain: bool
) -> Conversation[list[Candidate]]:
    """What each of these models makes of the device; those that cannot be read are left out."""
    candidates: list[Candidate] = []
    silent = 0
    for profile in profiles:
        try:
            measured = yield from ModbusMeter(profile, unit, framing).conversation(timeout_s)
        except ConfigError:
            continue  # no address of this model
        except LinkLost:
            raise
        except MeterError as error:
            if certain and profile.modbus and profile.modbus.sunspec is None:
                candidates.append(Candidate(profile, True, Verdict(str(error))))  # it is one, but not a whole one
            silent += isinstance(error, Unreachable)
            if silent > _SILENT_MAX:
                break
            continue
        candidates.append(Candidate(profile, certain, judge(profile, measured), measured))
    return candidates


def _identified(framing: Framing, profile: Profile, unit: int, timeout_s: float) -> Conversation[bool | None]:
    """Whether the device says that it is this model; None = the model cannot be told so."""
    assert profile.modbus is not None
    identity = profile.modbus.identity
    if profile.modbus.sunspec is not None:
        for base in profile.modbus.sunspec.bases:
            function = profile.modbus.registers[0].function
            if (yield from _words(framing, Request(unit, function, base, 2), timeout_s)) == MARKER:
                return True
        return False
    if not identity.report_id and not identity.markers:
        return None
    report = b""
    if identity.report_id:
        try:
            report = (yield from framing.exchange(Request(unit, REPORT_ID), timeout_s)).data
        except LinkLost:
            raise
        except MeterError:
            return False
    words: dict[tuple[int, int], int] = {}
    for marker in identity.markers:
        heard = yield from _words(framing, Request(unit, marker.function, marker.address, 1), timeout_s)
        if heard:
            words[marker.function, marker.address] = heard[0]
    if not matches(identity, report, words):
        return False
    return True if identifies(identity) else None


def _words(framing: Framing, request: Request, timeout_s: float) -> Conversation[tuple[int, ...]]:
    try:
        return (yield from framing.exchange(request, timeout_s)).words
    except LinkLost:
        raise
    except MeterError:
        return ()


def _with_serial(framing: Framing, found: Recognised, unit: int, timeout_s: float) -> Conversation[Recognised]:
    number = found.model.modbus.identity.serial_number if found.model and found.model.modbus else None
    if number is None:
        return found
    try:
        text = yield from read_serial(framing, number, unit=unit, timeout_s=timeout_s)
    except LinkLost:
        raise
    except MeterError:
        text = ""
    return Recognised(found.model, found.certain, found.also, found.measured, text, found.dead)
