"""A line opened for questions: whoever looks for meters or sets them up asks one after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from wattbook.codecs.conversation import Conversation, T
from wattbook.codecs.modbus_ask import Framing, Rtu, Tcp
from wattbook.model.errors import ConfigError
from wattbook.profiles.profile import SerialSettings
from wattbook.transports.open import open_link
from wattbook.transports.play import Player
from wattbook.transports.ports import default_port, host_and_port, is_modbus_tcp, scheme_of, split_port

_TCP_WIRE = SerialSettings(4_000_000)  # nothing on a network takes the time of a character


@dataclass(slots=True)
class Tap:
    """Sees the bytes of a line: those of the answer now, and what came late or unasked before the last request."""

    heard: bytes = b""
    before: bytes = b""

    def wire(self, direction: str, data: bytes) -> None:
        if direction == ">":
            self.before, self.heard = self.heard, b""
        else:
            self.heard += data

    def take(self) -> bytes:
        """The answer that was just heard; what comes from now on was not asked for."""
        heard, self.heard = self.heard, b""
        return heard


class Plays(Protocol):
    """Whatever carries a conversation out on a line: its player, or turns on a line that others use too."""

    @property
    def character_s(self) -> float:
        """How long a character takes on it."""
        ...

    def play(self, conversation: Conversation[T]) -> T:
        """Return what the conversation returns, or raise what it raises; LinkLost when the line is gone."""
        ...


@dataclass(slots=True)
class Asking:
    """A line that is open for questions."""

    player: Plays
    framing: Framing
    tap: Tap


@contextmanager
def asking(port: str, settings: SerialSettings) -> Iterator[Asking]:
    """Open a line for Modbus, RTU or TCP as its address says. Raises LinkLost, ConfigError."""
    check_scannable(port)
    tcp = is_modbus_tcp(port)
    link = open_link(with_port(port), _TCP_WIRE if tcp else settings)
    tap = Tap()
    try:
        yield Asking(Player(link, framed=not tcp, wire=tap.wire), Tcp() if tcp else Rtu(), tap)
    finally:
        link.close()


def check_scannable(port: str) -> None:
    """Raise ConfigError for what no Modbus meter is behind."""
    scheme = scheme_of(port)
    if scheme not in ("", "tcp", "rtu+tcp", "rfc2217"):
        raise ConfigError(f"no Modbus meter is asked over {scheme}://; name a serial port, tcp:// or rtu+tcp://")


def with_port(port: str) -> str:
    """An address with its TCP port, the standard's where it is left out. Raises ConfigError."""
    scheme = scheme_of(port)
    if not scheme:
        return port
    host, number = host_and_port(split_port(port), port, default_port(scheme, modbus=True))
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{number}"
