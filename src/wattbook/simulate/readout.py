"""What a meter tells by OBIS codes: a captured shape whose numbers are replaced by those of the instant.

The shapes are texts in `telegrams/`, one for a model, else the one of its protocol. A value keeps the digits that
stand in the text: 0004200.177 stays seven before and three after the point.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import resources

from wattbook.codecs.iec_text import parse_data_sets
from wattbook.codecs.obis import DataSet
from wattbook.model.errors import ConfigError
from wattbook.model.vocabulary import ObisMeaning, UnknownUnit, obis_meanings, quantity, unit_factor
from wattbook.profiles import Profile
from wattbook.simulate.source import Source

METER_TIME = timedelta(hours=1)  # meters in Central Europe keep winter time
_SERIAL_CODES = ("0.0.0", "96.1.0", "96.1.1")
_CLOCKS = {  # C.D.E and how the text in the shape looks -> how the meter's time is written there
    ("1.0.0", 13): "%y%m%d%H%M%SW",
    ("0.9.1", 6): "%H%M%S",
    ("0.9.1", 8): "%H:%M:%S",
    ("0.9.2", 6): "%y%m%d",
    ("0.9.2", 8): "%y-%m-%d",
}


@dataclass(frozen=True, slots=True)
class Readout:
    """The shape of what one model tells."""

    identification: str  # without the `/`; "" where the format has none (SML)
    shape: tuple[DataSet, ...]
    meanings: dict[str, ObisMeaning]

    def at(self, instant: datetime, source: Source, *, serial: str = "") -> tuple[DataSet, ...]:
        """Everything the meter tells at an aware instant; `serial` is its own number when it is not the shape's."""
        return tuple(self._data_sets(instant, source, serial))

    def _data_sets(self, instant: datetime, source: Source, serial: str) -> Iterator[DataSet]:
        for data_set in self.shape:
            code = data_set.obis.cde
            clock = _CLOCKS.get((code, len(data_set.text)))
            meaning = self.meanings.get(code) if data_set.obis.own and data_set.unit else None
            if clock:
                yield replace(data_set, text=(instant.astimezone(UTC) + METER_TIME).strftime(clock))
            elif serial and code in _SERIAL_CODES:
                yield replace(data_set, text=serial)
            elif meaning is None:
                yield data_set
            else:
                value = source.value(meaning.quantity, instant)
                if value is not None:
                    yield replace(data_set, text=_shown(value, data_set, meaning))


def load_readout(profile: Profile) -> Readout:
    """The shape of a model's telegram. Raises ConfigError for a model that tells nothing by OBIS codes."""
    folder = resources.files("wattbook.simulate").joinpath("telegrams")
    for name in (profile.name, profile.protocol):
        file = folder.joinpath(f"{name}.txt")
        if file.is_file():
            break
    else:
        raise ConfigError(
            f"{profile.name} cannot be simulated: {profile.protocol} meters have no telegram of their own"
        )
    text = file.read_text(encoding="ascii")
    first, _, rest = text.partition("\n")
    identification, body = (first[1:], rest) if first.startswith("/") else ("", text)
    own = {row.code: ObisMeaning(row.quantity, row.sign) for row in profile.obis}
    return Readout(identification, parse_data_sets(body), dict(obis_meanings()) | own)


def _shown(value: float, data_set: DataSet, meaning: ObisMeaning) -> str:
    """The value as the shape's text shows it. A counter that is full starts again, as on a display."""
    try:
        factor = unit_factor(data_set.unit, quantity(meaning.quantity).unit)
    except UnknownUnit:
        return data_set.text  # "cos", "h:min": kept as captured
    whole, _, fraction = data_set.text.lstrip("-").partition(".")
    number = Decimal(repr(float(value))) * meaning.sign / factor
    if meaning.directed:
        number = max(Decimal(0), number)
    shown = abs(number).quantize(Decimal(1).scaleb(-len(fraction)))
    width = len(whole) + (len(fraction) + 1 if fraction else 0)
    text = f"{shown % Decimal(10 ** len(whole)):0{width}f}" if whole.startswith("0") else f"{shown:f}"
    return f"-{text}" if number < 0 and shown else text
