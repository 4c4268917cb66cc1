"""Modbus slaves made of profiles, and the bus that tells their messages apart by silence, as real ones do."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
from wattbook.codecs.registers import encode_register
from wattbook.model.clock import Clock
from wattbook.model.errors import Garbled
from wattbook.model.exact import RAW_MAX
from wattbook.model.vocabulary import Kind, quantity
from wattbook.profiles import ModbusSettings, Profile, Register, SerialSettings
from wattbook.simulate.bus import NEVER, Say
from wattbook.simulate.faults import Trouble
from wattbook.simulate.source import Source
from wattbook.simulate.statistics import Tally

MESSAGE_MAX = 256  # bytes of an RTU message; a longer one is noise
WAITING_MAX = 64  # answers that come late; a reader that asks on meanwhile gets no more
_RUNNING = 0xFF  # the run indicator of function 17


def register_words(register: Register, value: float | None) -> tuple[int, ...]:
    """The words of a value that any meter can show: a counter starts again at its end, a gauge stops there."""
    if value is not None and not register.type.startswith("float"):
        low, high = _range(register)
        if quantity(register.quantity).kind is Kind.REGISTER and not low <= value <= high:
            value %= high + abs(register.scale.value(1))
        value = min(max(value, low), high)
    return encode_register(register, value)


def _range(register: Register) -> tuple[float, float]:
    """What the type holds, in the base unit, and within it what the profile calls possible."""
    bits = 16 * register.count - register.type.startswith("int")
    end = register.scale.value(min(2**bits - 1, RAW_MAX))
    low, high = sorted((-end if register.type.startswith("int") else 0.0, end))
    least, most = register.minimum, register.maximum
    return low if least is None else max(low, least), high if most is None else min(high, most)


class ModbusSlave:
    """One device: registers of its profile, filled from its source at the instant of each request."""

    def __init__(self, name: str, profile: Profile, source: Source, clock: Clock, trouble: Trouble) -> None:
        assert profile.modbus is not None, f"{profile.name} is no Modbus model"
        self.name, self.trouble = name, trouble
        self._settings: ModbusSettings = profile.modbus
        self._title, self._source, self._clock = profile.title, source, clock
        self._written: dict[tuple[int, int], int] = {}
        self._spans = _spans(profile.modbus)

    @property
    def powered(self) -> bool:
        """Whether the device lives now."""
        return self._source.powered(self._clock.now())

    def answer(self, request: Request) -> Response:
        """What the device says to this: registers, an echo, its name, or an exception."""
        code = self._objection(request)
        if code:
            return Response(request.unit, request.function, exception=code)
        match request.function:
            case 3 | 4:
                words = self._words(request)
                places = range(request.address, request.address + request.count)
                return Response(
                    request.unit, request.function, tuple(words.get((request.function, at), 0) for at in places)
                )
            case 6 | 16:
                for at, word in enumerate(request.words, request.address):
                    self._written[READ_HOLDING, at] = word
                words_back = request.words if request.function == WRITE_ONE else ()
                return Response(request.unit, request.function, words_back, request.address, request.count)
            case _:
                return Response(request.unit, REPORT_ID, data=bytes((request.unit, _RUNNING)) + self._title.encode())

    def _words(self, request: Request) -> Mapping[tuple[int, int], int]:
        at = self._clock.now()
        words: dict[tuple[int, int], int] = {}
        for register in self._settings.registers:
            if register.function == request.function and self._touches(register, request):
                value = self._source.value(register.quantity, at)
                for place, word in enumerate(register_words(register, value), register.address):
                    words[register.function, place] = word
        return words | self._written

    @staticmethod
    def _touches(register: Register, request: Request) -> bool:
        return (
            register.address < request.address + request.count and request.address < register.address + register.count
        )

    def _objection(self, request: Request) -> int:
        """The exception this request deserves; 0 = none."""
        function = request.function
        if function == REPORT_ID:
            return 0
        if function not in (READ_HOLDING, READ_INPUT, WRITE_ONE, WRITE_MANY):
            return ILLEGAL_FUNCTION
        kept = READ_HOLDING if function in (WRITE_ONE, WRITE_MANY) else function
        if kept not in self._spans:
            return ILLEGAL_FUNCTION
        if not 1 <= request.count <= self._settings.read_max or (
            function == WRITE_MANY and len(request.words) != request.count
        ):
            return ILLEGAL_VALUE
        first, last = request.address, request.address + request.count - 1
        lowest, highest = self._spans[kept]
        closed = any(of == kept and low <= last and first <= high for of, low, high in self._settings.holes)
        return ILLEGAL_ADDRESS if closed or first < lowest or last > highest else 0


def _spans(settings: ModbusSettings) -> Mapping[int, tuple[int, int]]:
    """Function -> first and last address that is answered; gaps between registers read as 0 unless they are holes."""
    functions = {register.function for register in settings.registers}
    return {
        function: (
            min(register.address for register in settings.registers if register.function == function),
            max(
                register.address + register.count - 1
                for register in settings.registers
                if register.function == function
            ),
        )
        for function in functions
    }


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
        self._slaves, self._serial, self._tally, self._strict = slaves, serial, tally, strict
        self._silence_s = frame_silence_s(serial.character_s)
        self._message: _Message | None = None
        self._waiting: list[tuple[float, int, Say]] = []  # answers to come, the soonest first
        self._numbers = 0
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
        return min(heard, self._waiting[0][0]) if self._waiting else heard

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
        says: list[Say] = []
        while self._waiting and self._waiting[0][0] <= now:
            says.append(heapq.heappop(self._waiting)[2])
        return says

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
            for slave, _ in self._slaves.values():
                slave.answer(request)
        elif request.unit in self._slaves:
            self._answer(*self._slaves[request.unit], request, len(data), ended_at)

    def _answer(self, slave: ModbusSlave, turnaround_s: float, request: Request, size: int, ended_at: float) -> None:
        self._tally.asked(slave.name)
        faults = slave.trouble.now(ended_at)
        if faults.silent or not slave.powered:
            return
        response = slave.answer(request)
        if faults.exception:
            response = Response(request.unit, request.function, exception=faults.exception)
        answer = encode_response(response)
        due_s = (size + len(answer)) * self._serial.character_s + 2 * self._silence_s
        data = slave.trouble.noise(faults.noise_before) + slave.trouble.damage(answer, faults)
        start = ended_at + self._silence_s + turnaround_s + faults.late_s
        say = Say(data, start, self._serial, slave.name, due_s)
        self._later(say)
        if faults.noise_after:
            self._later(Say(slave.trouble.noise(faults.noise_after), say.end, self._serial))

    def _later(self, say: Say) -> None:
        if len(self._waiting) >= WAITING_MAX:
            return
        self._numbers += 1
        heapq.heappush(self._waiting, (say.start, self._numbers, say))
