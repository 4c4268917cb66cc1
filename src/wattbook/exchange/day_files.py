"""Rows that wait on the disk until all are known, so that memory holds a day of them whatever there is."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wattbook.exchange.instants import Instants
from wattbook.model import ConfigError

_ON_DISK = Path("/var/tmp")  # noqa: S108 - a folder of our own is made in it; /tmp may be memory
_DAY_MS = 86_400_000


class DayFiles:
    """Rows with an instant `at`, of any columns: one temporary file for each group and day of UTC."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._days: dict[int, set[int]] = {}  # of each group

    def close(self) -> None:
        """Remove the files."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._days)

    def add(self, rows: NDArray[Any], group: int = 0) -> None:
        """Put rows to those of their days. Raises ConfigError when there is no room."""
        days: Instants = rows["at"] // _DAY_MS
        order = np.argsort(days, kind="stable")
        rows = rows[order]
        found, starts, counts = np.unique(days[order], return_index=True, return_counts=True)
        self._days.setdefault(group, set()).update(found.tolist())
        try:
            if self._folder is None:
                self._folder = Path(
                    tempfile.mkdtemp(prefix="wattbook-import-", dir=_ON_DISK if _ON_DISK.is_dir() else None)
                )
            for day, start, count in zip(found.tolist(), starts.tolist(), counts.tolist(), strict=True):
                with self._file(group, day).open("ab") as file:
                    np.save(file, rows[start : start + count], allow_pickle=False)
        except OSError as error:
            raise ConfigError(
                f"no room for what is sorted by day: {error.strerror}", place=str(self._folder)
            ) from error

    def days(self, group: int = 0) -> Iterator[list[NDArray[Any]]]:
        """Yield what was added of each day, day by day, in the order in which it came."""
        for day in sorted(self._days.get(group, ())):
            path = self._file(group, day)
            size, found = path.stat().st_size, []
            with path.open("rb") as file:
                while file.tell() < size:
                    found.append(np.load(file, allow_pickle=False))
            yield found

    def _file(self, group: int, day: int) -> Path:
        assert self._folder is not None
        return self._folder / f"{group}.{day}"
