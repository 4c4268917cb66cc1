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
from wattbook.engine.alert_words import duration
from wattbook.engine.follow import Following
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
                        yield _sink_sight(name, following, now)
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
                return [disk_sight(rule, self.config.book.parent, self.unwritable(), to_ms(now))]

    def _silence(self, rule: AlertSettings, meter: str, memory: Memory, now: int) -> Sight:
        heard = memory.heard.get(meter)
        quiet_ms = now - max(heard or 0, self.started)
        if heard is not None and now - heard < rule.lasting_ms:
            return Sight(meter, now, False, said="tells again")
        state: State | None = memory.states.get(rule.name, {}).get(meter)
        if quiet_ms < rule.lasting_ms:
            return Sight(meter, now, None if state is not None and state.state == "raised" else False)
        since = (
            f"since {duration((now - heard) / 1000)}" if heard else f"for {duration(quiet_ms / 1000)}, since our start"
        )
        return Sight(meter, now, True, said=f"no word {since}", since=max(heard or 0, self.started))


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


def _sink_sight(name: str, following: Following, now: int) -> Sight:
    """One that only begins says nothing yet: it would be over at each restart, and begin anew."""
    if following.state in ("away", "failed"):
        return Sight(name, now, True, said=f"sink {following.state}: {following.reason}")
    known = following.state in ("waiting", "paused") or following.entries > 0
    return Sight(name, now, False if known else None, said="sink delivers again")


def disk_sight(rule: AlertSettings, folder: Path, unwritable: str, now: int) -> Sight:
    """How much of the book's disk is free, in %."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError as error:
        return Sight("", now, True, said=f"the disk of the book cannot be asked: {error.strerror or error}")
    free = 100 * usage.free / usage.total
    if unwritable:
        return Sight("", now, True, free, f"the book cannot be written: {unwritable}")
    said = f"{free:.1f} % of the book's disk are free ({usage.free / _GIB:.1f} GiB)"
    return Sight("", now, free < rule.told("limit"), free, said)
