"""The manual does what it says: the tutorial is typed as it stands, and every TOML of the how-tos is understood."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ports import free_port
from running import daemon, post, until
from wattbook.config import examine
from wattbook.profiles import load_profile
from wattbook.sinks import KINDS

DOCS = Path(__file__).parents[2] / "docs"
_SECRET = "aHVzaA=="  # as base64 too, for whoever wants it
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


def _house(text: str, sinks: list[Mapping[str, Any]]) -> str:
    """A whole wattbook.toml around the sinks of a sample, with a meter for each that they name."""
    names = {name.replace("*", "x") for sink in sinks for name in (*sink.get("meters", ()), *sink.get("analysers", ()))}
    meters = "".join(f'[[meter]]\nname = "{name}"\nmodel = "push"\n' for name in sorted(names | {"main-a", "main-b"}))
    return f'[site]\nname = "House"\n[api]\nlisten = "127.0.0.1:0"\n{meters}\n{text}'


@pytest.mark.parametrize("page", sorted(DOCS.glob("how-to/sinks/*.md")), ids=lambda page: page.stem)
def test_every_sample_of_a_sink_is_accepted(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the meters that it names, and the secrets that it takes from files and from the environment."""
    for text in _blocks(page, "toml"):
        if "[[sink]]" not in text:
            text = '[[sink]]\nname = "store"\nkind = "mongodb"\n' + text
        for name in re.findall(r'\{ env = "([^"]+)" \}', text):
            monkeypatch.setenv(name, _SECRET)
        for file in re.findall(r'(?:\{ file|ca|certificate|key|nkey|credentials) = "([^"]+)"', text):
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_text(_SECRET)
        path = tmp_path / "wattbook.toml"
        path.write_text(_house(text, tomllib.loads(text)["sink"]), encoding="utf-8")
        config, problems = examine(path)
        assert [problem.message for problem in problems] == [], text
        assert config is not None and config.sinks
    for extra in re.findall(r"wattbook\[([^\]]+)\]", page.read_text(encoding="utf-8")):
        assert extra in {kind.extra for kind in KINDS.values()}


def test_the_commands_of_sinks_are_typed_as_they_stand(tmp_path: Path) -> None:
    """Against a daemon whose foreign system is not there."""
    page = DOCS / "how-to/sinks/README.md"
    text = _blocks(page, "toml")[0].replace(":8086", f":{free_port()}")
    path = tmp_path / "wattbook.toml"
    path.write_text(_house(text, tomllib.loads(text)["sink"]), encoding="utf-8")
    with daemon(path, tmp_path / "run.log") as (url, _):
        typed = list(_dialogue(page))
        assert len(typed) >= 5
        for command, promised in typed:
            code, said = _say(re.sub(r"^wattbook", lambda _: WATTBOOK, command), tmp_path)
            assert code == 0 and _matches(promised, said), f"{command}: {said}"
        refused = "influx: http://127.0.0.1:…: no connection: connection refused; does it run there"
        post(url + "api/v1/readings", b'{"meter": "main-a", "at": "2026-11-21T01:02:03Z", "values": {"voltage": 230}}')
        until(lambda: _matches(refused, _say(f"{WATTBOOK} sink status", tmp_path)[1]))


@pytest.mark.parametrize("shelf", ["how-to", "how-to/sinks"])
def test_every_page_is_on_the_list_of_its_shelf(shelf: str) -> None:
    told = (DOCS / shelf / "README.md").read_text(encoding="utf-8")
    pages = {page.name for page in (DOCS / shelf).glob("*.md")} - {"README.md"}
    assert pages <= set(re.findall(r"\]\(([^)]+)\)", told))


def test_every_link_of_the_manual_leads_somewhere() -> None:
    root = DOCS.parent
    for page in [root / "README.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert target.startswith("http") or (page.parent / target).exists(), f"{page.name}: {target}"
