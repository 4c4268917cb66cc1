"""One reading of one meter, now: `wattbook read`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from wattbook.codecs.conversation import Conversation
from wattbook.codecs.decoder import make_decoder
from wattbook.codecs.measured import Measured
from wattbook.codecs.modbus_ask import Rtu, Tcp
from wattbook.codecs.telegram import Damage, plain_id
from wattbook.drivers.asked import Asked, make_asked
from wattbook.drivers.host import PORT as HOST
from wattbook.drivers.host import Host
from wattbook.engine.take_turns import SharedLine
from wattbook.model import Clock, ConfigError, Garbled, MeterError, Reading, Refused, Unreachable
from wattbook.profiles import Profile, SerialSettings
from wattbook.transports.open import open_link
from wattbook.transports.play import Player, Wire
from wattbook.transports.ports import is_modbus_tcp, modbus_address
from wattbook.transports.stream import connect
from wattbook.transports.tls import TlsSettings, tls_context

ASKED_TIMEOUT_S = 1.0  # a Modbus meter's first byte; nobody else waits for the line
LISTEN_S_MAX = 15.0  # three telegrams of meters that speak every 5 s; P1 meters speak every 1 or 10 s
_ADVICE = "check the wiring, the address, the speed and the model"
_LACKING = (1, 2, 3)  # exceptions that mean the registers, not the moment
_LACKS = "check the model; what this device lacks is left out with `quantities` under [[meter]]"

T = TypeVar("T")
Heard = Callable[[int], None]


def _ignore(size: int) -> None:
    """Nobody watches the progress."""


def read_once(
    port: str,
    profile: Profile,
    address: int | str | None,
    *,
    clock: Clock,
    baud: int = 0,
    tls: TlsSettings | None = None,
    heard: Heard = _ignore,
    wire: Wire | None = None,
) -> Reading:
    """Ask or hear one meter once. `heard` is told the bytes of its answer, `wire` (">" or "<", bytes) sees all bytes.

    `tls` is for `tls://`: whom to trust, and our own certificate.

    Raises ConfigError for what can never work, Unreachable, Garbled or Refused for what the meter did.
    """
    name = str(address) if address not in (None, "") else profile.name
    if profile.protocol in ("mqtt", "push"):
        raise ConfigError(f'a meter of model "{profile.name}" has no line to read from; run the daemon')
    if (port == HOST) != (profile.protocol == "host"):
        raise ConfigError(f"{HOST} is this machine itself and goes with a model of it: --model host")
    try:
        if profile.protocol == "host":
            measured = Host(profile, Path()).read()
        elif profile.listens:
            measured = _hear(port, profile, str(address or ""), baud, clock, heard, wire)
        elif profile.protocol == "modbus" and is_modbus_tcp(port):
            asked = make_asked(profile, address, Tcp())
            measured = _asked(
                asked, lambda conversation: asyncio.run(play_on_stream(port, conversation, tls=tls, wire=wire))
            )
        else:
            asked = make_asked(profile, address, Rtu(), baud=baud)
            settings = replace(profile.serial, baud=baud or profile.serial.baud)
            line = partial(play_on_line, port, settings, framed=asked.framed, heard=heard, wire=wire)
            measured = _asked(asked, line)
    except MeterError as error:
        if error.meter:
            raise
        raise type(error)(f"{error}; {_advice(error)}", meter=f"{name} on {port}") from error
    return Reading(name, clock.now(), measured.values, doubt=measured.doubt)


def _advice(error: MeterError) -> str:
    """What to look at."""
    return _LACKS if isinstance(error, Refused) and error.code in _LACKING else _ADVICE


def _asked(meter: Asked, play: Callable[[Conversation[Measured]], Measured]) -> Measured:
    """Ask, and once more after a damaged answer, as the daemon does: noise seldom spoils two in a row."""
    try:
        return play(meter.conversation(ASKED_TIMEOUT_S))
    except Garbled:
        return play(meter.conversation(ASKED_TIMEOUT_S))


def read_in_turn(line: SharedLine, profile: Profile, address: int | str | None, *, clock: Clock) -> Reading:
    """Ask one meter once on a line that the daemon reads, between its polls. Raises as `read_once` does."""
    if profile.protocol != "modbus":
        raise ConfigError(f'line "{line.name}" has Modbus meters, and "{profile.name}" is none')
    name = str(address) if address not in (None, "") else profile.name
    with line.asking() as asking:
        try:
            measured = _asked(make_asked(profile, address, asking.framing), asking.player.play)
        except MeterError as error:
            raise type(error)(f"{error}; {_advice(error)}", meter=f"{name} on line {line.name}") from error
    return Reading(name, clock.now(), measured.values, doubt=measured.doubt)


def play_on_line(
    port: str,
    settings: SerialSettings,
    conversation: Conversation[T],
    *,
    framed: bool = True,
    heard: Heard = _ignore,
    wire: Wire | None = None,
) -> T:
    """Open a line of bytes, have one conversation there, and close it. Raises what either raises."""
    link = open_link(port, settings)
    try:
        return Player(link, framed=framed, heard=heard, wire=wire).play(conversation)
    finally:
        link.close()


async def play_on_stream(
    port: str, conversation: Conversation[T], *, tls: TlsSettings | None = None, wire: Wire | None = None
) -> T:
    """The same over Modbus TCP."""
    where = modbus_address(port)
    context = tls_context(tls or TlsSettings()) if where.tls else None
    stream = await connect(where.host, where.port, tls=context, wire=wire)
    try:
        return await stream.play(conversation)
    finally:
        stream.close()


def _hear(
    port: str, profile: Profile, address: str, baud: int, clock: Clock, heard: Heard, wire: Wire | None
) -> Measured:
    """Listen for one whole telegram of the meter at this address, or of any; what is of no use is passed over while
    there is time."""
    decoder = make_decoder(profile)
    link = open_link(port, replace(profile.serial, baud=baud or profile.serial.baud))
    deadline, size, damage, other = clock.monotonic() + LISTEN_S_MAX, 0, "", ""
    try:
        while clock.monotonic() < deadline:
            data = link.read(0.5)
            size += len(data)
            heard(size)
            if wire and data:
                wire("<", data)
            for item in decoder.feed(data):
                if isinstance(item, Damage):
                    damage = item.message
                elif address and plain_id(address) not in map(plain_id, item.ids):
                    other = f'calls itself "{item.ids[0]}"' if item.ids else "tells no number of its own"
                elif (telegram := item.measured(profile)).values:
                    return Measured(telegram.values, telegram.doubt)
                else:
                    damage = "no value that is known"
    finally:
        link.close()
    if other:
        raise Unreachable(
            f"no meter with this address spoke in {LISTEN_S_MAX:.0f} s; the one that did {other}", meter=port
        )
    said = f"{size} bytes that are no telegram" if size else "nothing"
    said = f"only telegrams of no use ({damage})" if damage else said
    raise Unreachable(f"heard {said} in {LISTEN_S_MAX:.0f} s; check the head, the speed and the model", meter=port)
