"""Where the readings of a sink stand in its database: in which measurement or table, and what picks a meter there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["influxdb", "postgresql"]

PHASES = ("_l1", "_l2", "_l3", "_l12", "_l23", "_l31")


@dataclass(frozen=True, slots=True)
class Series:
    """The values of one quantity of one meter."""

    meter: str
    place: str  # the meter's location, else its own name
    quantity: str
    table: str  # a measurement, or a table
    column: str  # a field, or a column
    keys: tuple[tuple[str, str], ...]  # tags or columns, and what they hold for this meter (and quantity)
    factor: float = 1.0  # a value times this is in the base unit

    @property
    def label(self) -> str:
        """What people call it: the meter, and the phase where the quantity is of one."""
        phase = next((end for end in PHASES if self.quantity.endswith(end)), "")
        return f"{self.meter} {phase[1:].upper()}".rstrip()


@dataclass(frozen=True, slots=True)
class Source:
    """A data source of Grafana. Secrets are names of variables of Grafana's environment."""

    kind: Kind
    url: str
    database: str
    user: str = ""
    secret: str = ""  # the variable with the password or token; "" = none is needed
    token: bool = False  # the secret is a token
    sslmode: str = ""  # of PostgreSQL


@dataclass(frozen=True, slots=True)
class Readings:
    """All that a sink writes, and where."""

    source: Source
    zone: str  # of days and months: "Europe/Prague"
    series: tuple[Series, ...]
    meter_tag: str = ""  # of InfluxDB: the tag that holds the meter's name
    instant: str = ""  # of PostgreSQL: the instant of a row, in SQL
    periods_s: Mapping[str, float] = field(default_factory=dict)  # meter -> how often it is read; 0 = at will

    def of(self, base: str) -> list[Series]:
        """Of each meter the quantity itself, else its phases."""
        found = []
        for meter in dict.fromkeys(each.meter for each in self.series):
            known = {each.quantity: each for each in self.series if each.meter == meter}
            phases = [known[base + end] for end in PHASES if base + end in known]
            found += [known[base]] if base in known else phases[:3]
        return found

    def one_each(self, order: Sequence[str]) -> list[Series]:
        """One series of each meter, the first of these quantities, to see whether it is there."""
        rank = {name: place for place, name in enumerate(order)}
        chosen: dict[str, Series] = {}
        for each in sorted(self.series, key=lambda one: rank.get(one.quantity, len(rank))):
            chosen.setdefault(each.meter, each)
        return [chosen[meter] for meter in dict.fromkeys(each.meter for each in self.series)]


def by_place(series: Iterable[Series]) -> Mapping[str, Sequence[Series]]:
    """Series of one quantity by where their meters are."""
    found: dict[str, list[Series]] = {}
    for each in series:
        found.setdefault(each.place, []).append(each)
    return found


def groups(series: Iterable[Series]) -> Iterator[Sequence[Series]]:
    """Series that lie in one column of one table, in one unit: one question asks for all of them."""
    found: dict[tuple[str, str, float, str], list[Series]] = {}
    for each in series:
        phase = each.label.removeprefix(each.meter)
        found.setdefault((each.table, each.column, each.factor, phase), []).append(each)
    yield from found.values()
