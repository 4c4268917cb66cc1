"""IEC 62056-21 out of a file: whole readouts, both sides of a dialogue, bare data lines, with what lies between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wattbook.codecs.iec_block import EOT, ETX, SOH, STX, Check, find_end, parse_block
from wattbook.codecs.iec_programming import parse_frame
from wattbook.codecs.iec_text import IDENTIFICATION, check_syntax, parse_data_sets, parse_identification
from wattbook.codecs.obis import DataSet
from wattbook.codecs.telegram import Damage, Heard, Telegram
from wattbook.model import Garbled


@dataclass(frozen=True, slots=True)
class _Section:
    """From one identification line to the next."""

    offset: int
    line: bytes  # the identification, b"" before the first
    content: bytes

    @property
    def size(self) -> int:
        return len(self.line) + len(self.content)


def decode_capture(data: bytes, check: Check = "optional") -> list[Heard]:
    """Decode a file. A readout with one bad block check is one Damage; a tail cut off after a whole one is none."""
    heard: list[Heard] = []
    whole_size = 0
    sections = list(_sections(data))
    for section in sections:
        try:
            heard.append(_telegram(section, check))
            whole_size = section.size
        except Garbled as error:
            # A file that ends inside a readout was cut, unless it holds as much as a whole one.
            if section is not sections[-1] or section.size >= whole_size or not _is_cut(section.content):
                heard.append(Damage(str(error), section.offset + len(section.line) + error.offset))
    return heard


def _sections(data: bytes) -> Iterator[_Section]:
    lines = list(IDENTIFICATION.finditer(data))
    first = lines[0].start() if lines else len(data)
    if b"(" in data[:first]:
        yield _Section(0, b"", data[:first])
    ends = [*(line.start() for line in lines[1:]), len(data)]
    for line, end in zip(lines, ends, strict=False):  # no line, one end
        yield _Section(line.start(), line[0], data[line.end() : end])


def _telegram(section: _Section, check: Check) -> Telegram:
    """Raises Garbled, its offset counted in the content."""
    data_sets, checked = _read(section.content, check)
    if not section.line:
        return Telegram(data_sets, checked=checked, offset=section.offset)
    identification = parse_identification(section.line)
    return Telegram(data_sets, identification.maker, identification.name, checked=checked, offset=section.offset)


def _read(content: bytes, check: Check) -> tuple[tuple[DataSet, ...], bool]:
    start = _find_frame(content, 0)
    if start < 0:
        return _bare(content), False
    data_sets: tuple[DataSet, ...] = ()
    partial = False
    programming = content[start : start + 1] == SOH
    while start >= 0:
        end = find_end(content, start)
        frame = content[start : end + 2 if end >= 0 else len(content)]
        try:
            if programming:
                message = parse_frame(frame)
                data_sets += () if message.command else message.data_sets
                checked = True
            else:
                block = parse_block(frame, check)
                data_sets, checked, partial = data_sets + block.data_sets, block.checked, block.partial
        except Garbled as error:
            raise Garbled(str(error), offset=start + error.offset) from error
        start = _find_frame(content, start + len(frame))
    if partial:  # the capture was cut there, or damage made a partial block of a whole one
        raise Garbled("the last block of the readout is missing", offset=len(content))
    return data_sets, checked


def _find_frame(content: bytes, start: int) -> int:
    found = [at for at in (content.find(SOH, start), content.find(STX, start)) if at >= 0]
    return min(found, default=-1)


def _bare(content: bytes) -> tuple[DataSet, ...]:
    """Data lines without a frame, up to the `!` or to the end."""
    if ETX in content or EOT in content:
        raise Garbled("a data block without its start")
    lines = (b"\n" + content).partition(b"\n!")[0]
    try:
        data_sets = parse_data_sets(lines.decode("ascii"))
        check_syntax(data_sets)
    except ValueError as error:
        raise Garbled(str(error)) from error
    if not data_sets:
        raise Garbled("an identification and no data")
    return data_sets


def _is_cut(content: bytes) -> bool:
    """Whether it just stops: no end of a block, no last line."""
    return ETX not in content and b"\n!" not in content
