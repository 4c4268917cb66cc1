"""The machine that wattbook runs on: temperature, load, free storage and memory. What it does not tell is absent.

Values come from whole numbers by one division, in steps in which a person would read them: 0.1 %.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from wattbook.codecs.measured import Measured
from wattbook.model.errors import ConfigError, Unreachable
from wattbook.profiles.profile import HostSettings, Profile

PORT = "host://"  # what `wattbook read` calls it
_TEXT_MAX = 65_536  # bytes of a file of the kernel's; the largest, /proc/meminfo, has 1,600
_CELSIUS = range(-60, 200)  # °C that a processor can have and live; a sensor without power tells others


class Host:
    """This machine. `folder` is where the storage is looked at: the book's. Blocks on the system for a moment."""

    def __init__(self, profile: Profile, folder: Path, *, root: Path = Path("/")) -> None:
        """Prepare; `root` is where /sys and /proc are. Raises ConfigError when the model is no host."""
        if profile.host is None:
            raise ConfigError(f'model "{profile.name}" is no model of a host')
        self._settings, self._folder, self._root = profile.host, folder, root

    def read(self) -> Measured:
        """Look at it. Raises Unreachable when the system tells nothing at all."""
        values = dict(self._values())
        if not values:
            raise Unreachable("this system tells neither temperature, load, storage nor memory")
        return Measured(values)

    def _values(self) -> Iterator[tuple[str, float]]:
        for name, value in (
            ("temperature", _temperature(self._root, self._settings)),
            ("processor_load", _processor_load()),
            ("storage_free", _storage_free(self._folder)),
            ("memory_free", _memory_free(self._root)),
        ):
            if value is not None:
                yield name, value


def boot_id(root: Path = Path("/")) -> str:
    """A name for this start of the machine, another one after every boot; "" where the system has none."""
    return _text(root / "proc/sys/kernel/random/boot_id")


def _temperature(root: Path, settings: HostSettings) -> float | None:
    """°C of the processor: thermal zones tell thousandths."""
    zones = {_text(zone / "type"): zone for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*"))}
    known = (zones[kind] for kind in settings.thermal_zones if kind in zones)
    zone = next(known, root / "sys/class/thermal/thermal_zone0")
    thousandths = _whole(_text(zone / "temp"))
    return None if thousandths is None or thousandths // 1000 not in _CELSIUS else thousandths / 1000


def _processor_load() -> float | None:
    """% of all cores: the mean of one minute."""
    if not hasattr(os, "getloadavg"):
        return None
    try:
        load, _, _ = os.getloadavg()
    except OSError:
        return None
    return round(1000 * load / (os.cpu_count() or 1)) / 10


def _storage_free(folder: Path) -> float | None:
    """% of the file system that a user without privileges can still fill, as df counts."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    whole = usage.used + usage.free
    return 1000 * usage.free // whole / 10 if whole else None


def _memory_free(root: Path) -> float | None:
    """% that programs can still have before the system has to swap."""
    rows = (line.split() for line in _text(root / "proc/meminfo").splitlines())
    sizes = {row[0]: _whole(row[1]) for row in rows if len(row) > 1}
    available, total = sizes.get("MemAvailable:"), sizes.get("MemTotal:")
    return None if available is None or not total else 1000 * available // total / 10


def _text(file: Path) -> str:
    """What the kernel says in this file, "" when it says nothing."""
    with contextlib.suppress(OSError, UnicodeDecodeError), file.open("rb") as opened:
        return opened.read(_TEXT_MAX).decode().strip()
    return ""


def _whole(text: str) -> int | None:
    return int(text) if text.removeprefix("-").isdecimal() and text.isascii() else None
