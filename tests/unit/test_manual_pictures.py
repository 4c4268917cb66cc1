"""The pictures of README and manual: those that are shown exist, every page has its own, and none is large."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("playwright")

ROOT = Path(__file__).parents[2]
AGAIN = "make screenshots"


def _screenshots() -> ModuleType:
    spec = importlib.util.spec_from_file_location("screenshots", ROOT / "docs" / "screenshots.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SHOTS = _screenshots()


def _shown() -> Iterator[tuple[Path, Path]]:
    """Each page of README and manual with each picture in it."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r'!\[[^\]]*\]\(([^)]+)\)|<img src="([^"]+)"', text):
            yield page, (page.parent / "".join(link)).resolve()


def test_every_picture_that_is_shown_exists() -> None:
    missing = [f"{page.name}: {file.name}" for page, file in _shown() if not file.is_file()]
    assert missing == [], AGAIN


def test_pictures_are_described() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        assert "![](" not in text and not re.search(r"<img (?![^>]*alt=\"[^\"])", text), page.name


def test_every_page_of_the_navigation_has_a_picture_on_a_desk_and_on_a_phone() -> None:
    names = {f"{name}{screen.ending}.webp" for name in SHOTS.pages() for screen in SHOTS.SCREENS}
    assert names <= {file.name for file in SHOTS.PICTURES.iterdir()}, AGAIN


def test_no_picture_is_large_or_left_over() -> None:
    named = {f"{name}{screen.ending}.webp" for name in (*SHOTS.pages(), *SHOTS.MORE) for screen in SHOTS.SCREENS}
    for file in SHOTS.PICTURES.iterdir():
        assert file.stat().st_size <= SHOTS.BYTES_MAX, file.name
        assert file.name in named | {"top.svg"}, f"{file.name} is taken by nobody"


def test_the_terminals_picture_asks_no_foreign_host() -> None:
    assert "url(" not in re.sub(r"url\(#", "(#", (SHOTS.PICTURES / "top.svg").read_text(encoding="utf-8"))
