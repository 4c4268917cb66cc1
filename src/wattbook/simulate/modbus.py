"""Modbus slaves made of profiles, and the bus that tells their messages apart by silence, as real ones do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from wattbook.codecs.modbus import (
    BROADCAST,
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    READ_HOLDING,
    READ_INPUT,
    REPORT_ID,
    WRITE_MANY,
    WRITE_ONE,
    Request,
    Response,
    encode_response,
    frame_silence_s,
    parse_request,
)
from wattbook.model.clock import Clock
from wattbook.model.errors import Garbled
from wattbook.profiles import ModbusSettings, Profile, SerialSettings
from wattbook.simulate.bus import NEVER, Say, Waiting
from wattbook.simulate.faults import Trouble
from wattbook.simulate.memory import Memory
from wattbook.simulate.port import garbage
from wattbook.simulate.source import Source
from wattbook.simulate.statistics import Tally

MESSAGE_MAX = 256  # bytes of an RTU message; a longer one is noise
_RUNNING = 0xFF  # the run indicator of function 17


class ModbusSlave:
    """One device: registers of its profile, filled from its source at the instant of each request."""

    def __init__(self, name: str, profile: Profile, source: Source, clock: Clock, trouble: Trouble) -> None:
        assert profile.modbus is not None, f"{profile.name} is no Modbus model"
        self.name, self.trouble = name, trouble
        self._settings: ModbusSettings = profile.modbus
        self.unit = profile.modbus.address_default  # until it is mounted, or told another one
        self._report = (profile.modbus.identity.report_id or profile.title).encode()
        self._source, self._clock = source, clock
        self._memory = Memory(name, profile, source)

    @property
    def powered(self) -> bool:
        """Whether the device lives now."""
        return self._source.powered(self._clock.now())

    def hears(self, unit: int) -> bool:
        """Whether it answers to this address: its own, or the one that whoever is alone answers to."""
        return unit == self.unit or (unit != 0 and unit == self._settings.address_general)

    def answer(self, request: Request) -> Response:
        """What the device says to this: registers, an echo, its name, or an exception."""
        code = self._objection(request)
        if code:
            return Response(request.unit, request.function, exception=code)
        at = self._clock.now()
        match request.function:
            case 3 | 4:
                words = self._memory.read(request.function, request.address, request.count, at)
                return Response(request.unit, request.function, words)
            case 6 | 16:
                for address, word in enumerate(request.words, request.address):
                    self._take(address, word, request.function, at)
                words_back = request.words if request.function == WRITE_ONE else ()
                return Response(request.unit, request.function, words_back, request.address, request.count)
            case 17:
                return Response(request.unit, REPORT_ID, data=bytes((request.unit, _RUNNING)) + self._report)
            case _:
                self._memory.reset_energy(at)
                return Response(request.unit, request.function)

    def _take(self, address: int, word: int, function: int, at: datetime) -> None:
        """A word that was written: kept, and obeyed where it is a command."""
        self._memory.write(address, word)
        named = {name for name, command in self._settings.commands.items() if command.address == address}
        if "set-address" in named:
            self.unit = word
        reset = self._settings.commands.get("reset-energy")
        if "reset-energy" in named and reset and reset.word == word and reset.function == function:
            self._memory.reset_energy(at)

    def _objection(self, request: Request) -> int:
        """The exception this request deserves; 0 = none."""
        function = request.function
        if function == REPORT_ID or function in self._plain_commands():
            return 0
        if function not in (READ_HOLDING, READ_INPUT, WRITE_ONE, WRITE_MANY):
            return ILLEGAL_FUNCTION
        kept = READ_HOLDING if function in (WRITE_ONE, WRITE_MANY) else function
        if not self._memory.has_function(kept):
            return ILLEGAL_FUNCTION
        if not 1 <= request.count <= self._settings.read_max or (
            function == WRITE_MANY and len(request.words) != request.count
        ):
            return ILLEGAL_VALUE
        if not self._memory.answers(kept, request.address, request.count):
            return ILLEGAL_ADDRESS
        return ILLEGAL_VALUE if self._bad_address(request) else 0

    def _bad_address(self, request: Request) -> bool:
        """Whether it is told to take an address that no device can have."""
        command = self._settings.commands.get("set-address")
        written = dict(enumerate(request.words, request.address))
        if command is None or command.address not in written:
            return False
        return not 1 <= written[command.address] <= self._settings.address_max

    def _plain_commands(self) -> set[int]:
        return {command.function for command in self._settings.commands.values() if command.address is None}


@dataclass(slots=True)
class _Message:
    """What is being heard: it ends with silence after its last byte."""

    data: bytearray
    ends_at: float
    early: bool  # it began before the silence that it owes


class ModbusBus:
    """Slaves on an RTU line. A request ends by silence; the answer begins after it, plus the slave's turnaround."""

    def __init__(
        self,
        slaves: Mapping[int, tuple[ModbusSlave, float]],
        serial: SerialSettings,
        tally: Tally,
        *,
        strict: bool = True,
    ) -> None:
        """`slaves`: unit -> the slave and its turnaround in seconds."""
        self._slaves, self._serial, self._tally, self._strict = list(slaves.values()), serial, tally, strict
        for unit, (slave, _) in slaves.items():
            slave.unit = unit
        self._silence_s = frame_silence_s(serial.character_s)
        self._message: _Message | None = None
        self._waiting = Waiting()
        self._quiet_since = -NEVER

    def listening(self) -> SerialSettings:
        """RTU keeps one speed."""
        return self._serial

    def hear(self, data: bytes, at: float) -> None:
        """Add to the message that is being heard, or begin one."""
        if self._message is None:
            gap_s = at - self._quiet_since
            if gap_s < NEVER:
                self._tally.gap(gap_s, least_s=self._silence_s, strict=self._strict)
            self._tally.request(at)
            self._message = _Message(bytearray(), at, early=gap_s < self._silence_s)
        message = self._message
        message.data += data[: MESSAGE_MAX + 1 - len(message.data)]
        message.ends_at = max(message.ends_at, at) + len(data) * self._serial.character_s

    def due(self) -> float:
        """When the message is over, or an answer is to begin."""
        heard = NEVER if self._message is None else self._message.ends_at + self._silence_s
        return min(heard, self._waiting.due)

    def judged_from(self) -> float:
        """The end of the silence after what was said last."""
        return self._quiet_since + self._silence_s if self._message is None else NEVER

    def act(self, now: float) -> Sequence[Say]:
        """Understand a message that is over, and give the answers whose time has come."""
        message = self._message
        if message is not None and message.ends_at + self._silence_s <= now:
            self._message, self._quiet_since = None, message.ends_at
            if not (message.early and self._strict):
                self._understand(bytes(message.data), message.ends_at)
        return self._waiting.take(now)

    def said(self, say: Say, at: float) -> None:
        """Count the answer; the silence before the next request runs from here."""
        if say.meter:
            self._tally.answer(say.meter, at, due_s=say.due_s, late_s=at - say.end)
            self._quiet_since = at

    def reset(self) -> None:
        """Forget what was begun."""
        self._message = None
        self._waiting.clear()
        self._quiet_since = -NEVER

    def _understand(self, data: bytes, ended_at: float) -> None:
        try:
            request = parse_request(data)
        except Garbled:
            self._tally.garbled()
            return
        if request.unit == BROADCAST:
            for slave, _ in self._slaves:
                slave.answer(request)
            return
        called = [(slave, turnaround_s) for slave, turnaround_s in self._slaves if slave.hears(request.unit)]
        for slave, turnaround_s in called:
            self._answer(slave, turnaround_s, request, len(data), ended_at, alone=len(called) == 1)

    def _answer(
        self,
        slave: ModbusSlave,
        turnaround_s: float,
        request: Request,
        size: int,
        ended_at: float,
        *,
        alone: bool,
    ) -> None:
        self._tally.asked(slave.name)
        faults = slave.trouble.now(ended_at)
        if faults.silent or not slave.powered:
            return
        response = slave.answer(request)
        if faults.exception:
            response = Response(request.unit, request.function, exception=faults.exception)
        answer = encode_response(response)
        due_s = (size + len(answer)) * self._serial.character_s + 2 * self._silence_s
        if not alone:  # two that speak at once spoil each other's bytes
            answer = garbage(answer)
        data = slave.trouble.noise(faults.noise_before) + slave.trouble.damage(answer, faults)
        start = ended_at + self._silence_s + turnaround_s + faults.late_s
        say = Say(data, start, self._serial, slave.name, due_s)
        self._waiting.add(say)
        if faults.noise_after:
            self._waiting.add(Say(slave.trouble.noise(faults.noise_after), say.end, self._serial))
