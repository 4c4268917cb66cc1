"""A foreign text file as blocks of numbered lines: bounded memory whatever the file holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from wattbook.exchange.tally import Tally
from wattbook.model import ConfigError

BLOCK = 1 << 20  # bytes: some 10,000 rows, so that parsing runs by column and memory stays small
LINE_MAX = 64_000  # bytes: a table of 1,000 columns, each of up to 20 characters, takes a third
HEAD = 64_000  # bytes looked at to tell what a file is

Seen = Callable[[int], None]  # is told how many bytes more have been read


@dataclass(frozen=True, slots=True)
class Block:
    """Lines without their ends, and the number of each in the file."""

    numbers: Sequence[int]
    lines: list[str]


def open_file(path: Path) -> BinaryIO:
    """Open for reading. Raises ConfigError in words."""
    try:
        return path.open("rb")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", place=str(path)) from error


def head(path: Path, size: int = HEAD) -> bytes:
    """The first bytes of a file."""
    with open_file(path) as file:
        return file.read(size)


def blocks(path: Path, tally: Tally, seen: Seen) -> Iterator[Block]:
    """Yield the lines of a UTF-8 file; empty ones are left out, lines too long or not UTF-8 are counted as bad."""
    number, rest, skipping = 1, b"", False
    with open_file(path) as file:
        while data := file.read(BLOCK):
            seen(len(data))
            if skipping:
                end = data.find(b"\n")
                if end < 0:
                    continue
                data, skipping, number = data[end + 1 :], False, number + 1
            text, newline, rest = (rest + data).rpartition(b"\n")
            if newline:
                lines = text.split(b"\n")
                yield _block(lines, number, tally)
                number += len(lines)
            if len(rest) > LINE_MAX:
                tally.reject(number, f"a line of more than {LINE_MAX} bytes")
                rest, skipping = b"", True
    if rest:
        yield _block([rest], number, tally)


def _block(lines: list[bytes], first: int, tally: Tally) -> Block:
    if first == 1:
        lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
    try:
        text = b"\n".join(lines).decode()
        if max(map(len, lines)) <= LINE_MAX and "\r" not in text and all(lines):
            return Block(range(first, first + len(lines)), text.split("\n"))
    except UnicodeDecodeError:
        pass  # found again below, with its line
    return _one_by_one(lines, first, tally)


def _one_by_one(lines: list[bytes], first: int, tally: Tally) -> Block:
    numbers, texts = [], []
    for number, line in enumerate(lines, first):
        try:
            text = line.rstrip(b"\r").decode()
        except UnicodeDecodeError:
            tally.reject(number, "is not UTF-8; save the file as UTF-8")
            continue
        if len(line) > LINE_MAX:
            tally.reject(number, f"a line of more than {LINE_MAX} bytes")
        elif text.strip():
            numbers.append(number)
            texts.append(text)
    return Block(numbers, texts)
