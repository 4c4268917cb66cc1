"""The console's table: for a terminal and for a file or the log."""

from __future__ import annotations

import asyncio
import io
import logging
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter

from columns_tools import batch, columns, every, one
from wattbook.model import Batch, SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.sinks.console import ConsoleSettings
from wattbook.sinks.console_write import ROWS_MAX, ConsoleSink

PRAGUE = Surroundings("house", ZoneInfo("Europe/Prague"))
TWO = batch(
    columns(
        "main-a", ("2026-11-21T01:02:03Z", {"voltage": 230.04, "active_power": -1500, "active_energy_import": 25409587})
    ),
    columns("[red]b\x1b[2J", ("2026-11-21T01:02:00Z", {"voltage": 9, "active_power": 20000})),
)


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def settings(**keys: Any) -> ConsoleSettings:
    return TypeAdapter(ConsoleSettings).validate_python({"name": "screen", "kind": "console", **keys})


def shown(what: Batch, out: io.StringIO, **keys: Any) -> str:
    made = settings(**keys).make(PRAGUE)
    asyncio.run(ConsoleSink(made._columns, out).write(what, ""))
    return out.getvalue()


def test_plain_lines_in_local_time_and_kilowatts() -> None:
    assert shown(TWO, io.StringIO()) == (
        "time                 meter           V      kW     kWh in\n"
        "2026-11-21 02:02:00  [red]b?[2J    9.0  20.000\n"
        "2026-11-21 02:02:03  main-a      230.0  -1.500  25409.587\n"
        "\n"
    )


def test_a_terminal_gets_a_drawn_table_without_control_characters_of_names() -> None:
    text = shown(TWO, Screen())
    assert "\x1b[2J" not in text and "[red]b?" in text and "─" in text and "25409.587" in text


def test_own_columns() -> None:
    text = shown(TWO, io.StringIO(), columns={"at": "{at:HH:MM}", "power": "{active_power:kW .1f} kW"})
    assert text.splitlines()[1:3] == ["02:02  20.0 kW", "02:02  -1.5 kW"]
    with pytest.raises(ValueError, match="single values"):
        settings(columns={"x": "{value}"}).make(PRAGUE)


def test_only_the_latest_rows_are_shown() -> None:
    text = shown(batch(every("a", "2026-11-21T00:00:00Z", 5 * ROWS_MAX)), io.StringIO())
    assert text.count("\n") == ROWS_MAX + 3
    assert text.splitlines()[-2] == f"({4 * ROWS_MAX} earlier rows are not shown)"


def test_nothing_is_shown_of_nothing() -> None:
    assert shown(batch(), io.StringIO()) == ""


def test_the_log_has_one_entry(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    asyncio.run(settings(to="log").make(PRAGUE).write(TWO, ""))
    (entry,) = caplog.records
    assert entry.message.startswith("readings\ntime ") and "main-a" in entry.message


def test_a_terminal_that_is_gone_is_told() -> None:
    out = io.StringIO()
    out.close()
    with pytest.raises(SinkUnavailable, match="the terminal"):
        shown(one("a", "2026-11-21T00:00:00Z", voltage=1), out)


def test_every_two_minutes_from_now_on_unless_told_otherwise() -> None:
    assert (settings().every, settings().start) == (120.0, "now")
    assert settings(every="5min").every == 300.0
