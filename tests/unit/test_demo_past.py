"""The past of the demo's house in a real book: written once, told there, taken up again where it was cut short."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from wattbook import config as configuration
from wattbook.cli.demo_past import PAST, past_of
from wattbook.config import Config
from wattbook.engine.ask import ask
from wattbook.engine.query import Question
from wattbook.model import Event, Span, SystemClock
from wattbook.simulate import past as simulated_past
from wattbook.store import Book, BookReader, Step

UNTIL = datetime.now(UTC).replace(microsecond=0)
PRAGUE = ZoneInfo("Europe/Prague")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(simulated_past, "DAYS", 20)  # as the whole, in a twentieth of the time
    file = tmp_path / "wattbook.toml"
    file.write_text('[site]\ntimezone = "Europe/Prague"\nbook = "wattbook.db"\n', encoding="utf-8")
    return configuration.load(file)


def opened(config: Config) -> Book:
    return Book.open(config.book, clock=SystemClock(), commit_every_s=0.01)


def states(config: Config) -> list[str]:
    with BookReader(config.book) as reader:
        return [event.body["state"] for event in reader.events_about("", (PAST,))]


def test_a_new_book_gets_it_once_and_says_so(config: Config) -> None:
    write = past_of(config, UNTIL)
    assert write is not None
    with opened(config) as book:
        write(book)
        with BookReader(config.book) as reader:
            energy = reader.energy(
                "utility", "active_energy_import", Span(UNTIL - timedelta(days=10), UNTIL), Step(1, "d"), PRAGUE
            )
            (event, *_) = reader.events_about("", (PAST,))
    assert 250_000 < sum(energy.values) < 700_000  # Wh in ten days
    assert states(config) == ["begun", "done"]
    assert "simulated" in event.body["note"]
    assert past_of(config, UNTIL) is None


def test_one_that_was_cut_short_is_finished_with_the_same_readings(config: Config) -> None:
    with opened(config) as book:
        book.append_event(Event(PAST, "", UNTIL, {"state": "begun", "until": UNTIL.isoformat()})).result()
        first = next(simulated_past.make_past(simulated_past.House(), UNTIL))
        book.import_columns(first.cut(slice(0, 500)), PRAGUE)
    write = past_of(config, UNTIL + timedelta(hours=1))
    assert write is not None
    with opened(config) as book:
        write(book)
        assert book.statistics().conflicts == 0
    assert states(config)[-1] == "done"
    with BookReader(config.book) as reader:
        assert all(reading.at <= UNTIL for reading in reader.latest(now=UNTIL + timedelta(days=1)))


def test_a_book_that_was_there_before_is_left_alone(config: Config) -> None:
    with opened(config):
        pass
    assert past_of(config, UNTIL) is None


def test_a_demo_that_stops_meanwhile_is_told(config: Config, caplog: pytest.LogCaptureFixture) -> None:
    write = past_of(config, UNTIL)
    assert write is not None
    with opened(config) as book:
        pass
    write(book)  # its book is closed
    assert "is not whole" in caplog.text


def test_its_places_count_together_what_the_sources_give(config: Config) -> None:
    template = resources.files("wattbook.cli").joinpath("demo.toml").read_text(encoding="utf-8")
    config.path.write_text(template.replace("{lines}", "lines"), encoding="utf-8")
    house = configuration.load(config.path)
    write = past_of(config, UNTIL)
    assert write is not None
    with opened(config) as book:
        write(book)
    question = Question("active_energy_import", Span(UNTIL - timedelta(days=8), UNTIL), PRAGUE, every=Step(1, "d"))
    with BookReader(config.book) as reader:
        (here,) = ask(reader, replace(question, locations=("house",), together=True), house)
        sources = tuple(meter.name for meter in house.meters if meter.source)
        (given,) = ask(reader, replace(question, meters=sources, together=True), house)
    assert list(here.series.values) == pytest.approx(list(given.series.values))
