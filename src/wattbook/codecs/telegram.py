"""What a meter says in one go by OBIS codes, whichever format it came in (IEC 62056-21, DSMR P1, SML)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from wattbook.codecs.obis import DataSet, Measured, measure
from wattbook.model import Quality
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
        return self.server_id

    def values(self, profile: Profile | None = None) -> dict[str, float]:
        """Quantity -> value in base units. Raises Garbled for a number that cannot be kept exactly."""
        return self.measured(profile).values

    def doubts(self, profile: Profile | None = None) -> Mapping[str, Quality]:
        """Those of `values` that are not to be trusted: implausible without a check, or in an assumed unit."""
        return self.measured(profile).doubt

    def measured(self, profile: Profile | None = None) -> Measured:
        """`values` and `doubts` at once. Raises Garbled for a number that cannot be kept exactly."""
        rows = profile.obis if profile is not None else ()
        return measure(self.data_sets, rows, checked=self.checked)


@dataclass(frozen=True, slots=True)
class Damage:
    """A telegram that was not what was sent: to be counted, never to be used."""

    message: str  # one line
    offset: int  # of the damaged telegram's first byte in everything that was fed


Heard = Telegram | Damage


def _plain(text: str) -> str:
    """A number as people read it: P1 sends it as the hexadecimal of its ASCII characters."""
    text = text.strip()
    if len(text) >= 16 and len(text) % 2 == 0:
        try:
            decoded = bytes.fromhex(text)
        except ValueError:
            return text
        if decoded.isalnum() and decoded.isascii():
            return decoded.decode()
    return "" if not text.strip("0") else text
