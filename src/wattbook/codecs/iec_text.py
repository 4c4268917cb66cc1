"""The text that IEC 62056-21 readouts, mode D and DSMR P1 share: an identification and data sets in brackets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wattbook.codecs.obis import DataSet

# Maker, speed and the name. The fourth character is no bracket, so that `Imp/kWh)` in a data line does not start one.
IDENTIFICATION = re.compile(
    rb"/([A-Za-z]{3})([^\r\n()*/!?\x80-\xff])((?:\\[^\r\n()/])?)([^\r\n()/!\x80-\xff]{0,64})\r?\n"
)
_DATA_SET = re.compile(r"([^()]*)\(([^()]*)\)")
_BLANKS = " \r\n\0\x7f"
_CODE = re.compile(r"[0-9A-Za-z][0-9A-Za-z.:*&?-]*")


@dataclass(frozen=True, slots=True)
class Identification:
    """How a meter introduces itself: `/LGZ4ZMF100AC.M26`."""

    maker: str  # three letters; a lower-case third means a reaction time of 20 ms
    speed: str  # one character
    enhanced: str = ""  # W of `\\W`: "2" = can speak HDLC (mode E)
    name: str = ""

    @property
    def swift(self) -> bool:
        """Whether 20 ms of silence suffice before it is answered."""
        return self.maker[2].islower()

    def encode(self) -> bytes:
        """The line as sent."""
        enhanced = f"\\{self.enhanced}" if self.enhanced else ""
        return f"/{self.maker}{self.speed}{enhanced}{self.name}\r\n".encode("ascii")


def parse_identification(line: bytes) -> Identification:
    """Parse one line with its end. Raises ValueError when it is no identification."""
    match = IDENTIFICATION.fullmatch(line)
    if match is None:
        raise ValueError(f"no identification: {line[:40]!r}")
    maker, speed, enhanced, name = (part.decode("ascii") for part in match.groups())
    return Identification(maker, speed, enhanced[1:], name)


def parse_data_sets(text: str) -> tuple[DataSet, ...]:
    """Parse `address(value*unit)` one after the other, in lines or not.

    An empty address continues the one before. Some meters write `#` for `*`. Words outside brackets are left out.
    Raises ValueError when brackets do not fit.
    """
    data_sets, code, end = [], "", 0
    for match in _DATA_SET.finditer(text):
        address = match[1].rsplit("\n", 1)[-1].strip(_BLANKS)
        code, end = address or code, match.end()
        value, _, unit = match[2].replace("#", "*", 1).partition("*")
        data_sets.append(DataSet(code, value.strip(_BLANKS), unit.strip(_BLANKS)))
    rest = text[end:]
    if "(" in rest or ")" in rest or len(data_sets) != text.count("("):
        raise ValueError("brackets do not fit")
    return tuple(data_sets)


def check_syntax(data_sets: Iterable[DataSet]) -> None:
    """Raise ValueError for what no meter writes: the only test of a telegram without a check."""
    for data_set in data_sets:
        if not _CODE.fullmatch(data_set.code) or not (data_set.text + data_set.unit).isprintable():
            raise ValueError(f'"{data_set.code}({data_set.text})" is no data set')


def format_data_sets(data_sets: Iterable[DataSet]) -> Iterator[str]:
    """Write each as `code(text*unit)`; equal codes in a row continue each other, as `code(a)(b)`."""
    line, code = "", None
    for data_set in data_sets:
        value = f"({data_set.text}*{data_set.unit})" if data_set.unit else f"({data_set.text})"
        if data_set.code == code:
            line += value
            continue
        if line:
            yield line
        line, code = data_set.code + value, data_set.code
    if line:
        yield line
