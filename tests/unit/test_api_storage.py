"""What the API and /metrics tell of the book's storage and its backups."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from api_house import NOW, House, house, pzem


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as home:
        home.keep(*(pzem(ago_s=3 * 86_400 - 300 * place, energy=1000.0 + place) for place in range(800)))
        yield home


async def test_storage_is_told_and_looked_up_once_a_minute(home: House) -> None:
    client = home.client
    first = (await client.get("/api/v1/storage")).json()
    assert first["readings_hot"] == 800 and first["readings_sealed"] == 0
    assert first["bytes_a_day"] is None and first["full_at"] is None and first["last_backup"] is None
    assert first["bytes_file"] > 0 and first["bytes_free"] > 0 and first["commit_every_s"] == 1.0
    home.book.seal(ZoneInfo("UTC"), NOW)
    assert (await client.get("/api/v1/storage")).json() == first
    home.clock.at += timedelta(minutes=1)
    later = (await client.get("/api/v1/storage")).json()
    assert later["readings_sealed"] > 500 and later["bytes_a_day"] > 100


async def test_metrics_tell_the_same(home: House) -> None:
    home.book.seal(ZoneInfo("UTC"), NOW)
    text = (await home.client.get("/metrics")).text
    found = {family.name: family.samples[0].value for family in text_string_to_metric_families(text) if family.samples}
    assert found["wattbook_storage_sealed_readings"] + found["wattbook_storage_hot_readings"] == 800
    assert found["wattbook_storage_day_bytes"] > 100
    assert found["wattbook_storage_file_bytes"] > 10_000
