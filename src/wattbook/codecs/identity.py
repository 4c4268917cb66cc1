"""What a Modbus device tells about who it is: its text of function 17, marker registers, its serial number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wattbook.codecs.conversation import Conversation
from wattbook.codecs.modbus import Request
from wattbook.codecs.modbus_ask import Framing
from wattbook.profiles.profile import Identity, SerialNumber


def serial_text(number: SerialNumber, words: Sequence[int]) -> str:
    """A serial number as it is printed: decimal digits of the registers, high word first, or their text."""
    if number.type == "number":
        raw = 0
        for word in words:
            raw = raw << 16 | word
        return str(raw)
    text = b"".join(word.to_bytes(2, "big") for word in words).decode("latin-1")
    return "".join(letter for letter in text if letter.isprintable()).strip()


def same_serial(one: str, other: str) -> bool:
    """Whether two serial numbers are one: zeros before digits are printed by some and left out by others."""
    if one.isdecimal() and other.isdecimal():
        return int(one) == int(other)
    return one.strip().casefold() == other.strip().casefold()


def read_serial(framing: Framing, number: SerialNumber, *, unit: int, timeout_s: float) -> Conversation[str]:
    """Ask a device for its serial number. Raises Unreachable, Garbled or Refused."""
    request = Request(unit, number.function, number.address, number.count)
    return serial_text(number, (yield from framing.exchange(request, timeout_s)).words)


def identifies(identity: Identity) -> bool:
    """Whether it proves a model. A serial number tells only one device from another, and a marker that may be 0 holds
    in every device that has nothing there."""
    return bool(identity.report_id) or any(0 not in marker.words for marker in identity.markers)


def matches(identity: Identity, report: bytes, words: Mapping[tuple[int, int], int]) -> bool:
    """Whether the device is this model: `report` is its answer to function 17, `words` its (function, address)."""
    if identity.report_id and identity.report_id.casefold() not in report.decode("latin-1").casefold():
        return False
    return all(words.get((one.function, one.address)) in one.words for one in identity.markers)
