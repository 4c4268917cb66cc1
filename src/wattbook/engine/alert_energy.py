"""What the book says to rules about energy: a budget of the day or the month, and the load that is always on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from statistics import fmean, median

from wattbook.config import AlertSettings, Config
from wattbook.engine.alert_state import Sight
from wattbook.engine.ask import ask
from wattbook.engine.language import Language, language
from wattbook.engine.query import Question
from wattbook.model import Series, Span, WattbookError
from wattbook.model.batch import from_ms, to_ms
from wattbook.store import BookReader, Step

_LEARNT = timedelta(days=7)  # a forecast goes by the hours of the last week, so that weekends count as they do
_EARLY = 0.25  # of the day or month: before that, what was used so far forecasts nothing by itself
_HOURS_MIN = 24  # known ones of that week, before its pattern is believed
_NIGHT = (time(0, 0), time(5, 0))  # local; what runs then runs always
_NIGHTS, _NIGHTS_NEW, _NIGHTS_MIN = 28, 3, 10  # looked at; those that are compared with the others; needed at least
_QUARTER = Step.parse("15min")
_POWER = "active_power"


@dataclass(frozen=True, slots=True)
class EnergyLook:
    """Questions to the book, slow enough to be asked seldom and in a thread."""

    config: Config
    reader: BookReader

    def budget(self, rule: AlertSettings, now: datetime) -> Sight:
        """What was used of a budget, and whether it is or will be exceeded. Says nothing where nothing is known."""
        zone = self.config.site.timezone
        start, end = period(rule.per, now.astimezone(zone))
        try:
            used = self._used(rule, Span(start, now))
            ahead = self._ahead(rule, start, now, end, used) if rule.forecast and used is not None else None
        except WattbookError as error:
            return Sight("", to_ms(now), None, said=self._words.say("budget.unknown", reason=str(error)))
        if used is None:  # a new day or month, of which nothing was read yet
            return Sight("", to_ms(now), False, said=self._words.say("budget.nothing"))
        return _budget_sight(self._words, rule, now, used, ahead)

    @property
    def _words(self) -> Language:
        return language(self.config.site.language)

    def _used(self, rule: AlertSettings, span: Span) -> float | None:
        if span.start == span.end:
            return 0.0
        known = [value for value in self._energy(rule, span, "1y").values if value == value]
        return sum(known) if known else None

    def _ahead(self, rule: AlertSettings, start: datetime, now: datetime, end: datetime, used: float) -> float | None:
        """What will be used by the end if its hours are like those of the last week."""
        zone = self.config.site.timezone
        hours = [point for point in self._energy(rule, Span(now - _LEARNT, now), "1h") if point.value is not None]
        if len(hours) < _HOURS_MIN:
            share = (now - start) / (end - start)
            return used / share if share >= _EARLY else None
        of_hour: dict[int, list[float]] = {}
        for point in hours:
            of_hour.setdefault(point.at.astimezone(zone).hour, []).append(point.value or 0.0)
        usual, mean = {hour: fmean(each) for hour, each in of_hour.items()}, fmean(each.value or 0.0 for each in hours)
        rest = [usual.get(at.astimezone(zone).hour, mean) * share for at, share in _hours_between(now, end)]
        return used + sum(rest)

    def _energy(self, rule: AlertSettings, span: Span, every: str) -> Series:
        question = Question(
            rule.told("quantity"), span, self.config.site.timezone, tuple(rule.meters), every=Step.parse(every),
            every_text=every, together=True,
        )  # fmt: skip
        (answer,) = ask(self.reader, question, self.config)
        return answer.series

    def always_on(self, rule: AlertSettings, meter: str, now: datetime) -> Sight:
        """Whether the least power of the last nights lies above that of the nights before."""
        try:
            nights = self._least_by_night(meter, now)
        except WattbookError:
            return Sight(meter, to_ms(now), None)
        if len(nights) < _NIGHTS_MIN:
            return Sight(meter, to_ms(now), None)
        was, is_now = median(nights[:-_NIGHTS_NEW]), median(nights[-_NIGHTS_NEW:])
        bad = is_now > was * (1 + rule.told("limit") / 100)
        shown = self._words.value(_POWER, is_now), self._words.value(_POWER, was)
        said = self._words.say("budget.always_on", now=shown[0], before=shown[1])
        return Sight(meter, to_ms(now), bad, is_now, said)

    def _least_by_night(self, meter: str, now: datetime) -> Sequence[float]:
        zone = self.config.site.timezone
        series = self.reader.aggregate(meter, _POWER, Span(now - timedelta(days=_NIGHTS), now), _QUARTER, zone)
        least: dict[object, float] = {}
        for at_ms, value in zip(series.at_ms, series.values, strict=True):
            local = from_ms(at_ms).astimezone(zone)
            if value == value and _NIGHT[0] <= local.time() < _NIGHT[1]:
                least[local.date()] = min(value, least.get(local.date(), value))
        today = now.astimezone(zone)
        if today.time() < _NIGHT[1]:
            least.pop(today.date(), None)  # this night is not over
        return list(least.values())


def period(per: str, local: datetime) -> tuple[datetime, datetime]:
    """The begin and the end of a local day or month."""
    day = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if per == "day":
        return day, (day + timedelta(days=1)).replace(fold=0)
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def _hours_between(start: datetime, end: datetime) -> Sequence[tuple[datetime, float]]:
    """Each hour of a stretch, and which share of it lies there."""
    found, at_ms, end_ms = [], to_ms(start), to_ms(end)
    while at_ms < end_ms:
        next_ms = min(at_ms - at_ms % 3_600_000 + 3_600_000, end_ms)
        found.append((from_ms(at_ms), (next_ms - at_ms) / 3_600_000))
        at_ms = next_ms
    return found


def _budget_sight(
    words: Language, rule: AlertSettings, now: datetime, used: float, ahead: float | None
) -> Sight:  # fmt: skip
    limit, name = rule.told("limit"), rule.told("quantity")
    said = words.say(f"budget.{rule.per}", used=words.value(name, used), limit=words.value(name, limit))
    if ahead is not None and used <= limit:
        said = words.say("budget.expected", text=said, ahead=words.value(name, ahead))
    return Sight("", to_ms(now), used > limit or (ahead is not None and ahead > limit), used, said)
