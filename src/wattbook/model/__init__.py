"""The nouns. No I/O, no third party."""

from wattbook.model.batch import Batch, Columns
from wattbook.model.clock import Clock, ClockStep, SystemClock
from wattbook.model.errors import (
    BookError,
    ConfigError,
    Garbled,
    MeterError,
    Refused,
    SinkRefused,
    SinkUnavailable,
    Stranger,
    Unreachable,
    WattbookError,
)
from wattbook.model.keeping import Keeper, Kept
from wattbook.model.reading import EnergyQuality, Event, Quality, Reading
from wattbook.model.readings import Readings
from wattbook.model.series import Point, Series
from wattbook.model.span import Span
from wattbook.model.vocabulary import Kind, Quantity, UnknownQuantity, quantity

__all__ = [
    "Batch",
    "BookError",
    "Clock",
    "ClockStep",
    "Columns",
    "ConfigError",
    "EnergyQuality",
    "Event",
    "Garbled",
    "Keeper",
    "Kept",
    "Kind",
    "MeterError",
    "Point",
    "Quality",
    "Quantity",
    "Reading",
    "Readings",
    "Refused",
    "Series",
    "SinkRefused",
    "SinkUnavailable",
    "Span",
    "Stranger",
    "SystemClock",
    "UnknownQuantity",
    "Unreachable",
    "WattbookError",
    "quantity",
]
