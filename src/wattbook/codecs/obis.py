"""OBIS codes as meters write them, and what their values mean in the vocabulary (IEC 62056-61).

A code is A-B:C.D.E*F: medium, channel, what, how, tariff, billing period. Meters leave out most of it. C, F, L and P
stand for 96 to 99; E left out or 255 is 0; F left out or 255 is the present value, anything else a stored period.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from wattbook.codecs.measured import Measured
from wattbook.model import Garbled, Quality, WattbookError, quantity
from wattbook.model.exact import exact_raw
from wattbook.model.vocabulary import obis_meanings, unit_factor
from wattbook.profiles.profile import ObisCode, Scale

_CODES_CACHED = 4096  # a meter has some hundred codes
_PRESENT = (None, 255)
_OWN = frozenset({(None, None), (0, 0), (1, 0), (1, 1)})  # A and B; 0-1 and on are gas and water behind a P1 meter

_CODE = re.compile(
    r"(?:(?P<a>\d{1,3})-(?P<b>\d{1,3}):)?"
    r"(?P<c>\d{1,3}|[CFLP])\.(?P<d>\d{1,3}|[CFLP])(?:\.(?P<e>\d{1,3}))?"
    r"(?:[*&](?P<f>\d{1,3}))?",
    re.ASCII,
)
_LETTERS = {"C": 96, "F": 97, "L": 98, "P": 99}
_NUMBER = re.compile(r"([+-]?)([0-9]{1,32})(?:\.([0-9]{0,32}))?")
_HOURS = re.compile(r"([0-9]{1,9}):([0-5][0-9])")
_HEX = re.compile(r"[0-9A-Fa-f]{1,32}")


@dataclass(frozen=True, slots=True)
class Obis:
    """A code in numbers; `a`, `b` and `f` are None when the meter left them out."""

    c: int
    d: int
    e: int = 0
    a: int | None = None
    b: int | None = None
    f: int | None = None

    @property
    def cde(self) -> str:
        """The short form by which the vocabulary and the profiles know it: "1.8.0"."""
        return f"{self.c}.{self.d}.{self.e}"

    @property
    def own(self) -> bool:
        """Whether it is the electricity meter's own present value: not gas, not a stored period."""
        return self.f in _PRESENT and (self.a, self.b) in _OWN


_NO_CODE = Obis(-1, -1)


@lru_cache(_CODES_CACHED)
def parse_obis(code: str) -> Obis | None:
    """Parse a code as sent, short or full; None for what is no OBIS code (some meters have words of their own)."""
    match = _CODE.fullmatch(code)
    if match is None:
        return None
    a, b, e, f = (None if match[group] is None else int(match[group]) for group in "abef")
    return Obis(_group(match["c"]), _group(match["d"]), 0 if e in _PRESENT else int(e or 0), a, b, f)


def _group(text: str) -> int:
    letter = _LETTERS.get(text)
    return int(text) if letter is None else letter


@dataclass(frozen=True, slots=True)
class DataSet:
    """One value as the meter said it."""

    code: str  # as sent; SML codes are written in full: "1-0:1.8.0*255"
    text: str  # without blanks around it
    unit: str = ""  # as sent: "kWh"
    status: str = ""  # hexadecimal, SML only

    @property
    def obis(self) -> Obis:
        """The code in numbers; for what is no OBIS code, one that means nothing."""
        return parse_obis(self.code) or _NO_CODE


@dataclass(frozen=True, slots=True)
class _Meaning:
    quantity: str
    base_unit: str
    sign: int
    directed: bool
    unit: str  # what the meter leaves out
    electric: bool  # belongs to electricity (A = 1), not to the device itself


@dataclass(slots=True)
class _Found:
    """One code's value on its way: number / 10**decimals in the base unit."""

    number: int
    decimals: int
    unit_sent: bool
    channel: int


_ASSUMED_UNITS = {"Wh": "kWh", "varh": "kvarh", "VAh": "kVAh", "W": "kW", "var": "kvar", "VA": "kVA"}


def measure(data_sets: Iterable[DataSet], rows: tuple[ObisCode, ...] = ()) -> Measured:
    """Turn what a meter said into vocabulary values, exactly.

    Codes nobody knows, stored billing periods and other media are left out. A signed power wins over import minus
    export. A number without its unit is taken in kilo, as displays have it, and doubted, unless the profile tells the
    unit. `rows` are the profile's own codes. Raises Garbled for numbers that are none or that a float cannot keep.
    """
    meanings = _meanings(rows)
    found: dict[str, _Found] = {}
    for data_set in data_sets:
        code, medium, channel = _own(data_set.code)
        meaning = meanings.get(code)
        if meaning is None or (meaning.electric and medium == 0):
            continue
        value = _found(data_set, meaning, channel)
        if value is not None and _better(value, found.get(code)):
            found[code] = value
    return _combine(found, meanings)


@lru_cache(_CODES_CACHED)
def _own(code: str) -> tuple[str, int | None, int]:
    """The short form, medium and channel of a code; of what is not the meter's own present value, "" at first."""
    obis = parse_obis(code)
    if obis is None or not obis.own:
        return "", None, 0
    return obis.cde, obis.a, obis.b or 0


def _better(new: _Found, old: _Found | None) -> bool:
    """Whether a second value under one code takes the first one's place: `1.6.0(time)(02.589*kW)` means the power."""
    if old is None or new.channel < old.channel:
        return True
    return new.channel == old.channel and new.unit_sent and not old.unit_sent


def _combine(found: Mapping[str, _Found], meanings: Mapping[str, _Meaning]) -> Measured:
    values: dict[str, float] = {}
    doubt: dict[str, Quality] = {}
    directed: dict[str, list[_Found]] = {}
    for code, value in found.items():
        meaning = meanings[code]
        if not value.unit_sent and meaning.base_unit in _ASSUMED_UNITS:
            doubt[meaning.quantity] = Quality.SUSPECT
        if meaning.directed:
            value.number *= meaning.sign
            directed.setdefault(meaning.quantity, []).append(value)
        else:
            values[meaning.quantity] = meaning.sign * value.number / 10**value.decimals
    for name, flows in directed.items():
        if name not in values:
            decimals = max(flow.decimals for flow in flows)
            values[name] = sum(flow.number * 10 ** (decimals - flow.decimals) for flow in flows) / 10**decimals
    return Measured(values, doubt)


def _found(data_set: DataSet, meaning: _Meaning, channel: int) -> _Found | None:
    """One value in its base unit; None when the meter says that it has none, or it is another thing's (a time)."""
    text, base = data_set.text, meaning.base_unit
    if meaning.quantity == "error_bits":
        return _Found(_exact(int(text, 16), data_set), 0, True, channel) if _HEX.fullmatch(text) else None
    if base == "s" and (hours := _HOURS.fullmatch(text)):
        return _Found(_exact(int(hours[1]) * 3600 + int(hours[2]) * 60, data_set), 0, True, channel)
    unit = _unit(data_set.unit, base) or _unit(meaning.unit, base)
    sent = unit is not None or base == "1"
    if unit is None:
        if data_set.unit and base != "1":
            return None  # a foreign unit: not what we take this code for
        unit = _unit(_ASSUMED_UNITS.get(base, base), base)
    number = _NUMBER.fullmatch(text)
    if number is None or unit is None:
        if data_set.unit and any(character.isdigit() for character in text):
            raise Garbled(f'{data_set.code}: "{text}" is no number')
        return None  # blank, dashes, (ERROR), a time stamp
    sign, whole, fraction = number[1], number[2], number[3] or ""
    raw = _exact(int(whole + fraction), data_set)
    scaled = (-raw if sign == "-" else raw) * unit.multiplier
    return _Found(scaled, len(fraction) + unit.decimals, sent, channel)


def _exact(raw: int, data_set: DataSet) -> int:
    return exact_raw(raw, f"{data_set.code}({data_set.text})")


@lru_cache(_CODES_CACHED)
def _unit(unit: str, base_unit: str) -> Scale | None:
    """What turns a number in `unit` into the base unit; None when nothing was said or it fits not."""
    if not unit:
        return None
    try:
        return Scale.of(unit_factor(unit, base_unit))
    except WattbookError:
        return None


@lru_cache(256)  # one entry a profile
def _meanings(rows: tuple[ObisCode, ...]) -> Mapping[str, _Meaning]:
    """Short code -> meaning, the profile's own codes first."""
    known = {
        code: _Meaning(
            meaning.quantity, quantity(meaning.quantity).unit, meaning.sign, meaning.directed, "", _electric(code)
        )
        for code, meaning in obis_meanings().items()
    }
    for row in rows:
        obis = parse_obis(row.code) or _NO_CODE
        name = quantity(row.quantity)
        known[obis.cde] = _Meaning(name.name, name.unit, row.sign, False, row.unit, _electric(obis.cde))
    return known


def _electric(code: str) -> bool:
    return int(code.split(".", 1)[0]) not in (0, 96, 97, 98, 99)
