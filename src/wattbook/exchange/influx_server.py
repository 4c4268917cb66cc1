"""A running InfluxDB, asked over HTTP in InfluxQL: 1.x, and later ones where they answer `/query` as 1.x does.

    GET /query?db=housePower&epoch=ms&chunked=true&q=SELECT * FROM "ALL_SENSORS" WHERE … GROUP BY *

Each chunk of an answer is one line of JSON. What a field is, is told as for a dump (see `influx`).
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import numpy as np

from wattbook.exchange.gather import Gather
from wattbook.exchange.influx import Places, series_of
from wattbook.exchange.intake import Intake
from wattbook.exchange.numbers import scaled
from wattbook.exchange.servers import Address, Told
from wattbook.exchange.tally import Tally
from wattbook.model import Columns, ConfigError, SinkUnavailable
from wattbook.model.exact import EXACT_MAX
from wattbook.transports.http_login import basic_login

_ROWS = 10_000  # points of a chunk
_SILENCE_S = 120.0  # a large series may take long to begin
_LINE_MAX = 64_000_000  # bytes of a chunk: 10,000 points of 200 fields


class InfluxServer:
    """One database of an InfluxDB. `address.table` is a measurement; "" = all of them."""

    def __init__(self, address: Address) -> None:
        if not address.database:
            raise ConfigError(f"{address.url}: which database? write {address.url}/DATABASE")
        self._address = address
        self.title = f"InfluxDB at {address.shown}"

    def read(self, intake: Intake, begin_ms: int, end_ms: int, told: Told) -> Iterator[Columns]:
        """Yield the readings of all measurements, gathered by meter and instant."""
        with Gather(intake.tally) as gather:
            places = Places(intake)
            measurements = [self._address.table] if self._address.table else self._measurements()
            for number, measurement in enumerate(measurements, 1):
                self._read(measurement, begin_ms, min(end_ms, intake.latest_ms + 1), places, gather, intake.tally)
                told(number / len(measurements))
            places.check(self._address.shown)
            yield from gather.columns()

    def _measurements(self) -> Sequence[str]:
        found = [row[0] for series in self._ask("SHOW MEASUREMENTS") for row in series["values"]]
        if not found:
            raise ConfigError(f"{self._address.shown}: there is nothing in it, or no such database")
        return found

    def _read(self, measurement: str, begin_ms: int, end_ms: int, places: Places, gather: Gather, tally: Tally) -> None:
        name = measurement.replace("\\", "\\\\").replace('"', '\\"')
        when = f"time >= {begin_ms}ms AND time < {end_ms}ms"
        for series in self._ask(f'SELECT * FROM "{name}" WHERE {when} GROUP BY *'):  # noqa: S608 - InfluxQL, quoted
            self._take(series, places, gather, tally)

    def _take(self, series: Mapping[str, Any], places: Places, gather: Gather, tally: Tally) -> None:
        tags = {name: str(value) for name, value in series.get("tags", {}).items() if value}
        if self._address.site and tags.get("site", self._address.site) != self._address.site:
            return
        written = series_of(str(series["name"]), tags)
        columns = dict(zip(series["columns"], zip(*series["values"], strict=True), strict=True))
        at_ms = np.array(columns.pop("time"), np.int64)
        for field, cells in columns.items():
            if all(cell is None for cell in cells):
                continue  # a field of other series of this measurement
            place = places.of(written, series_of(field, {}))
            if isinstance(place, str):
                if place:
                    tally.leave_out(place, sum(cell is not None for cell in cells))
                continue
            target, meter, quantity = place
            gather.add(meter, quantity, at_ms, scaled(_numbers(cells), target))

    def _ask(self, question: str) -> Iterator[Mapping[str, Any]]:
        """Yield the series of every chunk. Raises SinkUnavailable."""
        form = urlencode(
            {"db": self._address.database, "epoch": "ms", "chunked": "true", "chunk_size": _ROWS, "q": question}
        )
        request = urllib.request.Request(f"{self._address.url}/query?{form}", headers=self._headers())  # noqa: S310 - http or https, see servers
        try:
            with urllib.request.urlopen(request, timeout=_SILENCE_S) as answer:  # noqa: S310 - as above
                while line := answer.readline(_LINE_MAX):
                    yield from self._series(json.loads(line))
        except urllib.error.HTTPError as error:
            raise SinkUnavailable(f"{self._address.shown}: {_said(error)}") from error
        except OSError as error:
            raise SinkUnavailable(f"{self._address.shown}: {getattr(error, 'reason', error)}") from error
        except ValueError as error:
            raise SinkUnavailable(f"{self._address.shown}: it does not answer as InfluxDB does") from error

    def _series(self, chunk: Any) -> Iterator[Mapping[str, Any]]:
        for result in chunk.get("results", ()):
            if "error" in result:
                raise SinkUnavailable(f"{self._address.shown}: {result['error']}")
            yield from result.get("series", ())

    def _headers(self) -> dict[str, str]:
        if not self._address.user:
            return {}
        password = self._address.password.reveal() if self._address.password else ""
        return {"Authorization": basic_login(self._address.user, password)}


def _said(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return f"it answers {error.code} {error.reason}"


def _numbers(cells: Sequence[object]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Numbers that can be kept exactly; what is none is absent."""
    values = np.array(
        [float(cell) if isinstance(cell, int | float) and not isinstance(cell, bool) else np.nan for cell in cells]
    )
    values[np.abs(values) > EXACT_MAX] = np.nan
    return values
