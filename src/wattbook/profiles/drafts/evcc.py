"""evcc's meter templates (evcc-io/evcc, templates/definition/meter/*.yaml): their Modbus blocks, read as text.

A template is YAML with Go's template language in it. What matters stands in plain lines of `key: value`, so the few
lines needed are read by their indentation; of alternatives the one of a grid meter is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from wattbook.model.errors import ConfigError
from wattbook.profiles.drafts.row import Row, clean, factor_of, kind_of, words

_LINE = re.compile(r"(\s*)(-\s+)?([A-Za-z][\w-]*):(?:\s+(.*))?$|(\s*)(-)\s*(?:#.*)?$")
_DIRECTIVE = re.compile(r"\s*\{\{-?\s*(.*?)\s*-?\}\}\s*(?:#.*)?$")
_LINE_MAX = 500  # characters of a line that are looked at
_PHASES = ("l1", "l2", "l3")
_SOURCE_WORDS = "which only evcc can work out"


@dataclass(slots=True)
class _Block:
    """One value of a meter: its key, its place in a list, and the lines below it."""

    line: int
    key: str
    place: int
    facts: dict[str, str]
    comment: str = ""


def parse_evcc(text: str) -> tuple[Sequence[Row], Sequence[str]]:
    """The rows of a template. Raises ConfigError when it reads no register itself."""
    blocks = list(_blocks(_grid_lines(text)))
    rows = [_row(block) for block in blocks]
    if not any(row.address >= 0 for row in rows):
        model = re.search(r"^[ \t]*model:[ \t]*(\w{1,40})", text, re.MULTILINE)
        if re.search(r"(type|source):\s*mbmd", text):
            raise ConfigError(
                f"this template leaves the registers to mbmd (model {model[1] if model else 'unknown'}); import mbmd's "
                "own file, meters/rs485/*.go"
            )
        raise ConfigError("no value of this template is read from a Modbus register by itself")
    return rows, ["addresses are wire addresses, as evcc asks for them"]


def _grid_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that hold for a grid meter: of if and else, what is not for solar; else the first."""
    taken: list[bool] = []
    was_true: list[bool] = []
    for number, line in enumerate(text.splitlines(), 1):
        directive = _DIRECTIVE.match(line[:_LINE_MAX])
        if directive is None:
            if all(taken):
                yield number, line
            continue
        said = directive[1]
        if said.startswith(("if ", "range ", "with ")):
            taken.append(not re.search(r'eq \.usage "(pv|battery|charge)"', said))
            was_true.append(taken[-1])
        elif said.startswith("else") and taken:
            taken[-1] = not was_true[-1]
            was_true[-1] = was_true[-1] or taken[-1]
        elif said == "end" and taken:
            taken.pop()
            was_true.pop()


def _blocks(lines: Iterator[tuple[int, str]]) -> Iterator[_Block]:
    block: _Block | None = None
    key, indent, places = "", -1, 0
    for number, line in lines:
        match = _LINE.match(line[:_LINE_MAX])
        if match is None:
            continue
        blank = match[1] if match[1] is not None else match[5]
        name, (value, comment) = match[3] or "", _value(match[4] or "")
        depth, dash = len(blank), bool(match[2] or match[6])
        if name in words()["evcc"] and not dash and (indent < 0 or depth <= indent) and not value:
            if block is not None:
                yield block
            key, indent, places = name, depth, 0
            block = None if name.endswith("s") else _Block(number, key, -1, {}, comment)
            continue
        if indent >= 0 and depth <= indent and not dash:
            if block is not None:
                yield block
            block, key, indent = None, "", -1
        if indent < 0:
            continue
        if dash and key.endswith("s") and depth <= indent + 2:
            if block is not None:
                yield block
            block = _Block(number, key, places, {}, comment)
            places += 1
        if block is not None and name:
            if name in block.facts:
                block.facts["twice"] = name  # a calculation of several registers
            block.facts.setdefault(name, value)
            block.comment = block.comment or (comment if name == "address" else "")
    if block is not None:
        yield block


def _value(text: str) -> tuple[str, str]:
    value, _, comment = text.partition("#")
    return value.strip().strip("\"'")[:60], clean(comment)


def _row(block: _Block) -> Row:
    quantity, unit = words()["evcc"][block.key]
    if block.place >= 0:
        quantity = f"{quantity}_{_PHASES[block.place]}" if block.place < len(_PHASES) else ""
    facts = block.facts
    told = clean(f"{block.key}{f' {block.place + 1}' if block.place >= 0 else ''} {block.comment}")
    address = facts.get("address", "")
    if facts.get("source") != "modbus" or "twice" in facts or not re.fullmatch(r"\d{1,5}|0x[0-9A-Fa-f]{1,4}", address):
        return Row(block.line, told, reason=f"source {clean(facts.get('source', 'unknown'))}, {_SOURCE_WORDS}")
    function = {"holding": 3, "input": 4}.get(facts.get("type", ""), 0)
    kind, low_first = kind_of(facts.get("decode", ""))
    scale = factor_of(facts.get("scale", ""))
    reason = ""
    if not function:
        reason = f"type {clean(facts.get('type', 'unknown'))}: only holding and input registers are read"
    elif kind is None or scale is None:
        reason = f"decode {clean(facts.get('decode', 'unknown'))} and its scale are not understood"
    elif not quantity or facts.get("bitmask"):
        reason = "more than three phases, or single bits of a register"
    look = (
        "evcc leaves raw values out that mean 'not available': add them as absent"
        if "nan" in facts.get("decode", "")
        else ""
    )
    return Row(
        block.line, told, int(address, 0) if address.startswith("0x") else int(address), function, kind, low_first,
        Decimal(1) if scale is None else scale, unit, quantity, reason, look,
    )  # fmt: skip
