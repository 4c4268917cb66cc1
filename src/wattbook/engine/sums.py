"""What readings sum up to, whatever their order: the proof that what was read here stands there.

The checksum is the sum modulo 2^64 of one number for each value, a mix of meter, quantity, instant and the 64 bits of
the value. A value that is missing, other, elsewhere or there twice changes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from math import fsum

import numpy as np
from numpy.typing import NDArray

from wattbook.model import Columns

Key = tuple[str, str]  # meter, quantity
_Numbers = NDArray[np.uint64]
_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Sum:
    """Of one quantity of one meter."""

    count: int = 0
    total: float = 0.0  # in the base unit
    checksum: int = 0

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.count + other.count, self.total + other.total, (self.checksum + other.checksum) & _MASK)

    @property
    def shown(self) -> str:
        """The checksum as people compare it."""
        return f"{self.checksum:016x}"


@dataclass(slots=True)
class Sums:
    """The sums of everything that was seen."""

    of: dict[Key, Sum] = field(default_factory=dict)
    readings: int = 0

    def add(self, columns: Columns) -> None:
        """Count the readings of one meter."""
        self.readings += len(columns)
        at = np.frombuffer(columns.at_ms, np.int64)
        for name, cells in columns.values.items():
            values = np.frombuffer(cells, np.float64)
            there = ~np.isnan(values)
            if there.any():
                key = columns.meter, name
                self.of[key] = self.of.get(key, Sum()) + _sum(key, at[there], values[there])

    @property
    def all(self) -> Sum:
        """Of everything."""
        whole = Sum()
        for each in self.of.values():
            whole += each
        return whole


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two sides do not agree."""

    meter: str
    quantity: str
    read: Sum
    there: Sum

    def __str__(self) -> str:
        if self.read.count != self.there.count:
            return f"{self.meter} {self.quantity}: {self.read.count} values were read, {self.there.count} are there"
        return (
            f"{self.meter} {self.quantity}: {self.read.count} values on both sides, but other ones:"
            f" they sum up to {self.read.total:.15g} and {self.there.total:.15g}"
        )


def differences(read: Sums, there: Sums) -> Sequence[Difference]:
    """Every quantity of a meter in which two sides differ."""
    keys = sorted(read.of.keys() | there.of.keys())
    pairs = ((key, read.of.get(key, Sum()), there.of.get(key, Sum())) for key in keys)
    return [
        Difference(*key, one, other)
        for key, one, other in pairs
        if (one.count, one.checksum) != (other.count, other.checksum)
    ]


class Instants:
    """Which instants of which meters were seen: 8 bytes each."""

    def __init__(self) -> None:
        self._parts: dict[str, list[NDArray[np.int64]]] = {}
        self._sorted: Mapping[str, NDArray[np.int64]] = {}

    def add(self, columns: Columns) -> None:
        """Remember the instants of one meter."""
        self._parts.setdefault(columns.meter, []).append(np.array(columns.at_ms, np.int64))

    def close(self) -> None:
        """Nothing more comes: be ready to be asked."""
        self._sorted = {meter: np.unique(np.concatenate(parts)) for meter, parts in self._parts.items()}
        self._parts = {}

    def rows(self, columns: Columns) -> Sequence[int]:
        """The rows whose instants were seen."""
        known = self._sorted.get(columns.meter)
        if known is None:
            return ()
        at = np.frombuffer(columns.at_ms, np.int64)
        place = np.searchsorted(known, at)
        place[place == len(known)] = 0
        found: list[int] = np.flatnonzero(known[place] == at).tolist()
        return found


def _sum(key: Key, at: NDArray[np.int64], values: NDArray[np.float64]) -> Sum:
    seed = int.from_bytes(blake2b("\0".join(key).encode(), digest_size=8).digest(), "big")
    mixed = _mixed(at.astype(np.uint64) ^ np.uint64(seed))
    mixed = _mixed(mixed ^ (values + 0.0).view(np.uint64))  # -0.0 is 0.0
    return Sum(len(values), fsum(values), int(mixed.sum(dtype=np.uint64)))


def _mixed(numbers: _Numbers) -> _Numbers:
    """SplitMix64's finish (Steele, Lea, Flood 2014): every bit depends on every bit."""
    numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: _Numbers = numbers ^ (numbers >> np.uint64(31))
    return mixed
