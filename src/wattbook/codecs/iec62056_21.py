"""IEC 62056-21 (IEC 1107, "D0"): the dialogue through the optical head, modes A, B and C."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import xor

from wattbook.codecs.iec_text import format_data_sets, parse_identification
from wattbook.codecs.obis import DataSet

SOH, STX, ETX, EOT, ACK, NAK = b"\x01", b"\x02", b"\x03", b"\x04", b"\x06", b"\x15"

BAUDS = {"0": 300, "1": 600, "2": 1200, "3": 2400, "4": 4800, "5": 9600, "6": 19200}  # mode C
BAUDS_B = {"A": 600, "B": 1200, "C": 2400, "D": 4800, "E": 9600, "F": 19200}  # mode B: the meter switches by itself


def block_check(data: bytes) -> int:
    """The BCC: exclusive or of the 7-bit characters after the first SOH or STX, up to and with ETX or EOT."""
    return reduce(xor, data, 0) & 0x7F


def encode_identification(identification: str) -> bytes:
    """The line a meter introduces itself with: "LGZ4ZMF100AC.M26" -> b"/LGZ4ZMF100AC.M26\\r\\n"."""
    line = f"/{identification}\r\n".encode("ascii")
    parse_identification(line)  # a simulated meter must not say what the reader would not know
    return line


def encode_block(data_sets: Iterable[DataSet]) -> bytes:
    """A data block: STX, a data set a line, `!`, ETX, BCC."""
    lines = "".join(f"{line}\r\n" for line in format_data_sets(data_sets))
    checked = f"{lines}!\r\n".encode("ascii") + ETX
    return STX + checked + bytes([block_check(checked)])


def encode_readout(identification: str, data_sets: Iterable[DataSet]) -> bytes:
    """The identification line and the data block after it, as they follow each other in mode A."""
    return encode_identification(identification) + encode_block(data_sets)
