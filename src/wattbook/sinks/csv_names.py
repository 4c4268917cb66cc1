"""Names of files by template: `logs/{meter}_{at:YYYY-MM-DD}.csv`. What is filled in leads out of no folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from zlib import crc32

from wattbook.model import Columns
from wattbook.model.around import Surroundings
from wattbook.model.template import Template, parse_template

NAME_SIZE_MAX = 200  # bytes of a file's name; systems take 255, and we put something before and behind it
NUMBER_MAX = 99  # files of one name whose headers differ
_CACHED_MAX = 10_000  # names; a day of a hundred meters
_BUCKET_MS = 900_000  # every zone's clock is put forward and back by whole quarters of an hour

_PART = re.compile(r"(?:\{[^{}]*\}|[^/{}]|[{}])+")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')


@dataclass(frozen=True, slots=True)
class FileNames:
    """Where readings go. Names are relative to `folder`, with "/" between parts."""

    folder: Path
    parts: tuple[Template, ...]
    _cached: dict[tuple[str, str, int], str | None] = field(default_factory=dict, compare=False, repr=False)

    def cut(self, columns: Columns) -> list[tuple[str, Columns]]:
        """The rows by the name of their file, in their order."""
        names = self._names(columns)
        if len(set(names)) == 1:
            return [(names[0], columns)]
        starts = [row for row, name in enumerate(names) if row == 0 or names[row - 1] != name]
        ends = [*starts[1:], len(names)]
        return [(names[first], columns.cut(slice(first, end))) for first, end in zip(starts, ends, strict=True)]

    def _names(self, columns: Columns) -> list[str]:
        buckets = [at // _BUCKET_MS for at in columns.at_ms]
        known = {bucket: self._of_bucket(columns, bucket) for bucket in set(buckets)}
        if None not in known.values():
            return [known[bucket] or "" for bucket in buckets]
        return self._filled(columns)

    def _of_bucket(self, columns: Columns, bucket: int) -> str | None:
        """The name for a quarter of an hour; None when it changes within. A date need not be written for each row."""
        key = (columns.site, columns.meter, bucket)
        if key not in self._cached:
            if len(self._cached) >= _CACHED_MAX:
                self._cached.clear()
            ends = columns.cut(slice(0, 1)), columns.cut(slice(0, 1))
            for edge, at_ms in zip(ends, (bucket * _BUCKET_MS, (bucket + 1) * _BUCKET_MS - 1), strict=True):
                edge.at_ms[0] = at_ms
            (first,), (last,) = map(self._filled, ends)
            self._cached[key] = first if first == last else None
        return self._cached[key]

    def _filled(self, columns: Columns) -> list[str]:
        filled = [part.cells(columns) for part in self.parts]
        return ["/".join(safe_name(str(cell)) for cell in row) for row in zip(*filled, strict=True)]


def parse_file_names(path: Path, around: Surroundings) -> FileNames:
    """Understand a path with places in braces. Raises ValueError."""
    text = path.as_posix()
    folders: list[str] = ["/"] if text.startswith("/") else []
    named = _PART.findall(text)
    while len(named) > 1 and "{" not in named[0]:
        folders.append(named.pop(0))
    parts = tuple(parse_template(part, around) for part in named)
    if not parts or any(part.quantities or part.single for part in parts):
        raise ValueError(f'file: "{text}" must name a file by meter and time, not by values')
    return FileNames(Path(PurePosixPath(*folders)), parts)


def safe_name(text: str) -> str:
    """A text as the name of one file or folder on any system."""
    name = _UNSAFE.sub("_", text).rstrip(". ") or "_"
    if len(name.encode()) <= NAME_SIZE_MAX:
        return name
    return f"{name.encode()[: NAME_SIZE_MAX - 10].decode(errors='ignore')}_{crc32(name.encode()):08x}"


def numbered(path: Path, number: int) -> Path:
    """The file beside it that goes on when the first's header does not fit: `name (2).csv`."""
    return path if number == 1 else path.with_name(f"{path.stem} ({number}){path.suffix}")


def numbered_there(path: Path) -> Sequence[Path]:
    """The file and those beside it that are there."""
    found = []
    for number in range(1, NUMBER_MAX + 1):
        if not (one := numbered(path, number)).exists():
            break
        found.append(one)
    return found
