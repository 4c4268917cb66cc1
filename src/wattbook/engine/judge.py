"""A Keeper before the book that judges every reading: what cannot be is kept as suspect (engine/plausible.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from wattbook.codecs.reading_json import format_instant
from wattbook.config import Config, MeterSettings
from wattbook.engine.amend import Amender
from wattbook.engine.plausible import MeterJudge, Verdict
from wattbook.engine.recognise_break import Found
from wattbook.model.clock import Clock
from wattbook.model.keeping import Keeper, Kept
from wattbook.model.reading import EMPTY, Event, Quality, Reading
from wattbook.model.readings import Readings
from wattbook.profiles import Profile
from wattbook.store import Book, BookReader

_BODY_MIN = 100  # readings that are first looked at as a whole; for fewer, calls of numpy cost as much as they save
DOUBTED = "meter.doubted"  # registers have certainly gone elsewhere; the follower of a meter's life acts on it


class JudgedKeeper:
    """Judges on the way in. A meter's readings come from one thread at a time."""

    def __init__(self, keeper: Keeper, judges: Mapping[str, MeterJudge]) -> None:
        self._keeper, self._judges = keeper, judges

    async def keep(self, readings: Sequence[Reading]) -> Kept:
        """Return when the readings are durable."""
        columns = Readings.of(readings)
        if len(columns) >= _BODY_MIN:
            from wattbook.engine.judge_body import believes  # numpy takes 17 MB: only who is sent whole bodies needs it

            if believes(columns, self._judges):
                return await self._keeper.keep(columns)
        doubts: list[Mapping[str, Quality]] | None = None
        for place, verdict in self._verdicts(columns):
            doubts = doubts or list(columns.doubt)
            doubts[place] = verdict.doubt
            self._tell(columns.meter[place], columns.at[place], verdict)  # before a later one that relies on it
        return await self._keeper.keep(columns if doubts is None else replace(columns, doubt=doubts))

    def _verdicts(self, readings: Readings) -> Iterator[tuple[int, Verdict]]:
        """The places of readings of which not all is believed. `Readings` are looked at without making objects."""
        its = zip(
            readings.meter, readings.at, readings.values, readings.quality, readings.doubt, readings.site, strict=True
        )
        for place, (meter, at, values, quality, doubt, site) in enumerate(its):
            judge = self._judges.get(meter)
            if judge is None or site:
                continue
            verdict = judge.judge_values(at, values, quality, doubt)
            if verdict.doubt:
                yield place, verdict

    def measured(self, reading: Reading) -> None:
        """Take a reading just polled."""
        verdict = self._verdict(reading)
        if verdict is None:
            self._keeper.measured(reading)
        else:
            self._keeper.measured(replace(reading, doubt=verdict.doubt))
            self._tell(reading.meter, reading.at, verdict)

    def note(self, event: Event) -> None:
        """Write an event down."""
        self._keeper.note(event)

    def _verdict(self, reading: Reading) -> Verdict | None:
        """None = all of it is believed."""
        judge = self._judges.get(reading.meter)
        if judge is None or reading.site:
            return None
        verdict = judge.judge(reading)
        return verdict if verdict.doubt else None

    def _tell(self, meter: str, at: datetime, verdict: Verdict) -> None:
        for event in _events(meter, at, verdict.found):
            self._keeper.note(event)


def _events(meter: str, at: datetime, found: Mapping[str, Found]) -> Iterator[Event]:
    """One event for the registers that did the same at the same instant."""
    together: dict[tuple[str, float], dict[str, Found]] = {}
    for name, each in found.items():
        together.setdefault((each.kind, each.first.at_s), {})[name] = each
    for (kind, first_s), registers in together.items():
        body = {
            "found": kind,
            "from": format_instant(datetime.fromtimestamp(first_s, UTC)),
            "registers": {name: each.register() for name, each in registers.items()},
            "told": {name: [each.before.value, each.first.value] for name, each in registers.items()},
        }
        yield Event(DOUBTED, meter, at, body)


def make_judges(config: Config) -> Mapping[str, MeterJudge]:
    """A judge for each meter of a configuration, which knows nothing yet."""
    return {
        meter.name: MeterJudge(
            power_max(config, meter), moduli(config.profiles[meter.name]), apply=config.on_reset(meter) == "apply"
        )
        for meter in config.meters
    }


def seed(judges: Mapping[str, MeterJudge], reader: BookReader) -> None:
    """Hold each meter's registers to what the book says of them."""
    known = set(reader.meters())
    for meter, judge in judges.items():
        if meter in known:
            reseed(judge, meter, reader)


def reseed(judge: MeterJudge, meter: str, reader: BookReader) -> None:
    """Hold a meter's registers to their last good readings in the book."""
    judge.forget()
    since = reader.breaks(meter)
    for name, (at, value) in reader.last_registers(meter).items():
        if name not in since or since[name] <= at:  # else the next reading is the first of another counter
            judge.seed(name, at, value, since.get(name))


def power_max(config: Config, meter: MeterSettings) -> float:
    """What the connection of a meter can carry, in W."""
    return meter.power_max or config.profiles[meter.name].power_max


def make_amender(
    config: Config, book: Book, reader: BookReader, clock: Clock, judges: Mapping[str, MeterJudge] = EMPTY
) -> Amender:
    """What changes a book, and tells the judges of a running daemon."""
    meters = {meter.name: meter for meter in config.meters}

    def changed(meter: str, undone: bool) -> None:
        judge = judges.get(meter)
        if judge is not None and undone:
            reseed(judge, meter, reader)
        elif judge is not None:
            judge.forget()

    return Amender(book, reader, clock, lambda meter: power_max(config, meters[meter]), changed)


def moduli(profile: Profile) -> Mapping[str, float]:
    """Where a model's registers begin anew, of those whose width says so."""
    if profile.modbus is None:
        return EMPTY
    return {
        register.quantity: register.scale.value(1 << (16 * register.count))
        for register in profile.modbus.registers
        if register.type in ("uint16", "uint32") and register.exponent_at is None and register.rest_at is None
    }
