"""The book: one SQLite file with the journal, history and positions."""

from wattbook.store.book import Book
from wattbook.store.journal import Journal, Position, Positions
from wattbook.store.lock import BookHeld
from wattbook.store.reader import Aggregate, BookReader, UnknownMeter
from wattbook.store.statistics import BookStatistics
from wattbook.store.steps import Step

__all__ = [
    "Aggregate",
    "Book",
    "BookHeld",
    "BookReader",
    "BookStatistics",
    "Journal",
    "Position",
    "Positions",
    "Step",
    "UnknownMeter",
]
