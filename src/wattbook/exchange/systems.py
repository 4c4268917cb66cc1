"""The systems that people come from, and how a file is told to be of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wattbook.exchange import (
    dsmr_reader,
    home_assistant_csv,
    home_assistant_db,
    influx,
    mongodb,
    phpfina,
    seed_files,
    tables,
)
from wattbook.exchange.csv_rows import read_header
from wattbook.exchange.intake import Reader
from wattbook.exchange.lines import head
from wattbook.model import ConfigError
from wattbook.model.nearest import did_you_mean

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class System:
    """A kind of file that can be imported."""

    name: str  # as of `--from`
    title: str
    read: Reader


SYSTEMS: Mapping[str, System] = {
    system.name: system
    for system in (
        System("plain", "wattbook's plain table", tables.read_plain),
        System("csv", "CSV with a mapping", tables.read_mapped),
        System("influx", "InfluxDB line protocol", influx.read),
        System("mongodb", "mongoexport JSON", mongodb.read),
        System("home-assistant", "Home Assistant's database", home_assistant_db.read),
        System("home-assistant-csv", "Home Assistant's statistics as CSV", home_assistant_csv.read),
        System("phpfina", "emoncms PHPFina feeds", phpfina.read),
        System("dsmr-reader", "dsmr-reader's CSV", dsmr_reader.read),
        System("rx380", "the RX380 logger's CSV", seed_files.read_rx380),
        System("lector", "Lector's daily files", seed_files.read_lector),
    )
}

_REFUSED = (
    (b"PK\x03\x04", "is a zip archive or a spreadsheet; unpack it, or save the sheet as CSV"),
    (b"\x1f\x8b", "is compressed; unpack it first (gunzip)"),
    (b"\x28\xb5\x2f\xfd", "is compressed; unpack it first (unzstd)"),
    (b"\xfd7zXZ", "is compressed; unpack it first (unxz)"),
    (b"BZh", "is compressed; unpack it first (bunzip2)"),
    (b"\xd0\xcf\x11\xe0", "is an old spreadsheet; save it as CSV"),
    (b"PAR1", "is a Parquet file; write it as CSV first"),
    (b"<", "is XML or a page; export CSV instead"),
)
_ENERGY_PAGE = ["entity_id", "type", "unit"]


def system_of(files: Sequence[Path], named: str = AUTO) -> System:
    """The system that these files are of, all of them. Raises ConfigError in words."""
    if named != AUTO and named not in SYSTEMS:
        known = ", ".join((AUTO, *SYSTEMS))
        raise ConfigError(
            f'no system is called "{named}"{did_you_mean(named, SYSTEMS)}; one of: {known}', place="--from"
        )
    for path in files:
        _check_kind(path)
    if named == "home-assistant" and not head(files[0]).startswith(home_assistant_db.MAGIC):
        named = "home-assistant-csv"
    if named != AUTO:
        return SYSTEMS[named]
    found = {path: detect(path) for path in files}
    if len(set(found.values())) > 1:
        told = ", ".join(f"{path.name}: {name}" for path, name in found.items())
        raise ConfigError(f"these files are of several systems ({told}); import them one system at a time")
    return SYSTEMS[next(iter(found.values()))]


def _check_kind(path: Path) -> None:
    if path.is_dir():
        raise ConfigError("is a folder; name the files in it", place=str(path))
    begins = head(path, 64).removeprefix(b"\xef\xbb\xbf").lstrip()
    if not begins and not path.stat().st_size:
        raise ConfigError("is empty", place=str(path))
    for magic, words in _REFUSED:
        if begins.startswith(magic) and not phpfina.is_feed(path):
            raise ConfigError(words, place=str(path))


def detect(path: Path) -> str:
    """The name of the system that a file is of; "csv" when it is a table of nobody we know."""
    if phpfina.is_feed(path):
        return "phpfina"
    begins = head(path)
    if begins.startswith(home_assistant_db.MAGIC):
        return "home-assistant"
    if b"\0" in begins:
        raise ConfigError("is binary, and of no system that is known here", place=str(path))
    if b"\r" in begins and b"\n" not in begins:
        raise ConfigError("its lines end as on an old Macintosh (CR); save it with other line ends", place=str(path))
    text = begins.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").lstrip()
    if text.startswith(("{", "[")):
        return "mongodb"
    if influx.looks_like(text.splitlines()[:10]):
        return "influx"
    return _table(path)


def _table(path: Path) -> str:
    names = read_header(path, rows=1).names
    if names[:3] == _ENERGY_PAGE:
        raise ConfigError(
            "tells what was used by the hour or day, not what the meters showed; import home-assistant_v2.db instead",
            place=str(path),
        )
    known = (
        ("plain", tables.is_plain(names)), ("home-assistant-csv", home_assistant_csv.is_export(names)),
        ("dsmr-reader", dsmr_reader.is_export(names)), ("rx380", seed_files.is_rx380(names)),
        ("lector", seed_files.is_lector(names)),
    )  # fmt: skip
    return next((name for name, is_it in known if is_it), "csv")
