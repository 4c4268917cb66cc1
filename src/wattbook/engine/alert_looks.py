"""What rules look at when time goes by: silence, the supply, sinks, the disk, backups, energy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wattbook.config import AlertSettings, Config
from wattbook.engine.alert_energy import EnergyLook
from wattbook.engine.alert_state import Memory, Sight, State
from wattbook.engine.follow import Following
from wattbook.engine.language import Language, language
from wattbook.model.batch import to_ms

SLOW = ("budget", "always-on", "disk")  # kinds that ask the book or the disk
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Looks:
    """Everything that can be looked at now. `sinks`: (name, how it fares)."""

    config: Config
    energy: EnergyLook
    started: int  # ms: silence counts from then on
    sinks: Callable[[], Sequence[tuple[str, Following]]] = tuple
    unwritable: Callable[[], str] = str  # why the book cannot be written; "" = it can

    @property
    def _words(self) -> Language:
        return language(self.config.site.language)

    def quick(self, rule: AlertSettings, memory: Memory, now: int) -> Iterator[Sight]:
        """What costs nothing to look at."""
        match rule.kind:
            case "silent":
                for meter in meters_of(rule, self.config):
                    yield self._silence(rule, meter, memory, now)
            case "supply" | "generator":
                if memory.supplied.kind:
                    yield supply_sight(rule, memory, now)
            case "sink":
                for name, following in self.sinks():
                    if not rule.sinks or name in rule.sinks:
                        yield _sink_sight(self._words, name, following, now)
            case _:
                pass

    def slow(self, rule: AlertSettings, now: datetime) -> Sequence[Sight]:
        """What reads the book or asks the disk. Blocks."""
        match rule.kind:
            case "budget":
                return [self.energy.budget(rule, now)]
            case "always-on":
                return [self.energy.always_on(rule, meter, now) for meter in rule.meters]
            case _:
                return [disk_sight(self._words, rule, self.config.book.parent, self.unwritable(), to_ms(now))]

    def _silence(self, rule: AlertSettings, meter: str, memory: Memory, now: int) -> Sight:
        heard = memory.heard.get(meter)
        quiet_ms = now - max(heard or 0, self.started)
        if heard is not None and now - heard < rule.lasting_ms:
            return Sight(meter, now, False, said=self._words.say("silent.over"))
        state: State | None = memory.states.get(rule.name, {}).get(meter)
        if quiet_ms < rule.lasting_ms:
            return Sight(meter, now, None if state is not None and state.state == "raised" else False)
        lasted = self._words.duration((now - heard if heard else quiet_ms) / 1000)
        said = self._words.say("silent.since" if heard else "silent.never", duration=lasted)
        return Sight(meter, now, True, said=said, since=max(heard or 0, self.started))


def meters_of(rule: AlertSettings, config: Config) -> Sequence[str]:
    """The meters that a rule is about."""
    return rule.meters or [meter.name for meter in config.meters]


def supply_sight(rule: AlertSettings, memory: Memory, now: int) -> Sight:
    """What the events of the supply say to a rule."""
    supplied = memory.supplied
    if supplied.kind == "unknown":
        return Sight("", now, None)
    if supplied.kind == "dark" and supplied.until is not None and rule.kind == "supply":
        long = supplied.until - supplied.since >= rule.lasting_ms  # it is told when it is over already
        return Sight("", now, True if long else None, said=supplied.said, since=supplied.since)
    bad = supplied.kind == "generator" if rule.kind == "generator" else supplied.kind != "utility"
    if bad:
        return Sight("", now, True, said=supplied.said, since=supplied.since)
    return Sight("", now, False, said=supplied.said)


def _sink_sight(words: Language, name: str, following: Following, now: int) -> Sight:
    """One that only begins says nothing yet: it would be over at each restart, and begin anew."""
    if following.state in ("away", "failed"):
        return Sight(name, now, True, said=words.say(f"sink.{following.state}", reason=following.reason))
    known = following.state in ("waiting", "paused") or following.entries > 0
    return Sight(name, now, False if known else None, said=words.say("sink.over"))


def disk_sight(words: Language, rule: AlertSettings, folder: Path, unwritable: str, now: int) -> Sight:
    """How much of the book's disk is free, in %."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError as error:
        return Sight("", now, True, said=words.say("disk.unasked", reason=error.strerror or str(error)))
    free = 100 * usage.free / usage.total
    if unwritable:
        return Sight("", now, True, free, words.say("disk.unwritable", reason=unwritable))
    said = words.say("disk.free", share=words.fixed(free), size=words.fixed(usage.free / _GIB))
    return Sight("", now, free < rule.told("limit"), free, said)
