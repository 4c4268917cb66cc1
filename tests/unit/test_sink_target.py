"""Where a sink writes to, for people to look at: no password, no token and no path that may be one."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattbook import config
from wattbook.engine.sink_target import target_of
from wattbook.sinks.sql import SqlSettings
from wattbook.values import Secret


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ('kind = "influxdb"\nurl = "http://127.0.0.1:8086"', "http://127.0.0.1:8086"),
        ('kind = "http"\nurl = "https://anna:hush@hooks.example.org/T0KEN/x?key=hush"', "https://hooks.example.org"),
        ('kind = "http"\nurl = "https://hooks.example.org?key=hush"', "https://hooks.example.org"),
        ('kind = "kafka"\nurl = "kafkas://one.example.org:9093,two.example.org:9093"',
         "kafkas://one.example.org:9093,two.example.org:9093"),
        ('kind = "mqtt"\nurl = "mqtts://broker.example.org:8883"', "mqtts://broker.example.org:8883"),
        ('kind = "sql"\nurl = "postgresql://anna:hush@db.example.org/house"', "postgresql://db.example.org"),
        ('kind = "http"\nurl = "http://[::1]:9000/x"', "http://[::1]:9000"),
        ('kind = "csv"\nfile = "files/{meter}.csv"', "{folder}/files/{meter}.csv"),
        ('kind = "console"', ""),
    ],
)  # fmt: skip
def test_a_target_is_told_without_secrets(tmp_path: Path, keys: str, told: str) -> None:
    path = tmp_path / "wattbook.toml"
    meter = '[[meter]]\nname = "main-a"\nmodel = "push"\n'
    path.write_text(f'[site]\ntimezone = "UTC"\n{meter}[[sink]]\nname = "it"\n{keys}\n', encoding="utf-8")
    (settings,) = config.load(path).sinks
    assert target_of(settings) == told.replace("{folder}", str(tmp_path))
    assert "hush" not in target_of(settings)


@pytest.mark.parametrize("password", ["1/2", "1,2", "1?2", "1#2", "hu/sh", "hu,sh", "hu@sh", "hu/s@h", "hu:sh/1"])
@pytest.mark.parametrize("address", ["mysql://anna:{}@db.example.org/house", "mysql://{}@db.example.org:3306/house"])
def test_a_password_with_marks_of_an_address_shows_no_part_of_it(address: str, password: str) -> None:
    told = target_of(SqlSettings(name="it", url=Secret(address.format(password))))
    assert told in ("", "mysql://db.example.org", "mysql://db.example.org:3306")


def test_several_servers_with_and_without_schemes_are_all_told() -> None:
    for url in ("nats://one:4222,nats://two:4222", "kafka://one:9092,two:9092", "one:9092,two"):
        assert target_of(SqlSettings(name="it", url=Secret(url))) == url
