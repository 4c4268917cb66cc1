"""The texts of the page: every language has every text, with the same places for values."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

TEXTS = Path(__file__).parents[2] / "web" / "src" / "i18n"
LANGUAGES = ("cs", "es", "ca", "ms")
FIRST_SHOWN = ("now", "frame", "login")  # folders


def texts(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((TEXTS / f"{language}.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_every_text(language: str) -> None:
    assert list(texts(language)) == list(texts("en"))  # in the same order, so that two files read side by side


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_shows_the_values_of_the_english_one(language: str) -> None:
    places = {name: sorted(re.findall(r"\{\w+\}", text)) for name, text in texts("en").items()}
    assert {name: sorted(re.findall(r"\{\w+\}", text)) for name, text in texts(language).items()} == places


def test_no_language_is_untested() -> None:
    assert {file.stem for file in TEXTS.glob("*.json")} == {"en", *LANGUAGES}


def test_no_text_of_the_first_page_comes_later() -> None:
    """A key that is put together of names is told by what it begins with."""
    halves = (TEXTS.parents[1] / "texts.ts").read_text(encoding="utf-8")
    later, first = (re.findall(r'"([\w.]+)"', line) for line in halves.splitlines() if line.startswith("const "))
    sources = [path for place in FIRST_SHOWN for path in sorted((TEXTS.parent / place).rglob("*")) if path.is_file()]
    sources += [TEXTS.parent / "App.svelte", *TEXTS.parent.glob("lib/*.*")]
    used = {key for path in sources for key in re.findall(r'["`]([a-z_]+\.[\w.]*)', path.read_text(encoding="utf-8"))}
    assert later
    assert sorted(key for key in used if key.split(".")[0] in later and key not in first) == []
