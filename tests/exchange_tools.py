"""What the tests of import and export share: one pass over files, and readings as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from wattbook.exchange import AUTO, Intake, Meters, Wishes, system_of
from wattbook.model import Columns
from wattbook.model.batch import from_ms, to_ms

PRAGUE = ZoneInfo("Europe/Prague")
LATEST = datetime(2026, 11, 22, tzinfo=UTC)
Seen = dict[tuple[str, str], dict[str, float]]  # (meter, instant) -> values


def intake(
    *maps: str,
    meters: Sequence[str] = ("main-a", "main-b", "generator"),
    meter: str = "",
    zone: ZoneInfo = PRAGUE,
    time: str = "",
    form: str = "",
) -> Intake:
    """An intake of a site in Prague."""
    known = Meters(meters, default=meter)
    return Intake(known, Wishes(maps, known), zone, to_ms(LATEST), time=time, time_form=form)


def imported(files: Path | Sequence[Path], at: Intake, system: str = AUTO) -> Seen:
    """All readings of files."""
    files = [files] if isinstance(files, Path) else files
    return seen(system_of(files, system).read(files, at))


def seen(blocks: Iterable[Columns]) -> Seen:
    """Readings as plain values; no instant of a meter comes twice."""
    found: Seen = {}
    for block in blocks:
        for reading in block.readings():
            key = reading.meter, text(to_ms(reading.at))
            assert key not in found
            found[key] = dict(reading.values)
    return found


def text(at_ms: int) -> str:
    """An instant as 2026-11-21T01:02:03 (with milliseconds only where there are any)."""
    return from_ms(at_ms).isoformat(timespec="milliseconds").removesuffix("+00:00").removesuffix(".000")


def write(folder: Path, name: str, content: str | bytes) -> Path:
    """A file of a foreign system."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
