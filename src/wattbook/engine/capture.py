"""A live meter recorded: asked once, or explored, through any kind of line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from wattbook.codecs.conversation import Conversation
from wattbook.codecs.modbus_ask import Framing, Rtu, Tcp
from wattbook.codecs.modbus_record import Exchange, Recorder, capture_text, scrubbed
from wattbook.drivers.explore import BLOCK_COUNT, PAUSE_S, explore, record_model
from wattbook.engine.once import ASKED_TIMEOUT_S, play_on_line, play_on_stream
from wattbook.model import Clock, ConfigError, MeterError
from wattbook.profiles import Profile, SerialSettings
from wattbook.transports.ports import is_modbus_tcp, scheme_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Captured:
    """A capture's text, and what people should know of it."""

    text: str
    exchanges: int
    notes: Sequence[str]


def capture_model(port: str, profile: Profile, address: int | str | None, *, baud: int, clock: Clock) -> Captured:
    """Record a meter of a known model. Raises ConfigError, Unreachable, Garbled or Refused."""
    if profile.modbus is None:
        raise ConfigError(
            f'"{profile.name}" speaks {profile.protocol}; captures are made of Modbus meters. For others keep what '
            "`wattbook read --raw` shows"
        )
    settings = replace(profile.serial, baud=baud or profile.serial.baud)
    heard, missed = _play(port, settings, lambda framing: record_model(framing, profile, address, ASKED_TIMEOUT_S))
    header = _header(port, settings, clock, f"model {profile.name}")
    clean = scrubbed(heard, profile.modbus)
    return Captured(capture_text(clean, [*header, *(f"not had: {note}" for note in missed)]), len(heard), missed)


def capture_registers(
    port: str,
    settings: SerialSettings,
    *,
    unit: int,
    function: int,
    addresses: range,
    clock: Clock,
    pause_s: float = PAUSE_S,
    block: int = BLOCK_COUNT,
    zero: frozenset[int] = frozenset(),
    told: Callable[[int], None] = lambda count: None,
) -> Captured:
    """Record registers of a device nobody knows. Raises Unreachable or Garbled when it does not answer at all."""
    heard, found = _play(
        port,
        settings,
        lambda framing: explore(
            framing, unit=unit, function=function, addresses=addresses, timeout_s=ASKED_TIMEOUT_S, pause_s=pause_s,
            block=block, told=told,
        ),
    )  # fmt: skip
    holes = ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in found.holes)
    notes = [f"not readable: {holes}"] if holes else []
    header = [
        *_header(port, settings, clock, f"function {function}, registers {addresses[0]}-{addresses[-1]}"),
        *notes,
        "An unknown register may hold a serial number: look through before you give it away (--zero FIRST-LAST).",
    ]
    return Captured(capture_text(scrubbed(heard, None, zero), header), len(heard), notes)


def _header(port: str, settings: SerialSettings, clock: Clock, what: str) -> list[str]:
    """When and how, without the port's path or address."""
    kind = scheme_of(port) or "serial"
    wire = "" if is_modbus_tcp(port) else f", {settings.baud} Bd {settings.characters}"
    return [
        f"captured by wattbook on {clock.now():%Y-%m-%d}: {what}",
        f"port: {kind}{wire}; serial numbers are replaced by zeros; frames as on a serial line",
    ]


def _play(
    port: str, settings: SerialSettings, conversation: Callable[[Recorder], Conversation[T]]
) -> tuple[list[Exchange], T]:
    def recorder(framing: Framing) -> Recorder:
        return Recorder(framing, [])

    try:
        if is_modbus_tcp(port):
            mine = recorder(Tcp())
            return mine.heard, asyncio.run(play_on_stream(port, conversation(mine)))
        mine = recorder(Rtu())
        return mine.heard, play_on_line(port, settings, conversation(mine))
    except MeterError as error:
        raise error if error.meter else type(error)(str(error), meter="the meter") from error
