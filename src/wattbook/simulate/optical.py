"""Optical meters of IEC 62056-21 that answer: modes A, B and C, with their speeds and reaction times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from wattbook.codecs.iec62056_21 import BAUDS, BAUDS_B, REACTION_SWIFT_S, encode_block, encode_identification
from wattbook.codecs.iec_text import parse_identification
from wattbook.model.clock import Clock
from wattbook.profiles import Profile, SerialSettings
from wattbook.profiles.profile import REACTION_S
from wattbook.simulate.bus import NEVER, Say
from wattbook.simulate.faults import Trouble
from wattbook.simulate.readout import Readout
from wattbook.simulate.source import Source
from wattbook.simulate.statistics import Tally

ACK_WAIT_S = 2.2  # the longest that IEC 62056-21 lets a meter wait for the acknowledgement
_HEARD_MAX = 256  # bytes kept while waiting for a request: its longest form takes 40
_SIGN_ON = re.compile(rb"/([?1-4])([0-9A-Za-z ]{0,32})!\r\n")
_ACK = re.compile(rb"\x06([0-9])([0-9A-Z])([0-9])\r\n")
_READ_OUT = b"0"  # Y of the acknowledgement: data readout


@dataclass(frozen=True, slots=True)
class OpticalMeter:
    """One meter as it is asked: its identification says which speed it offers."""

    name: str
    profile: Profile
    readout: Readout
    source: Source
    trouble: Trouble
    address: str = ""  # leading zeros do not count; "" answers to any
    turnaround_s: float = 0.0
    baud: int = 9600  # offered in modes B and C

    @property
    def mode(self) -> str:
        """A, B or C."""
        return self.profile.iec.mode if self.profile.iec else "C"

    @property
    def identification(self) -> bytes:
        """Its line, with the letter of the speed it offers."""
        codes = {baud: code for code, baud in (BAUDS_B if self.mode == "B" else BAUDS).items()}
        known = parse_identification(f"/{self.readout.identification}\r\n".encode())
        speed = " " if self.mode == "A" else codes.get(self.baud, known.speed)
        return encode_identification(replace(known, speed=speed).encode().decode()[1:-2])

    @property
    def reaction_s(self) -> float:
        """What it, and its reader, must wait between two messages."""
        return REACTION_SWIFT_S if self.identification[3:4].islower() else REACTION_S

    def is_called(self, address: str) -> bool:
        """Whether a sign-on with this address means it; one without means everybody."""
        return not address.strip("0 ") or not self.address or address.strip().lstrip("0") == self.address.lstrip("0")


@dataclass(slots=True)
class _Talk:
    """A dialogue begun: who answers, and how long the acknowledgement is awaited."""

    meter: OpticalMeter
    due_s: float  # what the whole readout takes at the least, as far as it is known
    identified_at: float = NEVER
    until: float = NEVER


class OpticalBus:
    """Meters under one head. All listen at the start speed; an answer may come at another."""

    def __init__(self, meters: Sequence[OpticalMeter], serial: SerialSettings, tally: Tally, clock: Clock) -> None:
        self._meters, self._serial, self._tally, self._clock = meters, serial, tally, clock
        self._heard = bytearray()
        self._heard_until = 0.0
        self._talk: _Talk | None = None
        self._waiting: list[Say] = []
        self._spoke_at = -NEVER

    def listening(self) -> SerialSettings:
        """The start speed: the acknowledgement comes at it too."""
        return self._serial

    def hear(self, data: bytes, at: float) -> None:
        """Take bytes of a sign-on or an acknowledgement; what comes while a meter talks is lost."""
        if at <= self._spoke_at or self._waiting:
            return
        self._heard_until = max(self._heard_until, at) + len(data) * self._serial.character_s
        self._heard += data
        del self._heard[:-_HEARD_MAX]
        if self._talk is not None and (ack := _ACK.search(self._heard)):
            self._acknowledged(self._talk, at, *ack.groups())
        elif sign_on := _SIGN_ON.search(self._heard):
            self._signed_on(sign_on[2].decode(), len(sign_on[0]), at)

    def due(self) -> float:
        """When an answer begins, or waiting for the acknowledgement ends."""
        if self._waiting:
            return self._waiting[0].start
        return NEVER if self._talk is None else self._talk.until

    def judged_from(self) -> float:
        """Nobody is judged to the tenth of a millisecond here."""
        return NEVER

    def act(self, now: float) -> Sequence[Say]:
        """Begin what is due; without an acknowledgement the data comes at the start speed."""
        if not self._waiting and self._talk is not None and self._talk.until <= now:
            self._read_out(self._talk, now, self._serial.baud)
        says, self._waiting = self._waiting, []
        return says

    def said(self, say: Say, at: float) -> None:
        """After the identification the acknowledgement is awaited; after the data the poll is counted."""
        self._spoke_at = at
        if say.meter:
            self._tally.answer(say.meter, at, due_s=say.due_s, late_s=at - say.end)
        elif self._talk is not None:
            self._talk.identified_at, self._talk.until = at, at + ACK_WAIT_S

    def reset(self) -> None:
        """Forget what was begun."""
        self._heard.clear()
        self._waiting, self._talk = [], None

    def _signed_on(self, address: str, size: int, at: float) -> None:
        self._heard.clear()
        self._talk = None
        self._tally.request(at)
        meter = next((meter for meter in self._meters if meter.is_called(address)), None)
        if meter is None:
            self._tally.garbled()
            return
        self._tally.asked(meter.name)
        faults = meter.trouble.now(at)
        if faults.silent or not meter.source.powered(self._clock.now()):
            return
        identification = meter.identification
        start = self._heard_until + meter.reaction_s + meter.turnaround_s + faults.late_s
        due_s = (size + len(identification)) * self._serial.character_s + meter.reaction_s
        noise = meter.trouble.noise(faults.noise_before)
        say = Say(noise + identification, start, self._serial)
        if meter.mode == "C":
            self._talk = _Talk(meter, due_s)
            self._waiting = [say]
            return
        self._waiting = [say, *self._data(meter, say.end, self._speed(meter, identification), due_s)]

    @staticmethod
    def _speed(meter: OpticalMeter, identification: bytes) -> int | None:
        """Mode B changes to what the identification says, mode A stays."""
        return BAUDS_B.get(chr(identification[4])) if meter.mode == "B" else None

    def _acknowledged(self, talk: _Talk, at: float, _protocol: bytes, speed: bytes, mode: bytes) -> None:
        self._heard.clear()
        waited_s = at - talk.identified_at
        self._tally.gap(waited_s, least_s=talk.meter.reaction_s, strict=False)
        talk.due_s += talk.meter.reaction_s + 6 * self._serial.character_s
        if mode != _READ_OUT:
            self._talk = None  # programming mode is not simulated: such a meter keeps silent
            return
        offered = talk.meter.identification[4:5]
        self._read_out(talk, self._heard_until, BAUDS[speed.decode()] if speed == offered else self._serial.baud)

    def _read_out(self, talk: _Talk, ended_at: float, baud: int) -> None:
        self._talk = None
        self._heard.clear()
        self._waiting = self._data(talk.meter, ended_at, baud, talk.due_s)

    def _data(self, meter: OpticalMeter, ended_at: float, baud: int | None, due_s: float) -> list[Say]:
        """The data block; in mode A it follows the identification at once (`baud` is None)."""
        faults = meter.trouble.now(ended_at)
        reaction_s = 0.0 if baud is None else meter.reaction_s
        serial = replace(self._serial, baud=baud or self._serial.baud)
        block = encode_block(meter.readout.at(self._clock.now(), meter.source, serial=meter.address))
        due_s += reaction_s + len(block) * serial.character_s
        start = ended_at + reaction_s + (meter.turnaround_s if reaction_s else 0.0)
        says = [Say(meter.trouble.damage(block, faults), start, serial, meter.name, due_s)]
        if faults.noise_after:
            says.append(Say(meter.trouble.noise(faults.noise_after), says[0].end, serial))
        return says
