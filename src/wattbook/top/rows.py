"""The table of meters: which columns fit, and the cells of each row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rich.text import Text

from wattbook.top.answers import Meter, Reading
from wattbook.top.computed import COMPUTED, POWER
from wattbook.top.house import House
from wattbook.top.trace import SPAN_S
from wattbook.top.words import NOTHING, change, length, number, spark, text

_STATES = {"present": "● present", "away": "○ away", "starting": "◌ starting", COMPUTED: "Σ computed"}
_UNKNOWN = "? unknown"
_SPARK_MIN, _SPARK_MAX = 8, 60
_NAME_MIN, _NAME_MAX = 12, 24


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `from_width` = the table is at least as wide as this, or it is left out."""

    key: str
    title: str
    width: int
    from_width: int = 0


_COLUMNS = (
    Column(POWER, "Power", 10),
    Column("voltage", "V", 7),
    Column("current", "A", 8),
    Column("power_factor", "PF", 6),
    Column("frequency", "Hz", 7),
    Column("state", "  State", 12),
    Column("age", "Age", 7),
    Column("today", "Today kWh", 11, 100),
    Column("change", "vs. yest.", 10, 112),
    Column("location", "  Location", 22, 150),
)


def columns(width: int) -> list[Column]:
    """The columns that fit, the name first and the line of blocks last, which take what is left."""
    fixed = [column for column in _COLUMNS if column.from_width <= width]
    left = width - sum(column.width for column in fixed)
    name = max(_NAME_MIN, min(_NAME_MAX, left - _SPARK_MIN - 2))
    blocks = min(_SPARK_MAX, left - name)
    last = [Column("spark", "  15 min", blocks)] if blocks >= _SPARK_MIN else []
    return [Column("name", " Meter", name), *fixed, *last]


def wanted(meter: Meter, words: str) -> bool:
    """Whether every word stands in what is said of the meter."""
    said = " ".join((meter.name, meter.location, meter.model, meter.source, meter.line, meter.state)).casefold()
    return all(word in said for word in words.casefold().split())


class Rows:
    """The cells of meters; lines of blocks are kept until they move."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._sparks: dict[str, tuple[tuple[object, ...], str]] = {}

    def cells(self, meter: Meter, shown: list[Column]) -> list[Text]:
        """One row. What is not live is dim, and its state says so in words."""
        now = self._house.now()
        reading = self._house.readings.get(meter.name)
        style = "" if self._house.connected and meter.live else "dim"
        return [self._cell(column, meter, reading, now, style) for column in shown]

    def _cell(self, column: Column, meter: Meter, reading: Reading | None, now: datetime, style: str) -> Text:
        match column.key:
            case "name":
                return Text(_cut(f" {meter.name}", column.width - 1), style="bold")
            case "state":
                return Text("  " + (_STATES.get(meter.state, meter.state) if self._house.connected else _UNKNOWN))
            case "location":
                return Text("  " + _cut(meter.location, column.width - 2))
            case "spark":
                return Text("  " + self._spark(meter.name, column.width - 2, now), style=style)
            case "age":
                words = length((now - reading.at).total_seconds()) if reading else NOTHING
            case "today" | "change":
                words = self._day(meter.name, column.key)
            case quantity:
                gone = reading is None or (not meter.live and self._house.connected)
                words = NOTHING if gone or reading is None else value_of(reading, quantity)
        return Text(words.rjust(column.width), style=style)

    def _day(self, name: str, key: str) -> str:
        today = self._house.energy.today.get(name)
        if today is None:
            return NOTHING
        return number(today, "Wh")[0] if key == "today" else change(today, self._house.energy.yesterday.get(name))

    def _spark(self, name: str, width: int, now: datetime) -> str:
        trace = self._house.traces.get(name)
        if trace is None or width < 1:
            return ""
        step_s = SPAN_S / width
        ends = int(now.timestamp() // step_s) + 1  # moves by whole blocks, or every block would tremble
        key = (width, ends, trace.version)
        kept = self._sparks.get(name)
        if kept is None or kept[0] != key:
            kept = self._sparks[name] = key, spark(trace, width, ends * step_s, SPAN_S)
        return kept[1]


def value_of(reading: Reading, quantity: str) -> str:
    """A gauge for a narrow column: of three phases their mean, marked "ø"; what is in doubt marked "?"."""
    told = gauge(reading, quantity)
    if told is None:
        return NOTHING
    value, mark = told
    unit = {POWER: "W", "voltage": "V", "current": "A", "frequency": "Hz"}.get(quantity, "1")
    shown = text(value, unit) if quantity == POWER else number(value, unit)[0]
    return f"{mark}{shown}{'?' if reading.doubted(quantity) else ''}"


def gauge(reading: Reading, quantity: str) -> tuple[float, str] | None:
    """A value, of three phases their mean (of powers their sum), and "ø" where it is a mean."""
    value = reading.values.get(quantity)
    if value is not None:
        return value, ""
    phases = [reading.values[name] for n in "123" if (name := f"{quantity}_l{n}") in reading.values]
    if not phases:
        return None
    return (sum(phases), "") if quantity == POWER else (sum(phases) / len(phases), "ø")


def _cut(words: str, width: int) -> str:
    return words if len(words) <= width else words[: width - 1] + "…"
