"""The answer to a question as a file for a spreadsheet."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest

from api_house import House, house, pzem

QUESTION = "quantity=active_energy_import&every=1h&from=-2h&meter=main-a&meter=workshop"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as home:
        home.keep(*(pzem("main-a", ago_s=7200 - 60 * k, energy=1000.0 + 10 * k) for k in range(121)))
        yield home


async def test_csv_is_local_time_with_the_worst_quality(home: House) -> None:
    answer = await home.client.get(f"/api/v1/query/table?{QUESTION}")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    named = 'attachment; filename="active_energy_import_2026-11-21.csv"'
    assert answer.headers["content-disposition"] == named
    assert answer.text == (
        "at,main-a,workshop,quality\n"
        "2026-11-21T11:00:00.000+01:00,600,,missing\n"
        "2026-11-21T12:00:00.000+01:00,600,,missing\n"
    )


async def test_xlsx_has_dates_and_numbers(home: House) -> None:
    answer = await home.client.get(f"/api/v1/query/table?{QUESTION}&format=xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).active
    assert sheet is not None
    assert list(sheet.values) == [
        ("at", "offset", "main-a [Wh]", "workshop [Wh]", "quality"),
        (datetime(2026, 11, 21, 11), "+01:00", 600, None, "missing"),
        (datetime(2026, 11, 21, 12), "+01:00", 600, None, "missing"),
    ]


@pytest.mark.parametrize(
    ("more", "status", "says"),
    [
        ("&format=pdf", 400, '"format"'),
        ("&meter=nobody", 404, "no meter is called"),
        ("&from=2026-01-01&every=15min", 400, "more than 20000 values"),
    ],
)
async def test_what_is_no_table_is_told(home: House, more: str, status: int, says: str) -> None:
    answer = await home.client.get(f"/api/v1/query/table?{QUESTION}{more}")
    assert answer.status_code == status and says in answer.json()["error"], answer.text
