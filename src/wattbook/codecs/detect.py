"""Captured bytes to what they say, whatever format they are in: `wattbook decode`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from wattbook.codecs.cirbus_capture import decode_cirbus, is_cirbus
from wattbook.codecs.dsmr import DsmrDecoder
from wattbook.codecs.iec_capture import decode_capture
from wattbook.codecs.iec_text import IDENTIFICATION
from wattbook.codecs.measured import Measured
from wattbook.codecs.modbus_capture import decode_modbus
from wattbook.codecs.obis import DataSet
from wattbook.codecs.sml import SmlDecoder
from wattbook.codecs.sml_encode import ESCAPE
from wattbook.codecs.telegram import Damage, Decoder, Heard, Telegram
from wattbook.model import ConfigError, Garbled
from wattbook.profiles.profile import Profile

Format = Literal["auto", "iec", "dsmr", "sml", "modbus", "cirbus"]
CAPTURE_SIZE_MAX = 64_000_000  # bytes; a day of a chatty meter has 30

_HEX_NOTE = re.compile(rb"#[^\n]*|^[ \t]*[<>]", re.MULTILINE)  # comments, and who spoke
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}|[\s:,-]|0x(?=[0-9A-Fa-f]))++")  # ++ keeps no way back: 100 bytes for each
_BETWEEN = b" \t\n\r\f\v:,-"  # digits
_FRAMING = re.compile(rb"[\x01-\x04]")  # SOH, STX, ETX, EOT


@dataclass(frozen=True, slots=True)
class Decoded:
    """One reading out of a capture; when it was taken, nobody knows."""

    measured: Measured
    meter: str  # what it calls itself: its number, else its model, else ""
    offset: int  # of its first byte in the bytes (of hexadecimal text: in what the text stands for)
    checked: bool = True  # whether a check vouches for it
    data_sets: tuple[DataSet, ...] = ()  # everything it said, for people
    nameless: bool = False  # only a model names what it said, and none was given


def decode(
    data: bytes, format: Format = "auto", profile: Profile | None = None, models: Iterable[Profile] = ()
) -> list[Decoded | Damage]:
    """Decode a capture: raw bytes, or their hexadecimal digits with any blanks, `>` `<` at line starts and # comments.

    Damaged telegrams are in the list where they came. One that the end of the capture cuts off is left out when a
    longer one came whole before it. Without a profile, one of `models` is taken when the meter says that it is such.
    Raises ConfigError when no format is recognised.
    """
    if len(data) > CAPTURE_SIZE_MAX:
        raise ConfigError(f"the capture has {len(data)} bytes; cut it below {CAPTURE_SIZE_MAX}")
    raw = _unhex(data)
    if not raw.strip():
        raise ConfigError("the capture is empty")
    chosen = _detect(raw, profile) if format == "auto" else format
    if chosen == "sml" and profile is None:
        profile = _known(raw, models)
    return _FORMATS[chosen](raw, profile)


def _known(raw: bytes, models: Iterable[Profile]) -> Profile | None:
    """The model whose faults the telegrams' server id calls for."""
    ids = {item.server_id for item in SmlDecoder().feed(raw) if isinstance(item, Telegram)}
    for model in models:
        if model.sml is not None and any(server_id.startswith(model.sml.server_ids) for server_id in ids):
            return model
    return None


def _unhex(data: bytes) -> bytes:
    text = _HEX_NOTE.sub(b"", data)
    if not _HEX.fullmatch(text):
        return data
    return bytes.fromhex(text.replace(b"0x", b"").translate(None, _BETWEEN).decode("ascii"))


def _detect(raw: bytes, profile: Profile | None) -> Format:
    if profile is not None:
        return _FORMAT_OF[profile.protocol] if profile.protocol in _FORMAT_OF else _by_content(raw)
    return _by_content(raw)


def _by_content(raw: bytes) -> Format:
    if ESCAPE in raw:
        return "sml"
    if is_cirbus(raw):
        return "cirbus"
    if b"(" in raw and b")" in raw:
        framed = _FRAMING.search(IDENTIFICATION.sub(b"", raw))
        return "dsmr" if IDENTIFICATION.search(raw) and b"\n!" in raw and not framed else "iec"
    if max(raw) > 0x7F or min(raw) < 0x07:
        return "modbus"
    raise ConfigError("this is no capture of a known format; say --format iec, dsmr, sml, modbus or cirbus")


def _sml(raw: bytes, profile: Profile | None) -> list[Decoded | Damage]:
    return _stream(SmlDecoder(profile.sml if profile else None), raw, profile)


def _dsmr(raw: bytes, profile: Profile | None) -> list[Decoded | Damage]:
    strict = profile is not None and profile.protocol == "dsmr" and not profile.unchecked
    return _stream(DsmrDecoder("required" if strict else "optional"), raw, profile)


def _iec(raw: bytes, profile: Profile | None) -> list[Decoded | Damage]:
    if not _FRAMING.search(IDENTIFICATION.sub(b"", raw)) and IDENTIFICATION.search(raw) and b"\n!" in raw:
        return _dsmr(raw, profile)  # mode D, and readouts logged without their frame, look alike
    check = profile.iec.check if profile and profile.iec else "optional"
    decoded = _decoded(decode_capture(raw, check), profile)
    return decoded if b"\n!" in raw else list(map(_incomplete, decoded))


def _incomplete(item: Decoded | Damage) -> Decoded | Damage:
    """Lines without an end may be all that was copied out; but then they must say something."""
    if isinstance(item, Damage) or item.checked or item.measured.values:
        return item
    return Damage("incomplete: no end, and no value that is known", item.offset)


def _modbus(raw: bytes, profile: Profile | None) -> list[Decoded | Damage]:
    heard = decode_modbus(raw, profile.modbus if profile else None)
    return [
        item
        if isinstance(item, Damage)
        else Decoded(
            item.measured, f"unit {item.unit}", item.offset, data_sets=item.data_sets, nameless=profile is None
        )
        for item in heard
    ]


def _cirbus(raw: bytes, profile: Profile | None) -> list[Decoded | Damage]:
    return [
        item
        if isinstance(item, Damage)
        else Decoded(
            item.measured, f"{item.address:02}", item.offset, data_sets=item.data_sets, nameless=profile is None
        )
        for item in decode_cirbus(raw, profile.cirbus if profile else None)
    ]


def _stream(decoder: Decoder, raw: bytes, profile: Profile | None) -> list[Decoded | Damage]:
    return _decoded(decoder.feed(raw) + decoder.close(), profile)


def _decoded(heard: list[Heard], profile: Profile | None) -> list[Decoded | Damage]:
    return [item if isinstance(item, Damage) else _measured(item, profile) for item in heard]


def _measured(telegram: Telegram, profile: Profile | None) -> Decoded | Damage:
    try:
        measured = telegram.measured(profile)
    except Garbled as error:
        return Damage(str(error), telegram.offset)
    meter = telegram.serial or telegram.identification
    return Decoded(measured, meter, telegram.offset, telegram.checked, telegram.data_sets)


_FORMATS: Mapping[str, Callable[[bytes, Profile | None], list[Decoded | Damage]]] = {
    "iec": _iec, "dsmr": _dsmr, "sml": _sml, "modbus": _modbus, "cirbus": _cirbus,
}  # fmt: skip
_FORMAT_OF: Mapping[str, Format] = {
    "iec62056-21": "iec", "dsmr": "dsmr", "sml": "sml", "modbus": "modbus", "cirbus": "cirbus",
}  # fmt: skip
