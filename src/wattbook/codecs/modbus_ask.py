"""Asking a Modbus slave, as conversations: over a serial line (`Rtu`) or TCP (`Tcp`).

    words = yield from read(Rtu(), unit=4, function=4, address=0, count=9, timeout_s=0.5)

All raise Unreachable (silence), Garbled (a check failed) or Refused (an exception of the slave, with its code).
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from wattbook.codecs.conversation import Conversation, Receive, Send
from wattbook.codecs.crc import crc_modbus
from wattbook.codecs.modbus import (
    BROADCAST,
    ERROR_BIT,
    EXCEPTION_SIZE,
    EXCEPTION_WORDS,
    PLAIN_FUNCTIONS,
    PLAIN_SIZE,
    READ_COILS,
    READ_DISCRETE,
    READ_HOLDING,
    READ_INPUT,
    REPORT_ID,
    WRITE_COIL,
    WRITE_MANY,
    WRITE_ONE,
    WRITES,
    Request,
    Response,
    parse_response_pdu,
    request_pdu,
    response_pdu_size,
    rtu_frame,
    tcp_frame,
)
from wattbook.model.errors import Garbled, Refused, Unreachable

_LEAD_IN_MAX = 3  # bytes: a glitch when the sender of an RS-485 line switches on, seldom more than one
_GAP_S = 0.1  # from byte to byte: USB adapters hold bytes for 16 ms, a busy machine for more
_READS = (READ_HOLDING, READ_INPUT)
_BIT_READS = (READ_COILS, READ_DISCRETE)
_ECHOED = (WRITE_COIL, WRITE_ONE)  # their confirmation is the request itself
_KNOWN_MAX = 1024  # exchanges; a full line of 247 meters with four blocks each
_RTU_SIZE_MAX = 1024  # an echo, a lead-in and the largest frame (256) four times over
_TCP_SIZE_MAX = 16_384  # late answers (260 each) of a gateway that was stuck for a minute
_TCP_DATA_AT = 9  # of a read's answer: behind transaction, protocol, length, unit, function and number of bytes
_PASSED_MAX = 256  # late answers of one conversation: whoever looks at them does so after each
_TCP_LENGTHS = (3, 254)  # of what follows the length: unit, function and at least a byte, up to the largest PDU


class OutOfStep(Garbled):
    """A stream lost its place: only a new connection is sure to find it again."""


class Framing(Protocol):
    """How a PDU travels. One per line; it remembers what that line taught."""

    def exchange(self, request: Request, timeout_s: float) -> Conversation[Response]:
        """Ask and return the slave's answer, which is not an exception."""
        ...

    def reset(self) -> None:
        """Forget what the present connection taught: it is a new one."""
        ...


class Rtu:
    """Frames on a serial line, or on a TCP connection to a serial server."""

    def __init__(self) -> None:
        self.echoes = False  # the adapter gives back what it sends; learnt from the first read
        self._known: dict[tuple[Request, float, bool], tuple[Send, Receive]] = {}

    def exchange(self, request: Request, timeout_s: float) -> Conversation[Response]:
        """Ask and return the slave's answer, which is not an exception."""
        send, receive = self._steps(request, timeout_s)
        yield send
        heard = yield receive
        count = request.count
        if (
            request.function in _READS
            and len(heard) == 5 + 2 * count
            and heard[:3] == bytes((request.unit, request.function, 2 * count))
            and not crc_modbus(heard)
        ):  # nearly all answers; the others are looked at closely
            return Response(request.unit, request.function, struct.unpack_from(f">{count}H", heard, 3))
        echo = self._echo(request, send.data)
        if echo and heard.startswith(echo):
            self.echoes = True
            heard = heard[len(echo) :]
        return _answered(request, _open_rtu(request, heard))

    def _echo(self, request: Request, frame: bytes) -> bytes:
        """What the line may give back before the answer. The answer to a single write or a plain command looks
        like its own echo: whether to wait for a second one was learnt from reads."""
        alike = request.function in _ECHOED or request.function in PLAIN_FUNCTIONS
        return frame if self.echoes or not alike else b""

    def _steps(self, request: Request, timeout_s: float) -> tuple[Send, Receive]:
        """The steps of an exchange, made once: the same requests are asked again and again."""
        key = (request, timeout_s, self.echoes)
        steps = self._known.get(key)
        if steps is None:
            frame = rtu_frame(request.unit, request_pdu(request))
            missing = _rtu_missing(request, self._echo(request, frame))
            steps = Send(frame), Receive(missing, timeout_s, _GAP_S, _RTU_SIZE_MAX)
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            self._known[key] = steps
        return steps

    def reset(self) -> None:
        """Forget what the adapter taught: it may be another one."""
        self.echoes = False


def _rtu_missing(request: Request, echo: bytes) -> Callable[[bytes], int]:
    """What an answer still lacks. An exception, or bytes that cannot become the answer, end early."""

    least = PLAIN_SIZE if request.function in PLAIN_FUNCTIONS else EXCEPTION_SIZE

    def missing(heard: bytes) -> int:
        if echo and len(heard) > 2 and echo.startswith(heard):
            return len(echo) - len(heard) + least
        if echo and heard.startswith(echo):
            heard = heard[len(echo) :]
        if len(heard) < least:
            return least - len(heard)
        start = _start(request, heard)
        if start < 0 or (size := _rtu_size(heard[start:])) == 0:
            return 0
        return max(0, start + size - len(heard))

    return missing


def _start(request: Request, heard: bytes) -> int:
    """Where the answer begins, after at most a glitch; -1 = nowhere."""
    for start in range(min(_LEAD_IN_MAX + 1, len(heard) - 1)):
        if heard[start] == request.unit and heard[start + 1] & ~ERROR_BIT == request.function:
            return start
    return -1


def _rtu_size(frame: bytes) -> int:
    """The size of the frame that begins so; 0 when it cannot be told."""
    if len(frame) < 3:
        return EXCEPTION_SIZE
    size = response_pdu_size(frame[1:])
    return size + 3 if size else 0


def _open_rtu(request: Request, heard: bytes) -> bytes:
    """The PDU in what was heard. What follows a complete frame is noise."""
    if not heard:
        raise Unreachable("no answer")
    start = _start(request, heard)
    if start < 0:
        raise Garbled(f"an answer of somebody else, or noise: {heard[:8].hex(' ')}")
    frame = heard[start : start + _rtu_size(heard[start:])]
    if len(frame) < 4 or len(frame) < _rtu_size(heard[start:]):
        raise Garbled(f"the answer was cut after {len(frame)} bytes", offset=len(heard))
    if crc_modbus(frame):
        raise Garbled("wrong CRC", offset=start + len(frame) - 2)
    return frame[1:-2]


@dataclass(frozen=True, slots=True)
class _TcpSteps:
    """An exchange made ready. Frames lack the transaction, their first two bytes."""

    asked: bytes
    usual: bytes  # how the answer of a read begins: all that is checked of it
    usual_size: int  # of that answer; 0 = not a read
    unpack: Callable[[bytes, int], tuple[int, ...]]
    receive: Receive


class Tcp:
    """Numbered frames on one TCP connection. Late answers to earlier requests are recognised and dropped."""

    def __init__(self) -> None:
        self.transaction = 0  # of the last request
        self.passed: deque[int] = deque(maxlen=_PASSED_MAX)  # of late answers, until somebody takes them
        self._rest = b""  # of an answer that was cut by a time-out, so that the stream keeps its place
        self._usual = b""  # how the answer to the present request begins, unless something is unusual
        self._usual_size = 0
        self._known: dict[tuple[Request, float], _TcpSteps] = {}

    def exchange(self, request: Request, timeout_s: float) -> Conversation[Response]:
        """Ask and return the slave's answer, which is not an exception."""
        steps = self._known.get((request, timeout_s)) or self._remember(request, timeout_s)
        self.transaction = transaction = self.transaction % 0xFFFF + 1
        number = transaction.to_bytes(2, "big")
        self._usual, self._usual_size = number + steps.usual, steps.usual_size
        yield Send(number + steps.asked)
        heard = yield steps.receive
        if not self._rest and len(heard) == steps.usual_size and heard.startswith(self._usual):
            return Response(request.unit, request.function, steps.unpack(heard, _TCP_DATA_AT))  # nearly all answers
        return self._look(request, self._rest, heard)

    def _look(self, request: Request, rest: bytes, new: bytes) -> Response:
        """Find the answer in whatever came; the stream keeps its place behind it."""
        heard = rest + new
        at, missing = self._find(heard)
        self._pass_by(heard, at)
        self._rest = heard[at:]
        if missing:
            raise Unreachable("the answer was not complete in time" if new else "no answer")
        transaction, protocol, length = struct.unpack_from(">HHH", heard, at)
        if protocol or transaction != self.transaction or not _TCP_LENGTHS[0] <= length <= _TCP_LENGTHS[1]:
            self.reset()
            raise OutOfStep("what came is not Modbus TCP", offset=at)
        size = 6 + length
        self._rest = heard[at + size :][-_TCP_SIZE_MAX:]
        unit, pdu = heard[at + 6], heard[at + 7 : at + size]
        # Some devices answer 0 or 255 for whatever unit was asked: the transaction vouches for the answer.
        return _answered(request, pdu) if unit in (request.unit, 0, 255) else _wrong_unit(request.unit, unit)

    def _pass_by(self, heard: bytes, end: int) -> None:
        """Note whose answers these are, of which nobody waits for one any more."""
        at = 0
        while at < end:
            transaction, _, length = struct.unpack_from(">HHH", heard, at)
            self.passed.append(transaction)
            at += 6 + length

    def _remember(self, request: Request, timeout_s: float) -> _TcpSteps:
        """The steps of an exchange, made once: the same requests are asked again and again."""
        count = request.count if request.function in _READS else 0
        if len(self._known) >= _KNOWN_MAX:
            self._known.clear()
        self._known[request, timeout_s] = steps = _TcpSteps(
            tcp_frame(0, request.unit, request_pdu(request))[2:],
            tcp_frame(0, request.unit, bytes((request.function, 2 * count)) + bytes(2 * count))[2:_TCP_DATA_AT],
            _TCP_DATA_AT + 2 * count if count else 0,
            struct.Struct(f">{count}H").unpack_from,
            Receive(self._missing, timeout_s, timeout_s, _TCP_SIZE_MAX),
        )
        return steps

    def _missing(self, new: bytes) -> int:
        """What the answer still lacks, when `new` came since the request."""
        if len(new) == self._usual_size and not self._rest and new.startswith(self._usual):
            return 0
        return self._find(self._rest + new)[1]

    def reset(self) -> None:
        """Forget the stream: the connection is a new one."""
        self._rest = b""
        self.passed.clear()

    def _find(self, heard: bytes) -> tuple[int, int]:
        """Where our answer or nonsense begins, or the first incomplete frame; and how many bytes must follow."""
        at = 0
        while True:
            if len(heard) - at < 6:
                return at, 9 - (len(heard) - at)
            transaction, protocol, length = struct.unpack_from(">HHH", heard, at)
            if protocol or not _TCP_LENGTHS[0] <= length <= _TCP_LENGTHS[1]:
                return at, 0
            size = 6 + length
            if len(heard) - at < size:
                return at, size - (len(heard) - at)
            if transaction == self.transaction:
                return at, 0
            at += size


def _wrong_unit(asked: int, answered: int) -> Response:
    raise Garbled(f"unit {answered} answered for unit {asked}")


def _answered(request: Request, pdu: bytes) -> Response:
    """The answer, if it fits what was asked and is no exception."""
    response = parse_response_pdu(request.unit, pdu)
    if response.function != request.function:
        raise Garbled(f"an answer to function {response.function} instead of {request.function}")
    if response.exception:
        words = EXCEPTION_WORDS.get(response.exception, "unknown exception")
        raise Refused(f"refused with exception {response.exception} ({words}){_of(request)}", code=response.exception)
    if request.function in WRITES:
        _check_confirmation(request, response)
    elif request.function in _BIT_READS:
        if len(response.data) != (request.count + 7) // 8:
            raise Garbled(f"{len(response.data)} bytes instead of {request.count} bits")
    elif request.count and len(response.words) != request.count:
        raise Garbled(f"{len(response.words)} registers instead of {request.count}")
    return response


def _of(request: Request) -> str:
    """Which registers were asked for, where it was registers."""
    if not request.count or request.function in WRITES or request.function in _BIT_READS:
        return ""
    return f" for registers {request.address}-{request.address + request.count - 1}"


def _check_confirmation(request: Request, response: Response) -> None:
    """Raise Garbled unless what was asked was written."""
    if response.address != request.address:
        raise Garbled(f"a write to {response.address} was confirmed instead of {request.address}")
    if request.function in _ECHOED:
        if response.words != request.words:
            raise Garbled(f"{response.words[0]} was written instead of {request.words[0]}")
    elif response.count != request.count:
        raise Garbled(f"{response.count} registers were written instead of {request.count}")


def read(
    framing: Framing, *, unit: int, address: int, count: int, function: int = READ_INPUT, timeout_s: float = 0.5
) -> Conversation[tuple[int, ...]]:
    """Return `count` registers from `address` (on the wire, 0-based) with function 3 or 4."""
    response = yield from framing.exchange(Request(unit, function, address, count), timeout_s)
    return response.words


def write_register(
    framing: Framing, *, unit: int, address: int, word: int, timeout_s: float = 0.5
) -> Conversation[None]:
    """Write one register with function 6; the slave's confirmation is checked."""
    request = Request(unit, WRITE_ONE, address, 1, (word,))
    yield from _write(framing, request, timeout_s)


def write_registers(
    framing: Framing, *, unit: int, address: int, words: Sequence[int], timeout_s: float = 0.5
) -> Conversation[None]:
    """Write registers with function 16; the slave's confirmation is checked."""
    yield from _write(framing, Request(unit, WRITE_MANY, address, len(words), tuple(words)), timeout_s)


def _write(framing: Framing, request: Request, timeout_s: float) -> Conversation[None]:
    if request.unit == BROADCAST:
        raise ValueError("a broadcast is never confirmed; ask one unit")
    yield from framing.exchange(request, timeout_s)


def report_slave_id(framing: Framing, *, unit: int, timeout_s: float = 0.5) -> Conversation[bytes]:
    """Return what function 17 tells: id, run indicator and whatever the maker adds."""
    response = yield from framing.exchange(Request(unit, REPORT_ID), timeout_s)
    return response.data


def command(framing: Framing, *, unit: int, function: int, timeout_s: float = 0.5) -> Conversation[None]:
    """Give a command that is a function code and nothing else; the device repeats it when it is done."""
    yield from framing.exchange(Request(unit, function), timeout_s)
