"""What `mongoexport` writes of seed 000's collection `energy`: JSON one document a line, or an array of them.

    {"_id":{"$oid":"5ff…"},"T1":4200,"T2":21209,"timestamp":1609459200.123}

T1 and T2 are the tariff registers in kWh, `timestamp` is Unix seconds. Other fields are taken as `--map` says or as
they are called, and `meter` names the meter, as in the documents of our own sink. Numbers and dates may stand as
extended JSON (`{"$numberLong":"…"}`, `{"$date":"…"}`). Nothing larger than one document is held.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from wattbook.exchange.gather import Gather
from wattbook.exchange.instants import BadCell, InstantReader, unix_ms
from wattbook.exchange.intake import Intake
from wattbook.exchange.lines import Seen, open_file
from wattbook.exchange.mapping import Target, guess
from wattbook.exchange.numbers import read_number
from wattbook.exchange.tally import Tally
from wattbook.model import Columns

_READ = 1 << 16
DOCUMENT_MAX = 1_000_000  # characters of one document
KNOWN = {"t1": "active_energy_import_t1:kWh", "t2": "active_energy_import_t2:kWh"}
_TIMES = ("timestamp", "at", "time", "date", "ts")
_METER = "meter"
_NO_VALUES = ("_id", _METER, "site", "quality")  # of our own documents
_BETWEEN = re.compile(r"[\s,\[\]]*")  # what stands between documents of an array
_NEXT = re.compile(r"[\n,\[}]\s*\{")  # what a document looks like from within one that is no JSON
_TOKEN_MAX = 16  # characters before the end where a cut is told: of "-Infinity" or of two "\\ud83d"
_NUMBER = re.compile(r"\d+(\.\d*)?(e\+?\d+)?")
_NUMBERS = ("$numberDouble", "$numberInt", "$numberLong", "$numberDecimal")

Add = Callable[[str, str, int, float], None]  # meter, quantity, at_ms, value


def read(files: Sequence[Path], intake: Intake) -> Iterator[Columns]:
    """Yield readings of the documents; those without a time or with a wrong value are counted as bad."""
    with Gather(intake.tally) as gather:
        reader = Documents(intake, gather.add_one)
        for path in files:
            intake.tally.file = path.name
            for line, document in documents(_pieces(path, intake.seen), intake.tally):
                try:
                    reader.take(document)
                except BadCell as error:
                    intake.tally.reject(line, str(error))
        reader.check(files[0].name)
        yield from gather.columns()


class Documents:
    """Takes documents one by one, whichever way they come."""

    def __init__(self, intake: Intake, add: Add) -> None:
        self._intake, self._add = intake, add
        form = intake.time_form or "iso"
        self._instants = InstantReader(form, intake.zone, intake.tally, latest_ms=intake.latest_ms)
        self._names: dict[str, None] = {}
        self._mapped = False

    def check(self, what: str) -> None:
        """Raise ConfigError when nothing of what there was is known."""
        if not self._mapped and self._names:
            raise self._intake.nothing_mapped(what, list(self._names))

    def take(self, document: Any) -> None:
        """Raises BadCell when this is no reading, having taken nothing."""
        if not isinstance(document, dict):
            raise BadCell("is no document { … }")
        time = self._time_of(document)
        at_ms = self._at_ms(document[time])
        meter = self._meter_of(document)
        found = [
            (self._place(target, meter), read_number(_text(document[name]), target))
            for name, target in self._targets(document, time)
        ]
        if not found:
            raise BadCell("no value at all")
        self._mapped = True
        for (meter, quantity), value in found:
            self._add(meter, quantity, at_ms, value)

    def _meter_of(self, document: Mapping[str, Any]) -> str:
        """Our meter that a document names, "" = it names none."""
        named = document.get(_METER)
        if not isinstance(named, str) or self._intake.wishes.says(_METER):
            return ""
        meter = self._intake.meters.called(self._intake.wishes.meter(named))
        if not meter:
            raise BadCell(self._intake.meters.unknown(named))
        return meter

    def _place(self, target: Target, meter: str) -> tuple[str, str]:
        return (meter, target.quantity) if meter and not target.meter else self._intake.at(target, "the export")

    def _time_of(self, document: Mapping[str, Any]) -> str:
        for name in (self._intake.time,) if self._intake.time else _TIMES:
            if name in document:
                return name
        raise BadCell(f'has no "{self._intake.time or "timestamp"}"')

    def _at_ms(self, value: Any) -> int:
        inner = value.get("$date", value) if isinstance(value, dict) else value
        if inner is not value and isinstance(inner, int):
            return self._known(inner)  # {"$date": milliseconds}
        if inner is not value and isinstance(inner, dict):
            return self._known(_whole(_text(inner)))
        text = _text(inner)
        if not self._intake.time_form and _NUMBER.fullmatch(text):
            return self._known(unix_ms(text))
        return int(self._instants.read([text])[0])

    def _known(self, at_ms: int) -> int:
        if not 0 <= at_ms <= self._intake.latest_ms:
            raise BadCell("its time lies before 1970 or in the future")
        return at_ms

    def _targets(self, document: Mapping[str, Any], time: str) -> Iterator[tuple[str, Target]]:
        for name in document:
            if name == time or name in _NO_VALUES:
                continue
            target = self._intake.wishes.target(name, guess(name, KNOWN))
            if target is not None:
                yield name, target
            elif not self._intake.wishes.says(name):
                self._names[name] = None
                self._intake.tally.leave_out(name)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise BadCell(f'"{text[:40]}" is no count of milliseconds') from error


def _text(value: Any) -> str:
    """A number as text, whichever way JSON tells it; absent values are ""."""
    if isinstance(value, dict):
        value = next((value[kind] for kind in _NUMBERS if kind in value), value)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BadCell(f"{json.dumps(value)[:40]} is no number")
    return value if isinstance(value, str) else repr(value)


def documents(pieces: Iterable[bytes], tally: Tally) -> Iterator[tuple[int, Any]]:
    """Yield (line, document) of JSON lines, of an array, or of documents spread over lines, wherever they are cut.

    What is no JSON is counted as bad, and so is all up to where the next document seems to begin.
    """
    decoder = json.JSONDecoder()
    text, line, lost = "", 1, False
    for more in _texts(pieces):
        text, begin = text + more, 0
        while True:
            place = begin
            if lost:
                found = _NEXT.search(text, place)
                begin = found.end() - 1 if found else max(place, len(text.rstrip()) - 1)
                lost = not found
            else:
                begin = _BETWEEN.match(text, place).end()  # type: ignore[union-attr]  # always matches
            line += text.count("\n", place, begin)
            if lost or begin == len(text):
                break
            may_wait = bool(more) and len(text) - begin <= DOCUMENT_MAX
            try:
                document, end = decoder.raw_decode(text, begin)
            except (ValueError, RecursionError) as error:
                if may_wait and _may_be_cut(text, error):
                    break
                tally.reject(line, f"is no JSON: {getattr(error, 'msg', error)}")
                on_at = _goes_on(text, begin, error)
                line, begin, lost = line + text.count("\n", begin, on_at), on_at, True
                continue
            if may_wait and end > len(text) - _TOKEN_MAX and not isinstance(document, dict | str):
                break  # a number may go on
            if end - begin > DOCUMENT_MAX:
                tally.reject(line, f"a document of more than {DOCUMENT_MAX} characters")
            else:
                yield line, document
            line, begin = line + text.count("\n", begin, end), end
        text = text[begin:]


def _goes_on(text: str, begin: int, error: Exception) -> int:
    """From where to look for the next document: behind what was right of a wrong one, documents within it too.

    It may have been taken for a part of the wrong one when it begins a line, or is not closed before the error.
    """
    if not isinstance(error, json.JSONDecodeError):
        return begin
    on_a_line = text.find("\n{", begin, error.pos)
    if on_a_line >= 0:
        return on_a_line
    open_at = max((found.start() for found in _NEXT.finditer(text, begin + 1, error.pos)), default=-1)
    if open_at >= 0 and "}" not in text[open_at + 1 : error.pos]:
        return open_at
    return max(begin, len(text[: error.pos].rstrip()) - 1)


def _may_be_cut(text: str, error: Exception) -> bool:
    """Whether it may be wrong only because more is to come: within its last word, number or string."""
    if not isinstance(error, json.JSONDecodeError):
        return True  # it tells no place
    return error.msg.startswith("Unterminated string") or error.pos > len(text.rstrip()) - _TOKEN_MAX


def _texts(pieces: Iterable[bytes]) -> Iterator[str]:
    """The pieces as text, and at the end one empty text."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    for piece in pieces:
        if text := decoder.decode(piece):
            yield text
    if text := decoder.decode(b"", final=True):
        yield text
    yield ""


def _pieces(path: Path, seen: Seen) -> Iterator[bytes]:
    with open_file(path) as file:
        while data := file.read(_READ):
            seen(len(data))
            yield data
