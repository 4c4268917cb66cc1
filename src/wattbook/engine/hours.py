"""Which place uses how much at which hour of the week: energy folded onto the site's clock.

Energy is asked for in half hours: the offset of every zone changes by whole ones, so each lies in one hour of the
clock. The hour that comes twice in autumn counts twice, the one that is skipped in spring not at all; a mean is always
energy by hours that were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from wattbook.config import Config
from wattbook.engine.ask import ask
from wattbook.engine.asked import NotThere, and_above
from wattbook.engine.places import places_of, stays
from wattbook.engine.query import Question
from wattbook.model import ConfigError, EnergyQuality, Series, Span, quantity
from wattbook.model.nearest import did_you_mean
from wattbook.model.place import lies_at, path_of
from wattbook.model.series import ENERGY_QUALITIES
from wattbook.store import BookReader, Step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SPAN_MAX = timedelta(days=1_100)  # three years: 53,000 half hours of each place
PLACES_MAX = 200  # at one level
CELLS = 7 * 24  # Monday from 0:00 first
_HALF_HOUR = Step(30, "min")
_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
_THURSDAY = 3  # 1 January 1970; Monday is 0
_MISSING = ENERGY_QUALITIES.index(EnergyQuality.MISSING)


@dataclass(frozen=True, slots=True)
class Week:
    """The energy of each of the 168 hours of a week, added up over all weeks of a span."""

    energy: Sequence[float]  # base unit, of the time of which something is known
    hours: Sequence[float]  # how long that was
    missing: Sequence[float]  # hours of which nothing is known
    quality: Sequence[EnergyQuality]  # the worst of what is known; `missing` where nothing is


@dataclass(frozen=True, slots=True)
class PlaceWeek:
    """A week of everything at or below a location."""

    location: str
    meters: Sequence[str]
    deeper: bool  # whether there are locations below it
    week: Week


def weeks_of(reader: BookReader, config: Config, name: str, span: Span, below: str) -> Sequence[PlaceWeek]:
    """The weeks of the locations one level below `below` ("/" = the uppermost) that tell the energy `name`.

    Raises NotThere for an unknown location, ConfigError for what is no energy and for too long a span.
    """
    if quantity(name).unit != "Wh":
        raise ConfigError(f'hours of the week are of active energy, not of "{name}"')
    if span.duration > SPAN_MAX:
        raise ConfigError(f"more than {SPAN_MAX.days} days; choose a shorter time")
    known = list(_locations(reader, config, span))
    children = _children(known, below)
    if not span.duration:
        return ()
    zone = config.site.timezone
    question = Question(name, span, zone, locations=children, every=_HALF_HOUR, every_text="30min", by_location=True)
    cells: dict[bytes, NDArray[np.int64]] = {}
    return [
        PlaceWeek(
            answer.meter,
            answer.parts,
            any(lies_at(place, answer.meter) and path_of(place) != path_of(answer.meter) for place in known),
            week_of(answer.series, span, zone, cells),
        )
        for answer in ask(reader, question, config)
    ]


def _locations(reader: BookReader, config: Config, span: Span) -> Iterator[str]:
    """Where meters were in a span."""
    for meter in config.meters:
        yield from (place for place, _ in stays(places_of(reader, meter), span) if path_of(place))


def _children(known: Iterable[str], below: str) -> tuple[str, ...]:
    """The locations one level below another; it itself, where nothing is below it. Raises NotThere."""
    known, above = list(known), path_of(below)
    inside = [path_of(place) for place in known if lies_at(place, below)]
    if not inside:
        near = did_you_mean(below, and_above(known))
        raise NotThere(f'no meter is at "{below}"{near}' if above else "no meter has a location; give them one")
    found = dict.fromkeys("/".join(path[: len(above) + 1]) for path in inside if len(path) > len(above))
    if len(found) > PLACES_MAX:
        raise ConfigError(f'{len(found)} locations below "{below}"; {PLACES_MAX} at the most')
    return tuple(found) or ("/".join(above),)


def week_of(series: Series, span: Span, zone: ZoneInfo, cells: dict[bytes, NDArray[np.int64]] | None = None) -> Week:
    """Fold the energies of half hours that cut `span`; `cells` keeps what is the same for all places."""
    import numpy as np

    from wattbook.engine.combine import codes, instants, values
    from wattbook.model.batch import to_ms

    at = instants(series)
    cell = _cells(at, zone, {} if cells is None else cells)
    hours = np.diff(at, append=to_ms(span.end)) / _HOUR_MS
    known = ~np.isnan(values(series))
    worst = np.full(CELLS, -1)
    np.maximum.at(worst, cell[known], codes(series)[known])

    def added(weights: NDArray[np.float64]) -> list[float]:
        return np.round(np.bincount(cell, weights, CELLS), 6).tolist()  # type: ignore[no-any-return]

    return Week(
        added(np.where(known, values(series), 0.0)),
        added(np.where(known, hours, 0.0)),
        added(np.where(known, 0.0, hours)),
        [ENERGY_QUALITIES[_MISSING if code < 0 else code] for code in worst.tolist()],
    )


def _cells(at: NDArray[np.int64], zone: ZoneInfo, kept: dict[bytes, NDArray[np.int64]]) -> NDArray[np.int64]:
    """The place in a week of each instant: 24 * weekday + hour of the local clock."""
    from wattbook.exchange.local_time import offsets_ms

    key = at.tobytes()
    if key not in kept:
        local = at + offsets_ms(at, zone)
        kept[key] = (local // _DAY_MS + _THURSDAY) % 7 * 24 + local % _DAY_MS // _HOUR_MS
    return kept[key]
