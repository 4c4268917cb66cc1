"""DSMR P1, 2.2 to 5 and its national variants, and its ancestor, mode D of IEC 62056-21: the meter speaks first.

`/` identification CR LF, CR LF, data lines, `!`, from DSMR 4 on a CRC in 4 hexadecimal digits (some devices drop
leading zeros), CR LF. The CRC is CRC-16/ARC over everything from `/` to `!`.
"""

from __future__ import annotations

from collections.abc import Iterable

from wattbook.codecs.crc import crc_arc
from wattbook.codecs.iec_text import format_data_sets
from wattbook.codecs.obis import DataSet


def encode_telegram(identification: str, data_sets: Iterable[DataSet], *, crc: bool = True) -> bytes:
    """Write a telegram. `identification` is without `/`: "ISk5MT382-1000". No CRC: DSMR 2 and 3, mode D."""
    lines = "".join(f"{line}\r\n" for line in format_data_sets(data_sets))
    text = f"/{identification}\r\n\r\n{lines}!".encode("ascii")
    return text + (b"%04X\r\n" % crc_arc(text) if crc else b"\r\n")
