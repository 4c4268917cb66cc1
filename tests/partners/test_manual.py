"""The manual does what it says: the tutorial is typed as it stands, and every TOML of the how-tos is understood."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from running import until
from wattbook.config import examine
from wattbook.profiles import load_profile

DOCS = Path(__file__).parents[2] / "docs"
WATTBOOK = f'"{sys.executable}" -m wattbook'


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def _dialogue(page: Path) -> Iterator[tuple[str, str]]:
    """Each command of a page, and the first line it promises."""
    for block in _blocks(page, "console"):
        for typed, answer in re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", block, re.MULTILINE):
            yield typed, answer.splitlines()[0] if answer else ""


def _matches(promised: str, said: str) -> bool:
    """Whether the words of a promise, with … for anything, stand in what was said."""
    pattern = ".*".join(map(re.escape, promised.split("…")))
    return re.search(re.sub(r"(\\ )+", r"\\s+", pattern), said, re.DOTALL) is not None


def _say(typed: str, folder: Path) -> tuple[int, str]:
    done = subprocess.run(typed, shell=True, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_tutorial_is_typed_as_it_stands(tmp_path: Path) -> None:
    """Commands that end in & go on; the others must succeed, as soon as there is something to tell."""
    page, url = DOCS / "tutorial.md", ""
    (tmp_path / "wattbook.toml").write_text(_blocks(page, "toml")[0], encoding="utf-8")
    running: list[subprocess.Popen[bytes]] = []
    try:
        for number, (typed, promised) in enumerate(_dialogue(page)):
            command = re.sub(r"^wattbook", lambda _: WATTBOOK, typed).replace("http://127.0.0.1:8600/", url)
            promised = promised.replace(":8600/", ":…/")
            if not typed.endswith("&"):
                until(lambda command=command, promised=promised: _matches(promised, _say(command, tmp_path)[1]))
                assert _say(command, tmp_path)[0] == 0
                continue
            log = tmp_path / f"{number}.log"
            if typed.startswith("wattbook run"):
                command = command.removesuffix("&") + "--listen 127.0.0.1:0"
            with log.open("wb") as words:
                running.append(
                    subprocess.Popen(
                        "exec " + command.removesuffix("&"), shell=True, cwd=tmp_path, stdout=words, stderr=words
                    )
                )
            until(lambda log=log, promised=promised: _matches(promised, log.read_text()))
            url = (re.findall(r"page +(http://\S+)", log.read_text()) or [url])[0]
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(30)
    assert url


@pytest.mark.parametrize("name", ["import", "export", "backup", "mover"])
def test_a_page_with_its_files_is_typed_as_it_stands(name: str, tmp_path: Path) -> None:
    """Files are the blocks whose fence names one."""
    page = DOCS / f"how-to/{name}.md"
    (tmp_path / "wattbook.toml").write_text(_blocks(page, "toml")[0], encoding="utf-8")
    text = page.read_text(encoding="utf-8")
    for file, content in re.findall(r"^```text (\S+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        (tmp_path / file).write_text(content, encoding="utf-8")
    for typed, promised in _dialogue(page):
        code, said = _say(re.sub(r"^wattbook", lambda _: WATTBOOK, typed), tmp_path)
        assert code == 0 and _matches(promised, said), f"{typed}: {said}"


@pytest.mark.parametrize("page", sorted(DOCS.glob("how-to/*.md")), ids=lambda page: page.stem)
def test_every_toml_of_the_manual_is_understood(page: Path, tmp_path: Path) -> None:
    for text in _blocks(page, "toml"):
        table = tomllib.loads(text)
        path = tmp_path / "acme-100.toml"
        path.write_text(text.replace("…", "x"), encoding="utf-8")
        if "model" in table:
            assert load_profile(path).name == path.stem
            continue
        (tmp_path / "models").mkdir(exist_ok=True)
        (tmp_path / "secrets").mkdir(exist_ok=True)
        (tmp_path / "secrets/broker").write_text("x")
        _, problems = examine(path)
        # The manual's certificates are the reader's own; everything else must be right as it stands.
        others = [
            one.message for one in problems if not one.message.endswith((".pem: no such file", ".key: no such file"))
        ]
        assert others == []


def test_every_link_of_the_manual_leads_somewhere() -> None:
    root = DOCS.parent
    for page in [root / "README.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert target.startswith("http") or (page.parent / target).exists(), f"{page.name}: {target}"
