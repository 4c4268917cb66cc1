"""`wattbook top` against the real API, driven by keys as a person would; and once in a real terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api_house import House, house
from api_server import served
from wattbook.api import Served
from wattbook.engine.status import DarkSpan, SupplyNow
from wattbook.model import Reading

pytest.importorskip("textual")

from textual.pilot import Pilot
from textual.widgets import Footer

from wattbook.top.answers import About
from wattbook.top.ask import Asker, NoAnswer, Place
from wattbook.top.screen import Top

PATIENCE_S = 30.0  # only reached when something is wrong
SMALL, LARGE = (80, 24), (200, 50)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path, 'listen = "127.0.0.1:0"') as home:
        home.clock.at = datetime.now(UTC)
        yield home


def reading(meter: str = "main-a", *, ago_s: float = 0, power: float = 1500.0, **more: float) -> Reading:
    values = {"voltage": 230.1, "current": 6.52, "active_power": power, "power_factor": 0.98, "frequency": 50.0}
    return Reading(meter, datetime.now(UTC) - timedelta(seconds=ago_s), values | more)


def place_of(server: Served) -> Place:
    return Place(server.url.rstrip("/"))


@asynccontextmanager
async def opened(server: Served, size: tuple[int, int] = SMALL) -> AsyncIterator[Pilot[None]]:
    """The terminal, following this server."""
    app = Top(place_of(server), About(site="House", timezone="Europe/Prague"))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.house.connected)
        yield pilot


def screen_of(pilot: Pilot[None]) -> list[str]:
    """What stands on the terminal, line by line."""
    return ["".join(segment.text for segment in line) for line in pilot.app.screen._compositor.render_strips()]


def line_of(pilot: Pilot[None], words: str) -> str:
    return next((line for line in screen_of(pilot) if words in line), "")


def row_of(pilot: Pilot[None], meter: str) -> str:
    return next((line for line in screen_of(pilot) if line.startswith(f" {meter} ")), "")


async def until(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Wait for something that comes over the network."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "\n".join(screen_of(pilot))
        await pilot.pause(0.05)
    await pilot.pause()


async def sees(pilot: Pilot[None], *words: str) -> None:
    await until(pilot, lambda: all(each in "\n".join(screen_of(pilot)) for each in words))


async def test_readings_appear_as_they_come_in_80_columns(home: House) -> None:
    with served(home) as server:
        async with opened(server) as pilot:
            await sees(pilot, "main-a", "◌ starting")
            home.statuses["main-a"].state = "present"
            home.context.live.publish(reading(power=1234.0))
            await sees(pilot, "1\u202f234 W", "● present")
            row = row_of(pilot, "main-a")
            assert re.search(r"1\u202f234 W +230\.1 +6\.52 +0\.98 +50\.00 +● present +\d+ s", row), row
            assert all(len(line) == 80 for line in screen_of(pilot))
            keys = screen_of(pilot)[-1]
            assert all(word in keys for word in ("q Quit", "Meter", "/ Filter", "r Refresh")), keys
            assert pilot.app.query_one(Footer).region.bottom == 24


SHOWN = """\
 House · 1 of 5 meters present                                         HH:MM:SS
 What feeds the house is not known yet
 Meter           Power      V       A    PF     Hz  State         Age  15 min
 main-a        1 234 W  230.1    6.52  0.98  50.00  ● present     N s         █
 generator           –      –       –     –      –  ◌ starting      –
 heat-pump           –      –       –     –      –  ◌ starting      –
 workshop            –      –       –     –      –  ◌ starting      –
 barn                –      –       –     –      –  ◌ starting      –
"""


async def test_the_whole_screen_as_text(home: House) -> None:
    home.statuses["main-a"].state = "present"
    with served(home) as server:
        async with opened(server) as pilot:
            home.context.live.publish(reading(power=1234.0))
            await sees(pilot, "Book", "● present", "1\u202f234 W", "█")
            shown = "\n".join(line.rstrip() for line in screen_of(pilot)).replace("\u202f", " ")
            shown = re.sub(r"\d\d:\d\d:\d\d", "HH:MM:SS", re.sub(r"[ \d]\d s\b", " N s", shown))
            assert shown.startswith(SHOWN), shown
            assert shown.splitlines()[-2].startswith(" Book   ")


async def test_the_last_minutes_are_drawn_from_the_book(home: House) -> None:
    home.keep(*(reading(ago_s=900 - 5 * number, power=100.0 + number) for number in range(180)))
    with served(home) as server:
        async with opened(server, LARGE) as pilot:
            await until(pilot, lambda: len(re.findall("[▁▂▃▄▅▆▇█]", row_of(pilot, "main-a"))) > 20)
            await sees(pilot, "lowest 100 W, highest 279 W")


async def test_the_supply_the_day_and_the_sums_of_yesterday(home: House) -> None:
    now = datetime.now(UTC)
    day = timedelta(days=1)
    home.keep(
        *(
            Reading("main-a", at, {"active_energy_import": energy})
            for at, energy in ((now - 2 * day, 0.0), (now - day, 24_000.0), (now, 60_000.0))
        )
    )
    home.supply(SupplyNow("generator", now - timedelta(minutes=40), DarkSpan(now - day, now - day, "")))
    with served(home) as server:
        async with opened(server, LARGE) as pilot:
            await sees(
                pilot, "The generator feeds the house since", "40 min", "dark ", "Today utility", "% on yesterday's"
            )


async def test_a_meter_that_goes_shows_nothing_that_looks_live(home: House) -> None:
    home.statuses["main-a"].state = "present"
    home.keep(reading(power=777.0))
    with served(home) as server:
        async with opened(server) as pilot:
            await sees(pilot, "777 W", "● present")
            status = home.statuses["main-a"]
            status.reason, status.since, status.state = "address 4 does not answer", datetime.now(UTC), "away"
            await sees(pilot, "○ away")
            assert "777" not in line_of(pilot, "○ away")
            await pilot.press("enter")
            await sees(pilot, "address 4 does not answer", "NOT LIVE", "Active power")


async def test_enter_shows_all_of_a_meter_and_its_life(home: House) -> None:
    home.statuses["main-a"].state = "present"
    home.keep(reading(active_energy_import=25_409_587.0))
    order = b'{"do":"move","location":"house/panel/b","from":"2026-11-20","why":"a new panel","who":"anna"}'
    async with home.client as client:
        answer = await client.post("/api/v1/meters/main-a/life", content=order)
        assert answer.status_code == 201, answer.text
    with served(home) as server:
        async with opened(server) as pilot:
            await sees(pilot, "● present")
            await pilot.press("enter")
            await sees(
                pilot, "PZEM-014", "Active energy, import", "25\u202f409.587", "Power factor", "Life", "new panel"
            )
            await pilot.press("escape")
            await sees(pilot, "generator", "heat-pump")


async def test_words_choose_meters(home: House) -> None:
    with served(home) as server:
        async with opened(server) as pilot:
            await sees(pilot, "generator", "heat-pump", "workshop")
            await pilot.press("slash", *"cellar", "enter")
            await until(pilot, lambda: "workshop" not in "\n".join(screen_of(pilot)))
            assert line_of(pilot, "heat-pump")
            await pilot.press("escape")
            await sees(pilot, "generator", "heat-pump", "workshop")
            await pilot.press("down", "down", "j", "k")
            assert isinstance(pilot.app, Top)
            assert pilot.app.chosen == "barn"  # from the heat pump, where the words had led
            await pilot.press("q")


async def test_a_virtual_meter_is_shown_with_what_its_parts_tell(home: House) -> None:
    for name in ("workshop", "barn"):
        home.statuses[name].state = "present"
    with served(home) as server:
        async with opened(server) as pilot:
            await sees(pilot, "Σ computed")
            home.context.live.publish(reading("workshop", power=300.0))
            home.context.live.publish(reading("barn", power=450.0))
            await until(pilot, lambda: "1\u202f200 W" in line_of(pilot, "Σ computed"))  # workshop + 2 * barn
            await pilot.press(*["down"] * 5, "enter")
            await sees(pilot, "= workshop + 2 * barn", "computed", "Active power")


async def test_the_table_stands_in_the_order_of_a_column(home: House) -> None:
    powers = {"main-a": 50.0, "generator": 7.0, "heat-pump": 900.0}
    for name in powers:
        home.statuses[name].state = "present"
    with served(home) as server:
        async with opened(server) as pilot:
            for name, power in powers.items():
                home.context.live.publish(reading(name, power=power))
            await sees(pilot, "50.0 W", "7.0 W", "900 W")
            assert isinstance(pilot.app, Top)
            assert pilot.app._order[:3] == ["main-a", "generator", "heat-pump"]
            await pilot.press("s", "s")
            assert pilot.app._order[:3] == ["heat-pump", "main-a", "generator"]
            await sees(pilot, "Power▼")
            assert pilot.app.chosen == "main-a"  # the cursor stays on its meter
            await pilot.press("S")
            assert pilot.app._order[:3] == ["generator", "main-a", "heat-pump"]
            await sees(pilot, "Power▲")
            await pilot.click("#meters", offset=(3, 0))
            await sees(pilot, "Meter▲")
            assert pilot.app._order[0] == "barn"


async def test_a_lost_connection_is_said_and_a_daemon_that_starts_again_is_found(
    home: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wattbook.top.follow.RETRY_S", 0.05)
    home.statuses["main-a"].state = "present"
    home.keep(reading(power=777.0))
    (tmp_path / "second").mkdir()
    async with AsyncExitStack() as stack:
        with served(home) as server:
            pilot = await stack.enter_async_context(opened(server))
            await sees(pilot, "777 W", "● present")
        await sees(
            pilot, "CONNECTION LOST", "values are from", "trying again", "? unknown", "state of the meters unknown"
        )
        assert not line_of(pilot, "● present")
        with house(tmp_path / "second", f'listen = "127.0.0.1:{server.port}"', site="Second") as again, served(again):
            again.statuses["main-a"].state = "present"
            again.context.live.publish(reading(power=888.0))
            await sees(pilot, "888 W", "Second")
            assert not line_of(pilot, "CONNECTION LOST")


def test_a_no_is_told_in_the_daemons_words(home: House) -> None:
    with served(home) as server:
        asker = Asker(place_of(server))
        with pytest.raises(NoAnswer, match='no meter is called "mian"'):
            asker.ask(dict, "meters/mian/life")
        asker.close()
    with pytest.raises(NoAnswer, match="does not answer"):
        Asker(place_of(server)).ask(About, "about")


@pytest.mark.parametrize("keys", [b"q", b"\x03", b"/\x03"])
def test_in_a_real_terminal_from_the_address_beside_the_book(home: House, keys: bytes) -> None:
    home.statuses["main-a"].state = "present"
    home.keep(reading(power=777.0))
    config = home.context.config
    with served(home) as server:
        config.address.write_text(server.url, encoding="utf-8")
        shown, code = _in_terminal(["-c", str(config.path)], wait_for="777", keys=keys)
    assert code == 0
    assert "● present" in shown
    assert "\x1b[?1049l" in shown  # the terminal is as it was


def test_without_textual_it_says_what_to_install(home: House) -> None:
    program = 'import sys; sys.modules["textual"] = None; from wattbook.cli.main import main; main(["top"])'
    shown, code = _in_terminal(["-c", program], wait_for="\0", keys=b"", program=[sys.executable])
    assert code == 2
    assert shown == 'wattbook: top needs the package textual: pip install "wattbook[top]"\r\n'


WATTBOOK_TOP = (sys.executable, "-m", "wattbook", "top")


def _in_terminal(
    arguments: list[str], *, wait_for: str, keys: bytes, program: Sequence[str] = WATTBOOK_TOP
) -> tuple[str, int]:
    """Run it on a pseudo-terminal, press keys when it shows this, and return all it wrote and its exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS="80", LINES="24")
        os.execv(sys.executable, [*program, *arguments])  # noqa: S606
    shown, deadline, pressed = "", time.monotonic() + PATIENCE_S, False
    while time.monotonic() < deadline and select.select([terminal], [], [], PATIENCE_S)[0]:
        try:
            shown += os.read(terminal, 65536).decode(errors="replace")
        except OSError:  # it has ended
            break
        if wait_for in shown and not pressed:
            pressed = True
            os.write(terminal, keys)
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(terminal)
    return shown, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--url", "http://127.0.0.1:1"], "does not answer"),
        (["--url", "ftp://x"], "is no address"),
        ([], "no wattbook runs here; start it with wattbook run"),
    ],
)
def test_what_is_wrong_is_one_line(home: House, arguments: list[str], words: str) -> None:
    given = [*arguments, "-c", str(home.context.config.path)]
    shown, code = _in_terminal(given, wait_for="\0", keys=b"")
    assert code in (1, 2)
    assert words in shown
    assert shown.count("\n") == 1


def test_without_a_terminal_it_says_what_to_use(home: House) -> None:
    command = [sys.executable, "-m", "wattbook", "top", "-c", str(home.context.config.path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 2
    assert "top needs a terminal" in done.stderr
