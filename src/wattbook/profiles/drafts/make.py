"""A foreign register list made into the text of a profile, with everything that was not understood kept as comments."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from wattbook.model.errors import ConfigError
from wattbook.profiles.drafts.csv_list import parse_table
from wattbook.profiles.drafts.evcc import parse_evcc
from wattbook.profiles.drafts.mbmd import parse_mbmd
from wattbook.profiles.drafts.row import Row, clean, fits
from wattbook.profiles.load import parse_profile
from wattbook.profiles.profile import REGISTERS_OF

INPUT_SIZE_MAX = 1_000_000  # bytes; the longest register lists have some thousand lines
_ROWS_MAX = 2000
_SCALE = (Decimal("1e-9"), Decimal("1e9"))

Parse = Callable[[str], tuple[Sequence[Row], Sequence[str]]]
FORMATS: Mapping[str, Parse] = {"evcc": parse_evcc, "mbmd": parse_mbmd, "csv": parse_table}


@dataclass(frozen=True, slots=True)
class Import:
    """What came of a list: the draft's text, and for people what was done and what needs a look."""

    text: str
    registers: int
    left: Sequence[str]  # rows that became comments, each with its reason
    look: Sequence[str]


def make_draft(data: bytes, *, name: str, file: str, format: str = "auto") -> Import:
    """Make a profile out of a list. Raises ConfigError, with the file, for everything that cannot be one."""
    if len(data) > INPUT_SIZE_MAX:
        raise ConfigError(f"larger than {INPUT_SIZE_MAX} bytes; give it the register list alone", place=file)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}", name):
        raise ConfigError(f'a model cannot be called "{clean(name)}"; name it with --name, as in acme-100', place=file)
    text = data.decode("utf-8-sig", errors="replace")
    chosen = _detect(text) if format == "auto" else format
    if chosen not in FORMATS:
        raise ConfigError(f'no list is of format "{chosen}"; one of: {", ".join(FORMATS)}', place=file)
    try:
        rows, said = FORMATS[chosen](text)
    except ConfigError as error:
        raise ConfigError(str(error), place=file) from error
    if len(rows) > _ROWS_MAX:
        raise ConfigError(f"{len(rows)} rows; cut it below {_ROWS_MAX}", place=file)
    good, left = _sorted_out([_checked(row) for row in rows])
    if not good:
        why = "; ".join(f"line {row.line}: {row.reason}" for row in left[:3])
        raise ConfigError(f"none of its {len(rows)} rows can be used ({why or 'it has none'})", place=file)
    look = [*said, *(f"line {row.line}, {row.quantity}: {row.look}" for row in good if row.look)]
    untold = sum(not row.function for row in good)
    if untold:
        look.append(f"{untold} rows do not tell their function: 3 (holding) is assumed; inputs need 4")
    draft = _toml(name, file, chosen, [replace(row, function=row.function or 3) for row in good], left)
    parse_profile(tomllib.loads(draft, parse_float=Decimal), place=f"{name}.toml")  # what we write, we can read
    return Import(draft, len(good), [f"line {row.line}: {row.words[:60]}: {row.reason}" for row in left], look)


def _detect(text: str) -> str:
    if re.search(r"^template:[ \t]|^render:[ \t]*\||^[ \t]*source:[ \t]*modbus", text, re.MULTILINE):
        return "evcc"
    if re.search(r"\bOpcodes\b|^package \w+", text, re.MULTILINE):
        return "mbmd"
    return "csv"


def _checked(row: Row) -> Row:
    """A row that cannot be a register, with the reason."""
    if row.reason:
        return row
    if not row.quantity:
        return replace(row, reason="no quantity of the vocabulary is this; choose one of docs/reference/vocabulary.md")
    if not fits(row.quantity, row.unit):
        return replace(row, reason=f"unit '{row.unit}' is none of {row.quantity}")
    if row.type is None or not 0 <= row.address <= 0x10000 - REGISTERS_OF[row.type]:
        return replace(row, reason="its address is outside 0..65535")
    if not _SCALE[0] <= abs(row.scale) <= _SCALE[1]:
        return replace(row, reason=f"its scale {row.scale} is out of all bounds")
    return row


def _sorted_out(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Rows to use, and rows that are none or stand in another's place."""
    good: list[Row] = []
    left: list[Row] = []
    names: dict[str, int] = {}
    words: dict[tuple[int, int], Row] = {}
    for row in rows:
        if row.reason or row.type is None:
            left.append(row)
            continue
        at = [(row.function or 3, row.address + n) for n in range(REGISTERS_OF[row.type])]
        other = next((words[place] for place in at if place in words), None)
        if row.quantity in names:
            left.append(replace(row, reason=f"{row.quantity} is line {names[row.quantity]} already; which one is it?"))
        elif other is not None:
            left.append(replace(row, reason=f"it overlaps {other.quantity} of line {other.line}"))
        else:
            names[row.quantity] = row.line
            words |= dict.fromkeys(at, row)
            good.append(row)
    return good, left


def _toml(name: str, file: str, format: str, good: Sequence[Row], left: Sequence[Row]) -> str:
    function = Counter(row.function for row in good).most_common(1)[0][0]
    wide = [row for row in good if row.type and REGISTERS_OF[row.type] > 1]
    low_first = sum(row.low_first for row in wide) * 2 > len(wide)
    lines = [
        f"# A draft made by `wattbook models import` from {clean(file)} ({format}). Compare a reading with the",
        "# display, then say verified = true. Addresses are wire addresses, counted from 0.",
        "[model]",
        f'name = "{name}"', f'title = "{name}"', 'vendor = "?"', 'protocol = "modbus"',
        f'source = "imported from {clean(file)}"', "verified = false", "",
        "[modbus]", f"function = {function}", f'word_order = "{"low-first" if low_first else "high-first"}"',
    ]  # fmt: skip
    for row in good:
        lines += ["", "[[register]]", f'quantity = "{row.quantity}"  # line {row.line}: {row.words[:80]}']
        lines += [f"address = {row.address}", f'type = "{row.type}"']
        lines += [f"scale = {row.scale.normalize():f}"] if row.scale != 1 else []
        lines += [f'unit = "{row.unit}"'] if row.unit else []
        lines += [f"function = {row.function}"] if row.function != function else []
        if row in wide and row.low_first != low_first:
            lines.append(f'word_order = "{"low-first" if row.low_first else "high-first"}"')
    lines += ["", *(f"# not used, line {row.line}: {row.words} -- {row.reason}" for row in left)]
    return "\n".join(lines).rstrip() + "\n"
