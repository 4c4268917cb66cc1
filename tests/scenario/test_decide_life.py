"""Recognised by itself: what happens when registers begin anew, over restarts of the daemon and with each policy."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from book_tools import START, StillClock
from wattbook import config
from wattbook.engine.decide_life import EventsOf, LifeDecider, make_life_decider
from wattbook.engine.judge import DOUBTED, JudgedKeeper, make_judges, seed
from wattbook.engine.keep import BookKeeper
from wattbook.engine.live import Live
from wattbook.model import EnergyQuality, Event, Quality, Reading, Span
from wattbook.store import Book, BookReader, Position, Step
from wattbook.store.life import PROPOSED, RESET, ROLLOVER

ENERGY, EXPORT = "active_energy_import", "active_energy_export"
FILE = '[site]\non_reset = "{policy}"\n[[meter]]\nname = "m"\nmodel = "push"\npower_max = 100000\n'
LATER = START + timedelta(days=1)


@dataclass(frozen=True)
class Run:
    """One run of the daemon's part that is looked at here."""

    book: Book
    reader: BookReader
    keeper: JudgedKeeper
    decider: LifeDecider

    async def tell(self, *steps: tuple[int, float]) -> None:
        """Readings sent one by one: (minute, Wh)."""
        for minute, energy in steps:
            values = {ENERGY: energy, EXPORT: energy / 10}
            await self.keeper.keep([Reading("m", START + timedelta(minutes=minute), values)])

    async def decide(self, after: str = "", *, remember: bool = True) -> Sequence[Event]:
        """Let the follower take what is new; a crash before its position is stored is `remember` False."""
        journal = EventsOf(self.book, self.reader)
        here = journal.position(self.decider.name) or Position(after)
        self.book.append((), urgent=True).result(10)
        batch = journal.read(here.after, 1000)
        decision = await self.decider.take(batch, here.bookmark)
        if remember:
            journal.decide(self.decider.name, batch.upto, "", decision.events).result(10)
        return decision.events

    def last_doubt(self) -> Mapping[str, Quality]:
        """What is not believed of the newest reading with a register."""
        span = Span(START, LATER)
        readings = [each for columns in self.reader.columns("m", span) for each in columns.readings()]
        return next(each for each in reversed(readings) if ENERGY in each.values).doubt

    def kinds(self) -> list[str]:
        return [event.kind for event in self.reader.life_events("m")]

    def energy(self) -> tuple[float | None, EnergyQuality]:
        span = Span(START, START + timedelta(hours=1))
        zone = config.load(self.book.path.with_name("wattbook.toml")).site.timezone
        (point,) = self.reader.energy("m", ENERGY, span, Step.parse("1d"), zone, period=timedelta(hours=1))
        assert isinstance(point.quality, EnergyQuality)
        return point.value, point.quality


@contextmanager
def run(folder: Path, policy: str = "apply") -> Iterator[Run]:
    file = folder / "wattbook.toml"
    file.write_text(FILE.format(policy=policy), encoding="utf-8")
    settings, clock = config.load(file), StillClock(LATER)
    with Book.open(settings.book, clock=clock, commit_every_s=0.01) as book, BookReader(settings.book) as reader:
        judges = make_judges(settings)
        seed(judges, reader)
        keeper = JudgedKeeper(BookKeeper(book, Live(clock)), judges)
        yield Run(book, reader, keeper, make_life_decider(settings, book, reader, clock))


@pytest.mark.parametrize("sealed", [False, True])
async def test_a_register_told_rarely_is_known_after_a_restart(tmp_path: Path, sealed: bool) -> None:
    with run(tmp_path) as this:
        await this.tell((0, 90_000))
        power = [Reading("m", START + timedelta(minutes=minute), {"active_power": 5.0}) for minute in range(1, 41)]
        await this.keeper.keep(power)
        if sealed:
            this.book.seal(ZoneInfo("Europe/Prague"), LATER + timedelta(days=1))
            await this.keeper.keep([Reading("m", LATER, {"active_power": 5.0})])
    with run(tmp_path) as this:
        await this.tell((60, 3))
        assert this.last_doubt() == {ENERGY: Quality.SUSPECT, EXPORT: Quality.SUSPECT}


async def test_a_reset_is_counted_on_and_its_first_readings_are_good(tmp_path: Path) -> None:
    with run(tmp_path) as this:
        await this.tell((0, 90_000), (1, 90_010), (2, 3), (3, 5), (4, 6), (5, 8))
        assert this.energy()[0] == 10 + 0  # nothing is shown as a spike or as less than nothing meanwhile
        await this.decide()
        assert this.kinds() == [RESET]
        event = this.reader.life_events("m")[0]
        assert (event.actor, set(event.body["registers"])) == ("wattbook", {ENERGY, EXPORT})
        assert len(event.body["was"]) == 3
        assert this.energy() == (10 + 8, EnergyQuality.ESTIMATED)


async def test_a_rollover_loses_nothing(tmp_path: Path) -> None:
    with run(tmp_path) as this:
        await this.tell((0, 9_999_980), (1, 9_999_990), (2, 3), (3, 5), (4, 6), (5, 8))
        await this.decide()
        assert set(this.kinds()) == {ROLLOVER}
        assert this.energy() == (28, EnergyQuality.MEASURED)


async def test_another_meter_is_proposed_once_and_stays_in_doubt(tmp_path: Path) -> None:
    with run(tmp_path) as this:
        await this.tell((0, 9e6), (1, 9_000_010), *((2 + n, 4e6 + n) for n in range(6)))
        (proposal,) = await this.decide()
        assert (proposal.kind, this.kinds()) == (PROPOSED, [PROPOSED])
        assert proposal.body["registers"][ENERGY] == {"before": 9_000_010, "after": 4e6}
        assert this.energy()[0] == 10
    with run(tmp_path) as this:
        await this.tell((20, 4_000_030))
        assert not await this.decide()


async def test_the_policy_to_propose_leaves_a_reset_to_people(tmp_path: Path) -> None:
    with run(tmp_path, "propose") as this:
        await this.tell((0, 90_000), (1, 0), (2, 1), (3, 2), (4, 3))
        await this.decide()
        assert this.kinds() == [PROPOSED]
        assert this.reader.life_events("m")[0].body["kind"] == RESET


@pytest.mark.parametrize("crash_after", range(1, 7))
async def test_it_is_applied_once_wherever_the_daemon_dies(tmp_path: Path, crash_after: int) -> None:
    steps = [(0, 90_000.0), (1, 90_010.0), *((2 + n, float(n)) for n in range(9))]
    with run(tmp_path) as this:
        await this.tell(*steps[: crash_after + 2])
        await this.decide(remember=False)
    with run(tmp_path) as this:
        await this.decide(remember=False)
        await this.tell(*steps[crash_after + 2 :])
        await this.decide(remember=False)
        await this.decide()
    with run(tmp_path) as this:
        assert this.kinds() == [RESET]
        assert this.energy() == (10 + 8, EnergyQuality.ESTIMATED)
        span = Span(START, LATER)
        assert all(not each.doubt for block in this.reader.columns("m", span) for each in block.readings())


async def test_it_is_applied_to_sealed_time_too(tmp_path: Path) -> None:
    with run(tmp_path) as this:
        zone = config.load(tmp_path / "wattbook.toml").site.timezone
        await this.tell((0, 90_000), (1, 90_010), (2, 3), (3, 5), (4, 6), (5, 8))
        this.book.seal(zone, LATER + timedelta(days=1))
        await this.decide()
        told = this.energy()
        this.book.seal(zone, LATER + timedelta(days=1))
        assert this.energy() == told == (18, EnergyQuality.ESTIMATED)


async def test_what_a_person_undid_is_not_done_again(tmp_path: Path) -> None:
    with run(tmp_path) as this:
        await this.tell((0, 90_000), (1, 0), (2, 1), (3, 2), (4, 3))
        await this.decide(remember=False)
        undo = Event("meter.undone", "m", LATER, {"undoes": this.reader.life_events("m")[0].seq, "why": "no"}, "anna")
        this.book.correct((), undo).result(10)
        await this.decide()
        assert this.kinds() == [RESET, "meter.undone"]


async def test_a_polled_meter_says_it_after_its_reading(tmp_path: Path) -> None:
    with run(tmp_path) as this:
        for minute, energy in enumerate((90_000, 90_010, 0, 1, 2, 3)):
            this.keeper.measured(Reading("m", START + timedelta(minutes=minute), {ENERGY: float(energy)}))
        this.book.append((), urgent=True).result(10)
        batch = this.book.read("", 100)
        (doubted,) = [event for event in batch.events if event.kind == DOUBTED]
        assert [seq < doubted.seq for columns in batch.columns for seq in columns.seq] == [True] * 5 + [False]
        await asyncio.sleep(0)
