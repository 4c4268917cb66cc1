"""Backups by HTTP: what is there, one more now, and a folder that cannot be read."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from api_house import House, house, pzem

BACKUPS = "/api/v1/backups"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path, more='[backup]\ndir = "copies"\n') as home:
        home.keep(pzem())
        yield home


async def test_a_backup_is_made_now_one_at_a_time(home: House) -> None:
    async with home.client as client:
        first = (await client.get(BACKUPS)).json()
        assert first["backups"] == [] and first["overdue"] and first["running"] is None and first["keep"] == 7
        assert (await client.post(BACKUPS, json={"do": "make"})).json() == {"started": True}
        again = await client.post(BACKUPS, json={"do": "make"})
        assert again.status_code == 409 and "wait for it" in again.json()["error"]
        async with asyncio.timeout(30):
            while (told := (await client.get(BACKUPS)).json())["running"]:
                await asyncio.sleep(0)
        (copy,) = told["backups"]
        assert copy["own"] and copy["bytes"] > 0 and not told["overdue"] and told["failed"] == ""
        assert (home.context.config.path.parent / "copies" / copy["file"]).is_file()


async def test_a_wrong_order_is_refused(home: House) -> None:
    assert (await home.client.post(BACKUPS, json={"do": "mak"})).status_code == 400


async def test_without_a_backup_table_it_says_what_to_do(tmp_path: Path) -> None:
    with house(tmp_path) as home:
        told = (await home.client.get(BACKUPS)).json()
        assert told["dir"] is None and told["overdue"]
        answer = await home.client.post(BACKUPS, json={"do": "make"})
        assert answer.status_code == 400 and "[backup] dir" in answer.json()["error"]


async def test_a_disk_of_backups_with_errors_takes_nothing_else_down(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = home.context.config.path.parent / "copies"
    folder.mkdir()
    scandir = os.scandir

    def broken(path: str | Path = ".") -> object:
        if Path(path) == folder:
            raise OSError(errno.EIO, "Input/output error")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", broken)
    metrics = await home.client.get("/metrics")
    assert metrics.status_code == 200 and "wattbook_backup_readable 0" in metrics.text
    stored = (await home.client.get("/api/v1/storage")).json()
    assert stored["last_backup"] is None and "Input/output error" in stored["backup_problem"]
    told = (await home.client.get(BACKUPS)).json()
    assert "Input/output error" in told["problem"] and told["overdue"]
