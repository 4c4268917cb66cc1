"""CIRBUS meters made of profiles, and the line they hang on: a command ends with its line feed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wattbook.codecs.cirbus import END, START, encode_fields, encode_frame, parse_frame
from wattbook.model.clock import Clock
from wattbook.model.errors import Garbled
from wattbook.model.vocabulary import Kind, quantity
from wattbook.profiles import CirbusAsk, Profile, SerialSettings
from wattbook.simulate.bus import NEVER, Say, Waiting
from wattbook.simulate.faults import Trouble
from wattbook.simulate.source import Source
from wattbook.simulate.statistics import Tally

_HEARD_MAX = 64  # bytes of a command without its end; the longest known takes 40


@dataclass(frozen=True, slots=True)
class CirbusSlave:
    """One meter: it answers the commands of its profile with what its source measures at that instant."""

    name: str
    profile: Profile
    source: Source
    clock: Clock
    trouble: Trouble
    turnaround_s: float = 0.0

    @property
    def powered(self) -> bool:
        """Whether the meter lives now."""
        return self.source.powered(self.clock.now())

    def answer(self, command: bytes) -> bytes | None:
        """The data it answers with; None = it keeps silent, since what a CVMk says to a stranger is not known."""
        assert self.profile.cirbus is not None
        at = self.clock.now()
        for ask in self.profile.cirbus.asks:
            if ask.code.encode() == command:
                told = {name: self.source.value(name, at) for name in ask.quantities if name}
                fitting = {name: _fit(ask, name, value) for name, value in told.items() if value is not None}
                return encode_fields(ask, fitting)
        return None


def _fit(ask: CirbusAsk, name: str, value: float) -> float:
    """What a field can show: a register starts again at its end, a gauge stops there."""
    most = ask.scale.value(10**ask.digits - 1)
    if quantity(name).kind is Kind.REGISTER:
        return value % (most + ask.scale.value(1))
    return min(max(value, -ask.scale.value(10 ** (ask.digits - 1) - 1)), most)


class CirbusBus:
    """Meters on one line. They hear a command from its `$` on and answer after its line feed."""

    def __init__(self, slaves: Mapping[int, CirbusSlave], serial: SerialSettings, tally: Tally) -> None:
        """`slaves`: address -> the meter."""
        self._slaves, self._serial, self._tally = slaves, serial, tally
        self._heard = bytearray()
        self._heard_until = -NEVER
        self._began_at = 0.0
        self._waiting = Waiting()

    def listening(self) -> SerialSettings:
        """One speed."""
        return self._serial

    def hear(self, data: bytes, at: float) -> None:
        """Take bytes of commands; each that is complete is understood at once and answered when it is through."""
        self._heard_until = max(self._heard_until, at)
        for byte in data:
            if not self._heard:
                self._began_at = self._heard_until
            self._heard_until += self._serial.character_s
            self._heard.append(byte)
            if byte == END[0] or len(self._heard) >= _HEARD_MAX:
                message = bytes(self._heard)
                self._heard.clear()
                self._understand(message, self._heard_until)

    def due(self) -> float:
        """When an answer is to begin."""
        return self._waiting.due

    def judged_from(self) -> float:
        """No silence is owed here."""
        return NEVER

    def act(self, now: float) -> Sequence[Say]:
        """Give the answers whose time has come."""
        return self._waiting.take(now)

    def said(self, say: Say, at: float) -> None:
        """Count the answer."""
        if say.meter:
            self._tally.answer(say.meter, at, due_s=say.due_s, late_s=at - say.end)

    def reset(self) -> None:
        """Forget what was begun."""
        self._heard.clear()
        self._waiting.clear()
        self._heard_until = -NEVER

    def _understand(self, message: bytes, ended_at: float) -> None:
        self._tally.request(self._began_at)
        try:
            address, command = parse_frame(message[max(message.find(START), 0) :])
        except Garbled:
            self._tally.garbled()
            return
        if address in self._slaves:
            self._answer(self._slaves[address], address, command, len(message), ended_at)

    def _answer(self, slave: CirbusSlave, address: int, command: bytes, size: int, ended_at: float) -> None:
        self._tally.asked(slave.name)
        faults = slave.trouble.now(ended_at)
        if faults.silent or not slave.powered or (data := slave.answer(command)) is None:
            return
        answer = encode_frame(address, data)
        due_s = (size + len(answer)) * self._serial.character_s
        spoken = slave.trouble.noise(faults.noise_before) + slave.trouble.damage(answer, faults)
        say = Say(spoken, ended_at + slave.turnaround_s + faults.late_s, self._serial, slave.name, due_s)
        self._waiting.add(say)
        if faults.noise_after:
            self._waiting.add(Say(slave.trouble.noise(faults.noise_after), say.end, self._serial))
