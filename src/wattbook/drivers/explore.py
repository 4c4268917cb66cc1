"""An unknown Modbus device read register by register, around what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from wattbook.codecs.conversation import Conversation, Pause
from wattbook.codecs.modbus import Request
from wattbook.codecs.modbus_ask import Framing
from wattbook.codecs.modbus_record import Recorder
from wattbook.drivers.modbus import ModbusMeter
from wattbook.model.errors import Garbled, MeterError, Refused, Unreachable
from wattbook.profiles.profile import Profile

BLOCK_COUNT = 32  # registers a request: many devices bear no more, and it halves evenly down to single ones
PAUSE_S = 0.1  # between requests: weak processors lose the one after an odd one
SILENCES_MAX = 8  # in a row after it had answered: then it is gone
_TRIES = 2  # of what was damaged or silent


@dataclass(slots=True)
class Explored:
    """What was found out."""

    holes: list[tuple[int, int]]  # first and last address of what was refused or not answered
    asked: int = 0
    silences: int = 0  # in a row


def explore(
    framing: Framing,
    *,
    unit: int,
    function: int,
    addresses: range,
    timeout_s: float,
    pause_s: float = PAUSE_S,
    block: int = BLOCK_COUNT,
    told: Callable[[int], None] = lambda count: None,
) -> Conversation[Explored]:
    """Read all of `addresses`, halving every block that is refused. `told` hears how many are done.

    Raises Unreachable when nothing ever answers, or it falls silent for good.
    """
    found = Explored([])
    waiting = [addresses[at : at + block] for at in range(0, len(addresses), block)][::-1]
    done = 0
    while waiting:
        part = waiting.pop()
        good = yield from _asked(framing, Request(unit, function, part.start, len(part)), timeout_s, pause_s, found)
        if not good and len(part) > 1:
            half = len(part) // 2
            waiting += [part[half:], part[:half]]
            continue
        if not good:
            _add_hole(found.holes, part.start)
        done += len(part)
        told(done)
    return found


def _asked(framing: Framing, request: Request, timeout_s: float, pause_s: float, found: Explored) -> Conversation[bool]:
    """Whether the block could be read. One bad answer is chance, two are none."""
    for left in reversed(range(_TRIES)):
        yield Pause(pause_s)
        found.asked += 1
        try:
            yield from framing.exchange(request, timeout_s)
        except Refused:
            found.silences = 0
            return False
        except (Unreachable, Garbled) as error:
            if left:
                continue
            found.silences += 1
            if found.silences > SILENCES_MAX or found.asked <= _TRIES:
                raise type(error)(
                    f"{error}, {found.silences} times in a row; check wiring, address and speed"
                ) from error
            return False
        found.silences = 0
        return True
    return False


def _add_hole(holes: list[tuple[int, int]], address: int) -> None:
    if holes and holes[-1][1] == address - 1:
        holes[-1] = holes[-1][0], address
    else:
        holes.append((address, address))


def record_model(
    recorder: Recorder, profile: Profile, address: int | str | None, timeout_s: float
) -> Conversation[list[str]]:
    """Read all that a profile knows: its registers, and what it is recognised by. Return what could not be had.

    Raises what reading the registers raises.
    """
    settings = profile.modbus
    assert settings is not None
    meter = ModbusMeter(profile, address, recorder)
    yield from meter.conversation(timeout_s)
    unit = recorder.heard[-1][0].unit
    missed: list[str] = []
    for what, request in _identity_requests(profile, unit):
        yield Pause(max(settings.pause_s, PAUSE_S))
        try:
            yield from recorder.exchange(request, timeout_s)
        except MeterError as error:
            missed.append(f"{what}: {error}")
    return missed


def _identity_requests(profile: Profile, unit: int) -> Iterable[tuple[str, Request]]:
    assert profile.modbus is not None
    identity = profile.modbus.identity
    for marker in identity.markers:
        yield "marker", Request(unit, marker.function, marker.address, 1)
    if serial := identity.serial_number:
        yield "serial number", Request(unit, serial.function, serial.address, serial.count)
    if identity.report_id:
        yield "report of function 17", Request(unit, 17)
