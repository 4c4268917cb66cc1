"""CIRBUS, the ASCII line protocol of Circutor's first CVMk analysers.

    > $00RVI75 LF                     address, command, check
    < $00 000000231 000000229 … CH LF    (without the blanks) address, fields of equal width, check

The check is the sum of all bytes before it, `$` included, modulo 256, as two upper-case hexadecimal digits. It sees any
single damaged byte. An answer does not name its command, so a profile begins with one whose answer has a length of its
own: an answer that comes too late is then noticed. Source: Circutor CVMk manual; the field widths as lector reads them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from wattbook.codecs.conversation import Conversation, Missing, Pause, Receive, Send, exactly
from wattbook.codecs.measured import Measured
from wattbook.model import Garbled, Refused, Unreachable
from wattbook.profiles.cirbus import ADDRESS_MAX, CirbusAsk, CirbusSettings

START, END = b"$", b"\n"
LEAD_IN_MAX = 3  # bytes: a glitch when the sender of an RS-485 line switches on, seldom more than one
_OVERHEAD = 6  # `$`, address, check and line feed
_GAP_S = 0.1  # from byte to byte: USB adapters hold bytes for 16 ms, a busy machine for more
_MORE_S = 0.03  # as long must be silent what ended before its greatest length: beyond an adapter's 16 ms
_SIZE_MAX = 512  # bytes heard at most: an echo and the longest answer are half of it
_ACK = b"ACK"
_FRAME = re.compile(rb"\$([0-9]{2})([^$\n]*)([0-9A-F]{2})\n")


def check_of(data: bytes) -> bytes:
    """The check of everything from `$` on: check_of(b"$00RVI") is b"75"."""
    return b"%02X" % (sum(data) % 256)


def encode_frame(address: int, data: bytes) -> bytes:
    """A command or an answer as it stands on the line. Raises ValueError for an address outside 0..99."""
    if not 0 <= address <= ADDRESS_MAX:
        raise ValueError(f"a CIRBUS address is from 0 to {ADDRESS_MAX}, not {address}")
    frame = b"$%02d%s" % (address, data)
    return frame + check_of(frame) + END


def parse_frame(frame: bytes) -> tuple[int, bytes]:
    """Return address and data of exactly one frame, `$` to line feed. Raises Garbled."""
    match = _FRAME.fullmatch(frame)
    if match is None:
        raise Garbled(f"no CIRBUS frame: {_shown(frame)}")
    if check_of(frame[:-3]) != match[3]:
        raise Garbled("wrong check", offset=len(frame) - 3)
    return int(match[1]), match[2]


def find_frame(heard: bytes) -> tuple[int, int]:
    """Where the first frame begins and ends in what was heard, after at most a glitch. Raises Garbled."""
    start = heard.find(START, 0, LEAD_IN_MAX + 1)
    if start < 0:
        raise Garbled(f"noise instead of an answer: {_shown(heard)}")
    end = heard.find(END, start)
    if end < 0:
        raise Garbled(f"no end of the answer in its {len(heard) - start} bytes", offset=len(heard))
    return start, end + 1


def parse_fields(ask: CirbusAsk, data: bytes) -> dict[str, float]:
    """Quantity -> value in its base unit. Raises Garbled for what is not made of numbers of the right width."""
    if len(data) not in ask.sizes:
        raise Garbled(f"{ask.code} was answered with {len(data)} characters: {_shown(data)}")
    values: dict[str, float] = {}
    number = re.compile(rb"[0-9+-][0-9]{%d}" % (ask.digits - 1))
    for place, name in enumerate(ask.quantities[: len(data) // ask.digits]):
        field = data[place * ask.digits : (place + 1) * ask.digits]
        if not number.fullmatch(field) or not field[-1:].isdigit():
            raise Garbled(f"{ask.code} was answered with {_shown(field)}, which is no number")
        if name:
            values[name] = ask.scale.value(int(field))
    return values


def encode_fields(ask: CirbusAsk, values: Mapping[str, float]) -> bytes:
    """The data that tells these values, 0 where there is none. Raises ValueError when a field cannot hold one."""
    data = b""
    for name in ask.quantities:
        raw = round(Fraction(values.get(name, 0.0)) * 10**ask.scale.decimals / ask.scale.multiplier)
        field = f"{raw:0{ask.digits}d}"
        if len(field) > ask.digits:
            raise ValueError(f"{name} of {values[name]} does not fit {ask.digits} characters of {ask.code}")
        data += field.encode()
    return data


def read_out(settings: CirbusSettings, address: int, timeout_s: float) -> Conversation[Measured]:
    """Ask the commands of a profile one after the other; `timeout_s` is how long to wait for each first byte.

    Raises Unreachable or Garbled.
    """
    values: dict[str, float] = {}
    for ask in settings.asks:
        if settings.pause_s:
            yield Pause(settings.pause_s)
        data = yield from _exchange(address, ask.code.encode(), ask.sizes, timeout_s)
        values |= parse_fields(ask, data)
    return Measured(values)


def write(address: int, command: bytes, timeout_s: float) -> Conversation[None]:
    """Send a command that is confirmed with ACK. Raises Unreachable, Garbled, or Refused for any other good answer."""
    data = yield from _exchange(address, command, range(len(_ACK), len(_ACK) + 1), timeout_s)
    if data != _ACK:
        raise Refused(f"{_shown(command)} was answered with {_shown(data)}, not with ACK")


def _exchange(address: int, command: bytes, sizes: range, timeout_s: float) -> Conversation[bytes]:
    """Ask and return the data of the answer, whose size is checked no further than to find its end."""
    request = encode_frame(address, command)
    missing = _missing(sizes)
    yield Send(request)
    heard = yield Receive(_or_echo(request, missing), timeout_s, _GAP_S, _SIZE_MAX)
    heard = heard.removeprefix(request) or (
        (yield Receive(missing, timeout_s, _GAP_S, _SIZE_MAX)) if heard else b""  # after an echo, in its own time
    )
    if not heard:
        raise Unreachable(f"no answer to {command.decode()}")
    start, end = find_frame(heard)
    answered, data = parse_frame(heard[start:end])
    if answered != address:
        raise Garbled(f"address {answered:02} answered for {address:02}")
    # A digit damaged to a line feed can make a short answer of a long one: then more follows.
    if len(data) < sizes[-1] and (heard[end:] or (yield Receive(exactly(1), _MORE_S, _MORE_S))):
        raise Garbled(f"the answer to {command.decode()} goes on after its end", offset=end)
    return data


def _or_echo(request: bytes, missing: Missing) -> Missing:
    """An adapter may give back what it sends: with that alone, the answer is waited for anew."""
    return lambda heard: 0 if heard == request else missing(heard.removeprefix(request))


def _missing(sizes: range) -> Missing:
    """What an answer still lacks: it ends with a line feed, and is too long for one at its greatest size."""
    least, most = sizes[0] + _OVERHEAD, sizes[-1] + _OVERHEAD

    def missing(heard: bytes) -> int:
        start = heard.find(START)
        if start < 0:
            return least
        size = len(heard) - start
        if start > LEAD_IN_MAX or size >= most or END in heard[start:]:
            return 0
        return max(least - size, 1)

    return missing


def _shown(data: bytes) -> str:
    """Bytes as a person may read them, at most a line of them."""
    return repr(data[:40].decode("latin-1"))
