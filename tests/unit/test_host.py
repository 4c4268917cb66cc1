"""This machine as a meter: what Linux says, and what is absent when it says nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wattbook.codecs.measured import Measured
from wattbook.drivers import host
from wattbook.drivers.host import Host, boot_id
from wattbook.engine.look_at_host import HostSource
from wattbook.engine.once import read_once
from wattbook.model import ConfigError, Event, Kept, Reading, SystemClock, Unreachable
from wattbook.profiles import Library

PROFILE = Library().get("host")
MEMINFO = "MemTotal:         945364 kB\nMemFree:          120000 kB\nMemAvailable:     472000 kB\nHugePages_Total: 0\n"


def machine(folder: Path, files: Mapping[str, str]) -> Host:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return Host(PROFILE, folder, root=folder)


@pytest.mark.parametrize(
    ("files", "celsius"),
    [
        ({"thermal_zone0/type": "cpu-thermal\n", "thermal_zone0/temp": "48312\n"}, 48.312),
        ({"thermal_zone0/type": "acpitz", "thermal_zone0/temp": "27800",
          "thermal_zone1/type": "x86_pkg_temp", "thermal_zone1/temp": "61000"}, 61.0),
        ({"thermal_zone0/type": "board-made-up", "thermal_zone0/temp": "39000"}, 39.0),
        ({"thermal_zone0/type": "cpu-thermal", "thermal_zone0/temp": "-12000"}, -12.0),
        ({"thermal_zone0/type": "cpu-thermal", "thermal_zone0/temp": "-274000"}, None),  # a sensor without power
        ({"thermal_zone0/type": "cpu-thermal", "thermal_zone0/temp": ""}, None),
        ({"thermal_zone0/type": "cpu-thermal", "thermal_zone0/temp": "warm"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_the_temperature_of_the_processor(tmp_path: Path, files: Mapping[str, str], celsius: float | None) -> None:
    values = machine(tmp_path, {f"sys/class/thermal/{name}": text for name, text in files.items()}).read().values
    assert values.get("temperature") == celsius


def test_load_storage_and_memory_in_percent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (1.0, 9.0, 9.0))
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: host.shutil._ntuple_diskusage(100, 60, 20))  # type: ignore[attr-defined]
    values = machine(tmp_path, {"proc/meminfo": MEMINFO}).read().values
    assert dict(values) == {"processor_load": 25.0, "storage_free": 25.0, "memory_free": 49.9}


def test_what_a_system_does_not_tell_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.getloadavg")  # as on Windows
    assert set(machine(tmp_path, {}).read().values) == {"storage_free"}
    with pytest.raises(Unreachable, match="neither temperature"):
        Host(PROFILE, tmp_path / "not there", root=tmp_path).read()


def test_every_start_of_the_machine_has_a_name(tmp_path: Path) -> None:
    assert boot_id(tmp_path) == ""
    machine(tmp_path, {"proc/sys/kernel/random/boot_id": "0d4c\n"})
    assert boot_id(tmp_path) == "0d4c"


def test_it_is_read_once_from_the_command_line() -> None:
    reading = read_once("host://", PROFILE, "", clock=SystemClock())
    assert 0 <= reading.values["storage_free"] <= 100
    for port, model in (("host://", "pzem-016"), ("/dev/ttyUSB0", "host")):
        with pytest.raises(ConfigError, match="--model host"):
            read_once(port, Library().get(model), "", clock=SystemClock())
    with pytest.raises(ConfigError, match="no model of a host"):
        Host(replace(PROFILE, host=None), Path())


class Recorder:
    """Keeper, report and clock: writes everything down."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 21, 12, 0, 7, tzinfo=UTC)
        self.readings: list[Reading] = []
        self.said: list[str] = []
        self.slept_s: list[float] = []

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def keep(self, readings: Sequence[Reading]) -> Kept:
        raise AssertionError("it is measured, not sent")

    def measured(self, reading: Reading) -> None:
        self.readings.append(reading)

    def note(self, event: Event) -> None:
        raise AssertionError("nothing to note")

    def heard(self, meter: str, at: datetime, count: int = 1) -> None:
        self.said.append("heard")

    def garbled(self, meter: str, reason: str) -> None:
        raise AssertionError("nothing to garble")

    def lost(self, meter: str, reason: str) -> None:
        self.said.append(reason)

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.at += timedelta(seconds=seconds)
        if len(self.slept_s) == 3:
            raise asyncio.CancelledError


class Moody:
    """Tells nothing the second time."""

    def __init__(self) -> None:
        self.asked = 0

    def read(self) -> Measured:
        self.asked += 1
        if self.asked == 2:
            raise Unreachable("nothing to tell")
        return Measured({"temperature": 40.0 + self.asked})


async def test_it_is_looked_at_in_its_slots() -> None:
    outside = Recorder()
    source = HostSource("pi", Moody(), every_s=60.0, clock=outside, report=outside, sleep=outside.sleep)
    with suppress(asyncio.CancelledError):
        await source.run(outside)
    assert outside.slept_s == [53.0, 60.0, 60.0]
    assert [(each.at.minute, each.values["temperature"]) for each in outside.readings] == [(0, 41.0), (2, 43.0)]
    assert outside.said == ["heard", "nothing to tell", "heard"]
