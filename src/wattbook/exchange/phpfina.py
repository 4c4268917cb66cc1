"""A feed of emoncms' PHPFina engine: N.meta and N.dat.

N.meta is 16 bytes, uint32 little-endian each: two that emoncms itself does not read (the feed's number and once the
count of points), the interval in seconds, and the start in Unix seconds. N.dat holds one float32, little-endian, for
every interval from the start on; NaN = nothing was told. How many there are is told by its length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import unpack

import numpy as np
from numpy.typing import NDArray

from wattbook.exchange.gather import Gather
from wattbook.exchange.instants import Instants
from wattbook.exchange.intake import Intake
from wattbook.exchange.lines import head, open_file
from wattbook.exchange.mapping import Target
from wattbook.exchange.numbers import Values, scaled
from wattbook.model import Columns, ConfigError
from wattbook.model.exact import EXACT_MAX

_META_SIZE = 16
_POINTS = 65_536  # read at once: 256 kB
INTERVAL_S_MAX = 86_400 * 31


@dataclass(frozen=True, slots=True)
class Meta:
    """What N.meta says."""

    interval_s: int
    start_s: int


def is_feed(path: Path) -> bool:
    """Whether this is one half of a feed whose other half lies beside it."""
    return path.suffix in (".meta", ".dat") and _other(path).is_file()


def _other(path: Path) -> Path:
    return path.with_suffix(".dat" if path.suffix == ".meta" else ".meta")


def read_meta(path: Path) -> Meta:
    """Read N.meta. Raises ConfigError when it is none."""
    data = head(path, _META_SIZE + 1)
    if len(data) != _META_SIZE:
        raise ConfigError(f"a PHPFina feed's .meta has {_META_SIZE} bytes, this has {len(data)}", place=str(path))
    interval_s, start_s = unpack("<8xII", data)
    if not 1 <= interval_s <= INTERVAL_S_MAX:
        raise ConfigError(f"{interval_s} s is no interval of a PHPFina feed", place=str(path))
    return Meta(interval_s, start_s)


def read(files: Sequence[Path], intake: Intake) -> Iterator[Columns]:
    """Join the feeds of each meter: a feed is one quantity, so name all of a meter's in one import."""
    feeds = dict.fromkeys(path.with_suffix("") for path in files)
    with Gather(intake.tally) as gather:
        mapped = False
        for feed in feeds:
            target = _target(feed, intake)
            if target is not None:
                mapped = True
                _read_feed(feed, target, intake, gather)
        if not mapped:
            raise intake.nothing_mapped("a feed says nothing of itself", [feed.name for feed in feeds])
        yield from gather.columns()


def _target(feed: Path, intake: Intake) -> Target | None:
    for name in (feed.name, f"{feed.name}.dat", f"{feed.name}.meta"):
        if intake.wishes.says(name):
            return intake.wishes.target(name)
    intake.tally.leave_out(feed.name)
    return None


def _read_feed(feed: Path, target: Target, intake: Intake, gather: Gather) -> None:
    data = feed.parent / f"{feed.name}.dat"
    intake.tally.file = data.name
    meta = read_meta(feed.parent / f"{feed.name}.meta")
    meter, quantity = intake.at(target, data.name)
    done = 0
    with open_file(data) as file:
        while chunk := file.read(4 * _POINTS):
            intake.seen(len(chunk))
            if len(chunk) % 4:
                intake.tally.reject(0, f"its last {len(chunk) % 4} bytes are no whole value")
            points = np.frombuffer(chunk[: len(chunk) // 4 * 4], "<f4")
            at_ms = (meta.start_s + (done + np.arange(len(points), dtype=np.int64)) * meta.interval_s) * 1000
            with np.errstate(invalid="ignore"):  # a signalling NaN is a NaN
                values = scaled(points.astype(np.float64), target)
            done += len(points)
            known = _known(values, at_ms, intake)
            gather.add(meter, quantity, at_ms[known], values[known])


def _known(values: Values, at_ms: Instants, intake: Intake) -> NDArray[np.bool_]:
    """Which points can be kept; the others are counted as bad."""
    told = ~np.isnan(values)
    good: NDArray[np.bool_] = told & (np.abs(values) <= EXACT_MAX) & (at_ms >= 0) & (at_ms <= intake.latest_ms)
    for place in np.flatnonzero(told & ~good).tolist():
        intake.tally.reject(0, f"point {place}: {values[place]} at {at_ms[place] // 1000} s cannot be kept")
    return good
