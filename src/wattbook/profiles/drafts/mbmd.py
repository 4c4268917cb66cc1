"""mbmd's register maps (volkszaehler/mbmd, meters/rs485/*.go), read as text: `VoltageL1: 0x0000, // V`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from wattbook.model.errors import ConfigError
from wattbook.profiles.drafts.row import Row, clean, factor_of, is_known, words
from wattbook.profiles.profile import RegisterType

_OPCODE = re.compile(r"^\s*([A-Z]\w{1,40}):\s*(0[xX][0-9A-Fa-f]{1,4}|\d{1,5})\s*,?\s*(?://\s*(.*))?$")
_SNIP = re.compile(r"^func \(\w+ \*?\w+\) (snip\w*)\(", re.MULTILINE)
_LIST = re.compile(r"\[\]Measurement\s*\{([^}]{0,2000})\}\s*\{([^}]{0,1000})\}")
_CASE = re.compile(r"case ([\w\s,]{1,500}):([^:}]{0,500})")
_CALL = re.compile(r"\.(snip\w*)\(\s*(\w+)\s*(?:,\s*([\d.]{1,12}))?")
_TYPES: Mapping[str, RegisterType] = {
    "RTUIeee754ToFloat64": "float32", "RTUFloat64ToFloat64": "float64", "RTUUint16ToFloat64": "uint16",
    "RTUUint32ToFloat64": "uint32", "RTUUint64ToFloat64": "uint64", "RTUInt16ToFloat64": "int16",
    "RTUInt32ToFloat64": "int32", "RTUInt64ToFloat64": "int64",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Way:
    """How a group of measurements is read."""

    function: int = 0
    type: RegisterType | None = None
    low_first: bool = False
    scale: Decimal | None = Decimal(1)


def parse_mbmd(text: str) -> tuple[Sequence[Row], Sequence[str]]:
    """The rows of a map. Raises ConfigError when it holds none."""
    text = _without_remarks(text)
    ways = dict(_ways(text))
    snips = _snips(text)
    usual = next(iter(snips.values())) if len(snips) == 1 else _Way()
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if match := _OPCODE.match(line):
            rows.append(_row(number, match, ways.get(match[1], usual)))
    if not rows:
        raise ConfigError("no line such as `VoltageL1: 0x0000,` is in it, which mbmd's maps are made of")
    return rows, ["addresses are wire addresses, as mbmd asks for them"]


def _without_remarks(text: str) -> str:
    """The text without /* … */; its lines keep their numbers. By hand: a pattern would look for each end again."""
    kept: list[str] = []
    at = 0
    while (begin := text.find("/*", at)) >= 0 and (end := text.find("*/", begin)) >= 0:
        kept += [text[at:begin], "\n" * text.count("\n", begin, end)]
        at = end + 2
    return "".join([*kept, text[at:]])


def _row(number: int, match: re.Match[str], way: _Way) -> Row:
    name, comment = match[1], clean(match[3] or "")
    address = int(match[2], 16 if match[2].lower().startswith("0x") else 10)
    base, phase, tariff = re.fullmatch(r"(\w+?)(L[123])?(T[12])?", name).groups()  # type: ignore[union-attr]  # always
    known = words()["mbmd"].get(base)
    quantity = known[0] + "".join(f"_{part.lower()}" for part in (phase, tariff) if part) if known else ""
    told = f"{name} {comment}".strip()
    reason = "" if known and is_known(quantity) else "no quantity of the vocabulary is this"
    if not reason and (way.type is None or way.scale is None):
        reason = "the code does not tell plainly which type and scale it has"
    return Row(
        number, told, address, way.function, way.type, way.low_first,
        Decimal(1) if way.scale is None else way.scale,
        known[1] if known else "", quantity if not reason or known else "", reason,
        look=f"the map's own remark: {comment}" if len(comment) > 5 else "",
    )  # fmt: skip


def _snips(text: str) -> Mapping[str, _Way]:
    """The functions that read a measurement, by name."""
    begins = list(_SNIP.finditer(text))
    bodies = {}
    for begin in begins:
        end = text.find("\nfunc ", begin.end())
        bodies[begin[1]] = text[begin.end() : end if end >= 0 else len(text)]
    found: dict[str, _Way] = {}
    for name, body in bodies.items():
        inner = _CALL.search(body)
        whole = body + (bodies.get(inner[1], "") if inner else "")
        transforms = re.findall(r"\b(RTU\w+?)(Swapped)?\b", whole)
        kind = next(((_TYPES[one], bool(swap)) for one, swap in transforms if one in _TYPES), (None, False))
        function = 4 if "ReadInputReg" in whole else 3 if "ReadHoldingReg" in whole else 0
        found[name] = _Way(function, kind[0], kind[1])
    return found


def _ways(text: str) -> Iterator[tuple[str, _Way]]:
    """How each measurement is read, where the code says so: in lists, in cases, or one by one."""
    snips = _snips(text)
    everything = re.findall(r"for \w+ := range \w+\.Opcodes\s*\{([^}]{0,1000})\}", text)
    groups = [(re.findall(r"^[ \t]*([A-Z]\w{1,40}):", text, re.MULTILINE), body) for body in everything]
    groups += [(re.findall(r"\w+", names), body) for names, body in [*_LIST.findall(text), *_CASE.findall(text)]]
    for names, body in groups:
        if call := _CALL.search(body):
            for name in names:
                yield name, _scaled(snips.get(call[1], _Way()), call[3])
    for snip, name, scaler in _CALL.findall(text):
        if name[:1].isupper() and "Probe" not in name:
            yield name, _scaled(snips.get(snip, _Way()), scaler)


def _scaled(way: _Way, scaler: str | None) -> _Way:
    """mbmd divides by its scaler."""
    return _Way(way.function, way.type, way.low_first, factor_of(f"1/{scaler}") if scaler else Decimal(1))
