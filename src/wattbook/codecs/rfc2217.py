"""A serial port over telnet: RFC 2217 (COM-PORT-OPTION) on RFC 854 and RFC 856 (binary), both ends, without I/O.

Both ends take what came with `feed`, which returns the serial data in it, and owe the other end `take_output`.
Serial data to send goes through `escape`. Any cutting of the bytes gives the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from wattbook.profiles.profile import Parity, SerialSettings

IAC, SB, SE = 255, 250, 240
BINARY, SUPPRESS_GO_AHEAD, COM_PORT = 0, 3, 44
_OPTIONS = (BINARY, SUPPRESS_GO_AHEAD, COM_PORT)
SERVER = 100  # added to a command by the end that has the port


class Verb(IntEnum):
    """How options are negotiated (RFC 854)."""

    WILL = 251
    WONT = 252
    DO = 253
    DONT = 254


class Command(IntEnum):
    """What the client wants of the port (RFC 2217, section 3)."""

    SIGNATURE = 0
    SET_BAUDRATE = 1
    SET_DATASIZE = 2
    SET_PARITY = 3
    SET_STOPSIZE = 4
    SET_CONTROL = 5
    SET_LINESTATE_MASK = 10
    SET_MODEMSTATE_MASK = 11
    PURGE_DATA = 12


_PARITIES: Mapping[Parity, int] = {"none": 1, "odd": 2, "even": 3}
# SET_CONTROL questions and what a port without control lines answers: no flow control, no break, DTR and RTS on.
_CONTROL_ANSWERS = {0: 1, 4: 6, 7: 8, 10: 11, 13: 14}
_SUBNEGOTIATION_MAX = 256  # bytes; the longest real one is a signature
_OUTPUT_MAX = 65_536  # bytes owed to an end that never reads
_BAUD_MAX = 4_000_000


def escape(data: bytes) -> bytes:
    """Serial data as it stands in the telnet stream."""
    return data.replace(b"\xff", b"\xff\xff")


@dataclass(frozen=True, slots=True)
class Negotiation:
    """WILL, WONT, DO or DONT an option."""

    verb: int
    option: int


@dataclass(frozen=True, slots=True)
class Subnegotiation:
    """What stands between SB and SE: option and content."""

    option: int
    content: bytes


class TelnetParser:
    """Cuts a telnet stream into serial data, negotiations and subnegotiations."""

    def __init__(self) -> None:
        self._state: Callable[[int], Negotiation | Subnegotiation | None] = self._plain
        self._data = bytearray()
        self._content = bytearray()
        self._verb = 0

    def feed(self, data: bytes) -> Iterator[bytes | Negotiation | Subnegotiation]:
        """Yield what the bytes complete."""
        if self._state == self._plain and IAC not in data:
            if data:
                yield data
            return
        for byte in data:
            item = self._state(byte)
            if item is not None:
                yield from self._flush()
                yield item
        yield from self._flush()

    def _flush(self) -> Iterator[bytes]:
        if self._data:
            yield bytes(self._data)
            self._data.clear()

    def _plain(self, byte: int) -> None:
        if byte == IAC:
            self._state = self._command
        else:
            self._data.append(byte)

    def _command(self, byte: int) -> None:
        self._state = self._plain
        if byte == IAC:
            self._data.append(IAC)
        elif byte == SB:
            self._content.clear()
            self._state = self._inside
        elif Verb.WILL <= byte <= Verb.DONT:
            self._verb = byte
            self._state = self._option

    def _option(self, byte: int) -> Negotiation:
        self._state = self._plain
        return Negotiation(self._verb, byte)

    def _inside(self, byte: int) -> None:
        if byte == IAC:
            self._state = self._inside_command
        elif len(self._content) < _SUBNEGOTIATION_MAX:
            self._content.append(byte)

    def _inside_command(self, byte: int) -> Subnegotiation | None:
        if byte == IAC:
            self._state = self._inside
            self._inside_escaped()
            return None
        self._state = self._plain
        if byte != SE or not self._content:
            return None
        return Subnegotiation(self._content[0], bytes(self._content[1:]))

    def _inside_escaped(self) -> None:
        if len(self._content) < _SUBNEGOTIATION_MAX:
            self._content.append(IAC)


class _End:
    """What both ends share: options are agreed on, once, and output is collected."""

    def __init__(self) -> None:
        self._parser = TelnetParser()
        self._output = bytearray()
        self._ours: set[int] = set()  # options we said WILL
        self._theirs: set[int] = set()  # options we said DO

    def feed(self, data: bytes) -> bytes:
        """Take what came; return the serial data in it."""
        serial = []
        for item in self._parser.feed(data):
            match item:
                case bytes():
                    serial.append(item)
                case Negotiation(verb, option):
                    self._negotiate(verb, option)
                case Subnegotiation(option, content):
                    if option == COM_PORT and content:
                        self._command(content[0], content[1:])
        return b"".join(serial)

    def take_output(self) -> bytes:
        """What is owed to the other end, once."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def _send(self, output: bytes) -> None:
        if len(self._output) + len(output) <= _OUTPUT_MAX:
            self._output += output

    def _offer(self, option: int) -> None:
        if option not in self._ours:
            self._ours.add(option)
            self._send(bytes((IAC, Verb.WILL, option)))

    def _ask(self, option: int) -> None:
        if option not in self._theirs:
            self._theirs.add(option)
            self._send(bytes((IAC, Verb.DO, option)))

    def _negotiate(self, verb: int, option: int) -> None:
        """Agree to the three options of a serial port, refuse others; an agreement is never answered again."""
        match verb:
            case Verb.DO if option in _OPTIONS:
                self._offer(option)
            case Verb.WILL if option in _OPTIONS:
                self._ask(option)
            case Verb.DO:
                self._send(bytes((IAC, Verb.WONT, option)))
            case Verb.WILL:
                self._send(bytes((IAC, Verb.DONT, option)))
            case Verb.DONT if option in self._ours:
                self._ours.discard(option)
                self._send(bytes((IAC, Verb.WONT, option)))
            case Verb.WONT if option in self._theirs:
                self._theirs.discard(option)
                self._send(bytes((IAC, Verb.DONT, option)))
            case _:
                pass  # the refusal of what was not agreed changes nothing
        self._negotiated(verb, option)

    def _negotiated(self, verb: int, option: int) -> None:
        """Act on what the other end wants, after it was answered."""

    def _command(self, command: int, value: bytes) -> None:
        raise NotImplementedError

    def _send_command(self, command: int, value: bytes) -> None:
        self._send(bytes((IAC, SB, COM_PORT, command)) + escape(value) + bytes((IAC, SE)))


class ComPortClient(_End):
    """The end that wants the port. `settled` once the other end confirmed all settings, `refusal` when it did not."""

    def __init__(self, settings: SerialSettings) -> None:
        super().__init__()
        self._waiting: dict[int, int] = {}
        self.refusal = ""
        for option in (BINARY, SUPPRESS_GO_AHEAD):
            self._offer(option)
            self._ask(option)
        self._offer(COM_PORT)
        self.configure(settings)

    @property
    def settled(self) -> bool:
        """Whether everything asked for was confirmed."""
        return not self._waiting and not self.refusal

    def configure(self, settings: SerialSettings) -> None:
        """Ask for speed, bits, parity and stop bits."""
        self.set_baud(settings.baud)
        self._set(Command.SET_DATASIZE, settings.bits, 1)
        self._set(Command.SET_PARITY, _PARITIES[settings.parity], 1)
        self._set(Command.SET_STOPSIZE, settings.stopbits, 1)

    def set_baud(self, baud: int) -> None:
        """Ask for a speed."""
        self._set(Command.SET_BAUDRATE, baud, 4)

    def _set(self, command: int, value: int, size: int) -> None:
        self.refusal = ""
        self._waiting[command] = value
        self._send_command(command, value.to_bytes(size, "big"))

    def _command(self, command: int, value: bytes) -> None:
        asked = self._waiting.get(command - SERVER)
        if asked is None:
            return  # line and modem states, and confirmations of what nobody waits for
        del self._waiting[command - SERVER]
        got = int.from_bytes(value, "big")
        if got != asked:
            what = ("", "speed", "number of bits", "parity", "number of stop bits")[command - SERVER]
            self.refusal = f"the other end sets its {what} to {got} instead of {asked}"

    def _negotiated(self, verb: int, option: int) -> None:
        if (verb, option) == (Verb.DONT, COM_PORT):
            self.refusal = "the other end does not do RFC 2217; try rtu+tcp:// or tcp://"


class ComPortServer(_End):
    """The end that has the port. `settings` are what the client set last, `take_purge` what it wants forgotten."""

    def __init__(self, settings: SerialSettings | None = None, signature: str = "wattbook") -> None:
        super().__init__()
        self.settings = settings or SerialSettings()
        self._signature = signature.encode()
        self._purge = 0
        for option in (BINARY, SUPPRESS_GO_AHEAD):
            self._offer(option)
            self._ask(option)
        self._ask(COM_PORT)

    def take_purge(self) -> tuple[bool, bool]:
        """Whether to forget what was received, and what was to be sent; once."""
        purge, self._purge = self._purge, 0
        return bool(purge & 1), bool(purge & 2)

    def _command(self, command: int, value: bytes) -> None:
        number = int.from_bytes(value, "big")
        now = self.settings
        match command:
            case Command.SIGNATURE:
                if not value:
                    self._send_command(SERVER + Command.SIGNATURE, self._signature)
            case Command.SET_BAUDRATE:
                if 50 <= number <= _BAUD_MAX:
                    self.settings = SerialSettings(number, now.bits, now.parity, now.stopbits)
                self._confirm(command, self.settings.baud, 4)
            case Command.SET_DATASIZE:
                if 5 <= number <= 8:
                    self.settings = SerialSettings(now.baud, number, now.parity, now.stopbits)
                self._confirm(command, self.settings.bits)
            case Command.SET_PARITY:
                named = {code: parity for parity, code in _PARITIES.items()}
                if number in named:
                    self.settings = SerialSettings(now.baud, now.bits, named[number], now.stopbits)
                self._confirm(command, _PARITIES[self.settings.parity])
            case Command.SET_STOPSIZE:
                if number in (1, 2):
                    self.settings = SerialSettings(now.baud, now.bits, now.parity, number)
                self._confirm(command, self.settings.stopbits)
            case Command.SET_CONTROL:
                self._confirm(command, _CONTROL_ANSWERS.get(number, number & 0xFF))
            case Command.SET_LINESTATE_MASK | Command.SET_MODEMSTATE_MASK:
                self._confirm(command, number & 0xFF)
            case Command.PURGE_DATA:
                self._purge |= number & 3
                self._confirm(command, number & 0xFF)
            case _:
                pass  # flow of a client that cannot keep up: TCP itself does that

    def _confirm(self, command: int, value: int, size: int = 1) -> None:
        self._send_command(SERVER + command, value.to_bytes(size, "big"))
