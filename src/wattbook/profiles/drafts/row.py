"""One row of a foreign register list, as far as it is understood, and the guess of what it measures."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

from wattbook.model.errors import WattbookError
from wattbook.model.vocabulary import quantity, unit_factor
from wattbook.profiles.profile import RegisterType

TEXT_MAX = 200  # characters of a row's own words that are kept
_NUMBER = re.compile(r"[-+]?\d{1,12}(?:[.,]\d{1,12})?(?:[eE][-+]?\d{1,2})?")
_BITS = {"16": "16", "32": "32", "64": "64"}


@dataclass(frozen=True, slots=True)
class Row:
    """A register to be, with the line of the list it is from. `reason` says why it can be none yet."""

    line: int
    words: str  # the row's own, for people
    address: int = -1  # on the wire
    function: int = 0  # 0 = not told
    type: RegisterType | None = None
    low_first: bool = False
    scale: Decimal = Decimal(1)
    unit: str = ""
    quantity: str = ""
    reason: str = ""
    look: str = ""  # what a person should check


@cache
def words() -> Mapping[str, Any]:
    """The tables of foreign words."""
    text = resources.files("wattbook.profiles.drafts").joinpath("words.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def clean(text: str) -> str:
    """Words for a comment or a TOML text: one line, nothing that could end either."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.replace("\\", "/").replace('"', "'").split())[:TEXT_MAX]


def guess(text: str, unit: str) -> str:
    """The quantity that a name and its unit mean, or "" when nobody can tell."""
    text = " ".join(re.sub(r"[_.,;:()\[\]]", " ", _apart(text[:TEXT_MAX])).casefold().split())
    for base in words()["base"]:
        if re.search(base["find"], text) and base.get("unit", unit) == unit:
            name = _with_suffixes(base["name"], text)
            if name and fits(name, unit):
                return name
    return _by_unit(text, unit)


def _apart(text: str) -> str:
    """VoltageL1 as two words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)


def _by_unit(text: str, unit: str) -> str:
    """What the unit alone tells."""
    for base in ("voltage", "current", "active_power", "reactive_power", "apparent_power", "active_energy",
                 "reactive_energy", "frequency"):  # fmt: skip
        name = _with_suffixes(base, text)
        if unit and name and fits(name, unit):
            return name
    return ""


def _with_suffixes(base: str, text: str) -> str:
    def first(table: str) -> str:
        return next((row["name"] for row in words()[table] if re.search(row["find"], text)), "")

    if base == "active_energy":
        base += f"_{first('direction') or 'import'}"
    elif base in ("reactive_energy",) and (way := first("direction")):
        base += f"_{way}"
    phase, tariff = first("phase"), re.search(r"\b(?:t|tariff|tarif|rate) ?([1-8])\b", text)
    statistic = "".join(row["name"] for row in words()["statistic"] if re.search(row["find"], text))
    name = base + (f"_{phase}" if phase else "") + (f"_t{tariff[1]}" if tariff else "") + statistic
    return name if is_known(name) else ""


def is_known(name: str) -> bool:
    """Whether the vocabulary has this name."""
    try:
        quantity(name)
    except WattbookError:
        return False
    return True


def fits(name: str, unit: str) -> bool:
    """Whether a quantity can have this unit; none at all says nothing against it."""
    try:
        unit_factor(unit, quantity(name).unit)
    except WattbookError:
        return not unit
    return True


def kind_of(text: str, length: int = 0) -> tuple[RegisterType | None, bool]:
    """A register type out of its many names, and whether the words come low first. `length` counts registers."""
    plain = re.sub(r"[\s_()-]", "", text.casefold())
    low = bool(re.search(r"swap|lowfirst|littleendian|cdab|\d(?:s|nans)$|wordswap", plain))
    bits = next((bits for bits in _BITS if bits in plain), "")
    bits = bits or {1: "16", 2: "32", 4: "64"}.get(length, "")
    if re.search(r"float|real|ieee|single|double", plain):
        return ("float64" if bits == "64" or "double" in plain else "float32"), low
    if re.search(r"str|ascii|char|date|time|bool|bit(map|field)|enum|bcd", plain):
        return None, low
    bits = bits or {"word": "16", "dword": "32", "long": "32", "ulong": "32", "short": "16", "ushort": "16"}.get(
        plain, ""
    )
    if not bits:
        return None, low
    signed = bool(re.match(r"(s|int|i\d|long|short|signed)", plain)) or "signed" in plain.replace("unsigned", "")
    if re.match(r"(u|unsigned|word|dword)", plain) or re.fullmatch(r"int\d\du", plain):
        signed = False
    name: Any = f"{'int' if signed else 'uint'}{bits}"
    return name, low


def factor_of(text: str) -> Decimal | None:
    """What a raw value is to be multiplied with: 0.1, "/10", "x 0.01", "1/1000", "10^-2", "0,1"; None when unclear."""
    plain = text.strip().replace("×", "x").replace(" ", "").replace("*", "x")[:40]
    if not plain:
        return Decimal(1)
    if match := re.fullmatch(r"x?10(?:\^|xx|e)(-?\d)", plain, re.IGNORECASE):
        return Decimal(1).scaleb(int(match[1]))
    divided, _, number = plain.rpartition("/")
    if divided not in ("", "1", "x1") or not _NUMBER.fullmatch(number := number.removeprefix("x")):
        return None
    value = Decimal(number.replace(",", "."))
    if not value or not Decimal("1e-9") <= abs(value) <= Decimal("1e9"):
        return None
    if "/" not in plain:
        return value
    exact = (1 / value).normalize()
    return exact if len(exact.as_tuple().digits) < 10 else None  # a third has no end
