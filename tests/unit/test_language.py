"""The languages of messages: the same keys everywhere, numbers and dates as people write them, whole messages."""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from alert_house import Hands, Run, settings, told
from wattbook import config
from wattbook.config import SiteSettings
from wattbook.engine.language import WORDS, language
from wattbook.engine.notify_words import Words
from wattbook.model import Event, quantity
from wattbook.model.vocabulary import all_names, base_names

CODES = get_args(get_type_hints(SiteSettings)["language"])
NOON = datetime(2026, 3, 9, 12, 5, 7, tzinfo=UTC)


def flat(code: str) -> Mapping[str, str]:
    tables = tomllib.loads((WORDS / f"{code}.toml").read_text(encoding="utf-8"))
    return {f"{table}.{key}": text for table, texts in tables.items() for key, text in texts.items()}


def parts(text: str) -> list[str]:
    """What is filled in; a date may be taken apart in many ways."""
    return sorted(set(re.findall(r"\{(\w+)", text)))


def test_each_language_of_the_settings_has_a_file_and_each_file_a_language() -> None:
    assert sorted(path.stem for path in WORDS.glob("*.toml")) == sorted(CODES)


@pytest.mark.parametrize("code", CODES)
def test_every_key_stands_in_every_file_in_the_same_order_with_the_same_parts(code: str) -> None:
    english, other = flat("en"), flat(code)
    assert list(other) == list(english)
    assert {key: parts(text) for key, text in other.items()} == {key: parts(text) for key, text in english.items()}
    assert all(text.strip() for text in other.values() if text != "\N{NO-BREAK SPACE}")


@pytest.mark.parametrize("code", CODES)
def test_every_quantity_has_a_title(code: str) -> None:
    assert [key for key in flat(code) if key.startswith("quantity.")] == [f"quantity.{base}" for base in base_names()]
    for name in all_names():
        title = language(code).quantity(name)
        assert title and (code != "en" or title == quantity(name).title)


@pytest.mark.parametrize(
    ("code", "value", "energy", "large", "at", "days"),
    [
        ("en", "229.8 V", "12.35 kWh", "12,345 V", "2026-03-09 12:05:07", "3 days"),
        ("cs", "229,8 V", "12,35 kWh", "12\N{NO-BREAK SPACE}345 V", "9. 3. 2026 12:05:07", "3 dny"),
        ("es", "229,8 V", "12,35 kWh", "12.345 V", "09/03/2026 12:05:07", "3 días"),
        ("ca", "229,8 V", "12,35 kWh", "12.345 V", "09/03/2026 12:05:07", "3 dies"),
        ("ms", "229.8 V", "12.35 kWh", "12,345 V", "09/03/2026 12:05:07", "3 hari"),
    ],
)
def test_numbers_and_dates_are_written_as_people_do(
    code: str, value: str, energy: str, large: str, at: str, days: str
) -> None:
    words = language(code)
    assert words.value("voltage", 229.84) == value
    assert words.value("active_energy_import", 12345) == energy
    assert words.value("voltage", 12345) == large
    assert words.instant(NOON) == at
    assert words.duration(3 * 86400) == days


def test_durations_in_words() -> None:
    words = language("cs")
    told = [words.duration(seconds) for seconds in (45, 93.6, 600, 3930, 7200, 12_000, 5 * 86400)]
    assert told == ["45 s", "1 min 33 s", "10 min", "1 h 5 min", "2 h", "3 h 20 min", "5 dní"]


async def test_a_house_is_told_in_its_language(tmp_path: Path) -> None:
    rule = (
        '[[alert]]\nname = "přes 5 kW"\nkind = "above"\nmeters = ["main-a"]\nquantity = "active_power"\nlimit = 5000\n'
    )
    settings(tmp_path, rule)
    file = tmp_path / "wattbook.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("[site]", '[site]\nlanguage = "cs"'), encoding="utf-8")
    house = config.load(file)
    run = Run(house, Hands())
    await run.hear(told(0, active_power=6543.0), told(90, active_power=100.0))
    raised, recovered = run.whole_events()
    assert raised.body["text"] == "main-a: Činný výkon 6,543 kW, nad 5 kW"
    assert recovered.body["text"] == "main-a: Činný výkon opět 100 W; trvalo to 1 min 30 s"
    words = Words(house, run.reader, "c0ffee")
    message = await asyncio.to_thread(words.of_event, raised, picture=False)
    assert message.title == "[varování] House: přes 5 kW: main-a: Činný výkon 6,543 kW, nad 5 kW"
    assert message.body.endswith("\n\n21. 11. 2026 12:00:00, House, pravidlo přes 5 kW")
    assert words.in_line(recovered) == f"21. 11. 12:01  přes 5 kW: pominulo: {recovered.body['text']}"
    assert words.of_several([1, 2], ["a", "b"], 3).title == "House: zprávy z klidových hodin: 5"
    asked = Event("alert.tested", "přes 5 kW", NOON, {"severity": "warning"}, "anna", seq=9)
    assert words.of_event(asked, picture=False).title.startswith("[zkouška] House: přes 5 kW: Toto je zkouška pravidla")
    await run.stop()
