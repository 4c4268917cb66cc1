"""What a meter says in one go by OBIS codes, whichever format it came in (IEC 62056-21, DSMR P1, SML)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from wattbook.codecs.measured import Measured
from wattbook.codecs.obis import DataSet, measure
from wattbook.profiles.profile import Profile

# Where meters keep their number, the likeliest first: device id (C.1), IEC address (0.0.0), SML and P1 equipment ids.
_SERIAL_CODES = ("96.1.0", "0.0.0", "96.1.1", "0.0.9")


@dataclass(frozen=True)
class Telegram:
    """One complete telegram or readout."""

    data_sets: tuple[DataSet, ...]  # everything it holds, in its order, known or not
    maker: str = ""  # three letters, as sent: "LGZ", "ISk"
    identification: str = ""  # what follows maker and speed: "MT174-0002"; "" in SML
    server_id: str = ""  # hexadecimal, SML only
    checked: bool = True  # whether a check (BCC, CRC) vouches for it
    offset: int = 0  # of its first byte in everything that was fed

    @cached_property
    def serial(self) -> str:
        """The meter's own number as far as it tells one, else ""."""
        found = {data_set.obis.cde: data_set.text for data_set in reversed(self.data_sets) if data_set.obis.own}
        for code in _SERIAL_CODES:
            if text := _plain(found.get(code, "")):
                return text
        return _plain(self.server_id)

    @property
    def ids(self) -> tuple[str, ...]:
        """What it calls itself, as far as it does: its number, its server id, its identification."""
        return tuple(own for own in (self.serial, self.server_id, self.identification) if own)

    def values(self, profile: Profile | None = None) -> dict[str, float]:
        """Quantity -> value in base units. Raises Garbled for a number that cannot be kept exactly."""
        return dict(self.measured(profile).values)

    def measured(self, profile: Profile | None = None) -> Measured:
        """The same, with those in doubt: in an assumed unit. Raises Garbled likewise."""
        return measure(self.data_sets, profile.obis if profile is not None else ())


@dataclass(frozen=True, slots=True)
class Damage:
    """A telegram that was not what was sent: to be counted, never to be used."""

    message: str  # one line
    offset: int  # of the damaged telegram's first byte in everything that was fed


Heard = Telegram | Damage


class Decoder(Protocol):
    """Makes telegrams out of a stream of bytes. Any cutting of the bytes gives the same result."""

    def feed(self, data: bytes) -> list[Heard]:
        """Take more bytes; return what became complete by them, in its order."""
        ...

    def close(self) -> list[Heard]:
        """The input has ended (a file, a connection): return what is to be said about the rest."""
        ...


def plain_id(own: str) -> str:
    """An id without what people write differently: case and blanks."""
    return "".join(own.split()).casefold()


def _plain(text: str) -> str:
    """A number as people read it: P1 sends it as the hexadecimal of its ASCII characters."""
    text = text.strip()
    if not text.strip("0"):
        return ""
    if len(text) >= 16 and len(text) % 2 == 0:
        try:
            decoded = bytes.fromhex(text)
        except ValueError:
            return text
        if decoded.isalnum() and decoded.isascii():
            return decoded.decode()
        return _printed(decoded) or text
    return text


def _printed(server_id: bytes) -> str:
    """An id such as 0A 01 'ESY' 11 03B599A5 as DIN 43863-5 prints it on the meter: "1ESY1162232997"."""
    if len(server_id) != 10 or server_id[0] not in (0x09, 0x0A) or not server_id[2:5].isalpha():
        return ""
    return f"{server_id[1]:X}{server_id[2:5].decode('latin-1')}{server_id[5]:02X}{int.from_bytes(server_id[6:]):08d}"
