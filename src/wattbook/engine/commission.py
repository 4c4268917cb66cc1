"""Tell a device its new address, or to count its energy from zero: who is there is read first, what came of it last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from wattbook.codecs.conversation import Conversation, Pause
from wattbook.codecs.modbus import WRITE_MANY, Request
from wattbook.codecs.modbus_ask import Framing, command, write_register, write_registers
from wattbook.drivers.modbus import ModbusMeter
from wattbook.engine.asking import Asking
from wattbook.engine.recognise import Recognised, recognise
from wattbook.engine.trials import ADDRESSES, FIRST_BYTE_THOROUGH_S, probe_of
from wattbook.model.errors import ConfigError, Garbled, MeterError, Refused, Unreachable
from wattbook.profiles.profile import Command, CommandName, Profile
from wattbook.transports.link import LinkLost

_TIMEOUT_S = 0.5
_TRIES = 3
_AFTERWARDS_S = 0.3  # a device writes its memory, and may start again, before it answers
_BACK_TRIES = 5

Tell = Callable[[int, int], None]
"""Told how many addresses of how many were asked."""


@dataclass(frozen=True, slots=True)
class Present:
    """Who will be given a command, and under which address."""

    unit: int  # to write to
    old: int | None  # its own address; None = it answers to the general one alone
    who: Recognised


def command_of(profile: Profile, name: CommandName) -> Command:
    """A model's command. Raises ConfigError when it has none that is known here."""
    given = profile.modbus.commands.get(name) if profile.modbus else None
    if given is None:
        raise ConfigError(f'the model "{profile.name}" has no command {name} that is known here; see its manual')
    return given


def check_new_address(profile: Profile, new: int, old: int | None) -> None:
    """Raise ConfigError when no device of this model can have the new address, or the old one cannot be named."""
    command_of(profile, "set-address")
    assert profile.modbus is not None
    most = profile.modbus.address_max
    if not 1 <= new <= most or new == profile.modbus.address_general:
        raise ConfigError(f"a {profile.name} takes addresses from 1 to {most}, not {new}")
    if old is None and not profile.modbus.address_general:
        raise ConfigError(f"a {profile.name} has no general address; name its present one with --address")
    if old is not None and not 1 <= old <= 255:
        raise ConfigError(f"its present address is from 1 to {most}, not {old}")
    if old == new:
        raise ConfigError(f"it has the address {new} already")


def find_one(line: Asking, profile: Profile, old: int | None, library: Sequence[Profile], tell: Tell) -> Present:
    """Who answers at `old`, or alone at the general address. Raises MeterError when it is another model, when nobody
    answers, or when more than one device would obey."""
    assert profile.modbus is not None
    if old is not None:
        return Present(old, old, _must_be(line, profile, old, library))
    general = profile.modbus.address_general
    for _ in range(_TRIES):  # two that answer alike may sound like one, once
        try:
            who = _must_be(line, profile, general, library)
        except Garbled as error:
            raise Garbled(
                f"more than one device answers the general address {general} ({error}); connect only one, or name its"
                " present address with --address"
            ) from error
    units = [
        unit for unit in _who_answers(line, profile, tell)
        if line.player.play(recognise(line.framing, [profile], unit=unit, timeout_s=_TIMEOUT_S)).fits(profile.name)
    ]  # fmt: skip
    if len(units) > 1:
        raise Refused(
            f"{len(units)} devices of this model are on the line, at {', '.join(map(str, units))}, and all of them"
            " would obey the general address; name the one with --address"
        )
    return Present(units[0], units[0], who) if units else Present(general, None, who)


def _must_be(line: Asking, profile: Profile, unit: int, library: Sequence[Profile]) -> Recognised:
    """Who answers there, when it can be this model. Raises Unreachable, Garbled, Refused."""
    _answers(line, profile, unit)
    who = line.player.play(recognise(line.framing, library, unit=unit, timeout_s=_TIMEOUT_S))
    if who.fits(profile.name):
        return who
    _answers(line, profile, unit)  # a collision shows now
    told = f"it looks like a {who.model.name}" if who.model else "no model known here fits it"
    raise Refused(f"what answers at address {unit} is no {profile.name}: {told}; nothing was written")


def _answers(line: Asking, profile: Profile, unit: int) -> None:
    """Raise Unreachable when nobody is there, Garbled when the answer's check fails."""
    probe = probe_of(profile)
    request = Request(unit, probe.function, probe.address, probe.count)
    try:
        line.player.play(line.framing.exchange(request, _TIMEOUT_S))
    except Refused:
        pass  # somebody is there
    except LinkLost:
        raise
    except Unreachable as error:
        raise Unreachable(f"nobody answers at address {unit}; check the wiring, the speed and the address") from error


def is_taken(line: Asking, profile: Profile, unit: int) -> bool:
    """Whether somebody answers at an address, cleanly or not."""
    for _ in range(2):
        try:
            _answers(line, profile, unit)
        except LinkLost:
            raise
        except Unreachable:
            continue
        except Garbled:
            return True
        return True
    return False


def _who_answers(line: Asking, profile: Profile, tell: Tell) -> list[int]:
    """All addresses of the line at which somebody answers."""
    probe = probe_of(profile)
    found = []
    for unit in ADDRESSES:
        tell(unit, len(ADDRESSES))
        request = Request(unit, probe.function, probe.address, probe.count)
        try:
            line.player.play(line.framing.exchange(request, FIRST_BYTE_THOROUGH_S + 5 * line.player.character_s))
        except (Refused, Garbled):
            found.append(unit)
        except LinkLost:
            raise
        except MeterError:
            continue
        else:
            found.append(unit)
    return found


def give_address(line: Asking, profile: Profile, present: Present, new: int) -> Recognised:
    """Write the new address and ask at it. Raises MeterError when the same device does not answer there afterwards."""
    given = command_of(profile, "set-address")
    assert given.address is not None
    said = ""
    try:
        line.player.play(_write(line.framing, given, present.unit, new))
    except (LinkLost, Refused):
        raise
    except MeterError as error:
        said = str(error)  # some confirm from the new address, or start again at once: reading back decides
    for _ in range(_BACK_TRIES):
        line.player.play(_pause())
        try:
            who = _must_be(line, profile, new, [profile])
        except LinkLost:
            raise
        except MeterError as error:
            said = str(error)
            continue
        if who.serial_number != present.who.serial_number:
            raise Refused(f"another device (serial number {who.serial_number}) answers at {new}; check the line")
        if present.old is not None and is_taken(line, profile, present.old):
            raise Refused(f"somebody answers at {new} now, but somebody still at {present.old} too; check the line")
        return who
    raise Unreachable(f"the new address {new} was written, but {said}; switch the device off and on, then scan")


def read_counters(line: Asking, profile: Profile, unit: int, *, serial: str = "") -> Mapping[str, float]:
    """The counters of energy as they stand, of the device with this serial number. Raises MeterError."""
    measured = line.player.play(ModbusMeter(profile, unit, line.framing, serial=serial).conversation(_TIMEOUT_S))
    return {name: value for name, value in measured.values.items() if "energy" in name}


def reset_energy(line: Asking, profile: Profile, unit: int) -> Mapping[str, float]:
    """Give the command; return the counters afterwards. Raises MeterError when they did not begin again."""
    given = command_of(profile, "reset-energy")
    before = read_counters(line, profile, unit)
    if given.address is None:
        line.player.play(command(line.framing, unit=unit, function=given.function, timeout_s=_TIMEOUT_S))
    else:
        line.player.play(_write(line.framing, given, unit, given.word or 0))
    line.player.play(_pause())
    after = read_counters(line, profile, unit)
    if not any(after.get(name, value) < value for name, value in before.items()) and any(before.values()):
        raise Refused("the device confirmed the command, but its counters stand as before")
    return after


def _write(framing: Framing, given: Command, unit: int, word: int) -> Conversation[None]:
    assert given.address is not None
    if given.function == WRITE_MANY:
        return write_registers(framing, unit=unit, address=given.address, words=(word,), timeout_s=_TIMEOUT_S)
    return write_register(framing, unit=unit, address=given.address, word=word, timeout_s=_TIMEOUT_S)


def _pause() -> Conversation[None]:
    yield Pause(_AFTERWARDS_S)
