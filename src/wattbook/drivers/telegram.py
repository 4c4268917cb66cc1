"""Meters that speak by themselves on a line of bytes: SML, DSMR P1 and IEC 62056-21 mode D.

The line is a thread that sleeps through the time a telegram needs on the wire and then reads it in a few pieces.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from wattbook.codecs.telegram import Damage, Decoder, Telegram, plain_id
from wattbook.drivers.source import Listened, Report, Thinner, retries_s
from wattbook.model.clock import Clock
from wattbook.model.errors import ConfigError, Garbled, Unreachable, WattbookError
from wattbook.model.keeping import Keeper
from wattbook.model.reading import Reading
from wattbook.transports.link import Link

_SILENCE_S = 0.5  # one waiting read; also how long a stop may take
_GATHER_BYTES_MAX = 1024  # in one sleep while a telegram comes in: a quarter of a terminal's buffer
_GATHER_SPARE_S = 0.001  # waking just before the last byte would cost another read; instants are kept to 10 ms
_GATHER_BYTES_LEAST = 8  # nearer to the expected end, reading at once finds the moment of completion
_RETRY_S_MAX = 0.5  # a port that comes back is read again within a second
_MUTE_S_MAX = 5.0  # the other end hung up before a telegram: it may serve one client only, and is not to be stormed
_STOP_S_MAX = 5.0  # for a thread that is just connecting; then it is left to end by itself
_STRANGERS_MAX = 20  # ids of unknown meters to speak of, each once

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Ear:
    """A meter of the line and what is remembered of it."""

    meter: Listened
    thinner: Thinner


@dataclass(slots=True)
class _Pace:
    """How much of a telegram is here, judged by the length of the one before."""

    heard: int = 0
    expected: int = 0

    def wait_s(self, character_s: float) -> float:
        """How long to let bytes gather before the next read."""
        missing = self.expected - self.heard
        if self.heard == 0 or missing < _GATHER_BYTES_LEAST:
            return 0.0
        return min(min(missing, _GATHER_BYTES_MAX) * character_s, _SILENCE_S) + _GATHER_SPARE_S


class TelegramSource:
    """One line and the meters that speak on it. All speak the format of the first one's profile.

    Several meters are told apart by `address`: what they call themselves (server id, serial number or identification).
    One of them may have none and gets what nobody else is named for.
    """

    def __init__(
        self,
        name: str,
        meters: Sequence[Listened],
        *,
        open_link: Callable[[], Link],
        decoder: Callable[[], Decoder],
        clock: Clock,
        report: Report,
    ) -> None:
        self._name, self._open_link, self._decoder, self._clock, self._report = name, open_link, decoder, clock, report
        self._ears: dict[str, _Ear] = {}
        for meter in meters:
            address = plain_id(meter.address)
            if address in self._ears:
                other = self._ears[address].meter.name
                raise ConfigError(
                    f'{meter.name} and {other} on the line "{name}" need an address each, to tell them apart'
                )
            self._ears[address] = _Ear(meter, Thinner(meter.every_s))
        self._only = self._ears.get("") if len(self._ears) == 1 else None  # whoever speaks, it is this one
        self._strangers: set[str] = set()
        self._told = False  # a telegram came since the port was opened

    async def run(self, keep: Keeper) -> None:
        """Listen until cancelled. Raises ConfigError when the port can never be opened as it is configured."""
        stop = threading.Event()
        executor = ThreadPoolExecutor(1, thread_name_prefix=f"line {self._name}")
        ended = asyncio.get_running_loop().run_in_executor(executor, self._work, keep, stop)
        try:
            await asyncio.shield(ended)
        finally:
            stop.set()
            executor.shutdown(wait=False)
            if (await asyncio.wait([ended], timeout=_STOP_S_MAX))[1]:
                _log.warning("line %s: still busy with its port after %.0f s; left behind", self._name, _STOP_S_MAX)

    def _work(self, keep: Keeper, stop: threading.Event) -> None:
        """The thread: open the port, listen until it vanishes, open it again."""
        closed_s, mute_s = retries_s(_RETRY_S_MAX), retries_s(_MUTE_S_MAX)
        while not stop.is_set():
            waits_s = closed_s
            try:
                link = self._open_link()
                closed_s, waits_s = retries_s(_RETRY_S_MAX), mute_s
                try:
                    self._listen(link, keep, stop)
                    return
                finally:
                    link.close()
            except Unreachable as error:
                self._lost(error)
                if self._told:
                    self._told = False
                    mute_s = waits_s = retries_s(_MUTE_S_MAX)
                stop.wait(next(waits_s))
            except ConfigError as error:
                self._lost(error)
                raise

    def _lost(self, error: WattbookError) -> None:
        for ear in self._ears.values():
            self._report.lost(ear.meter.name, str(error))

    def _listen(self, link: Link, keep: Keeper, stop: threading.Event) -> None:
        decoder, pace = self._decoder(), _Pace()
        while not stop.is_set():
            begun_s = self._clock.monotonic()
            data = link.read(_SILENCE_S)
            if not data:
                pace.heard = 0
                # A line that answers "nothing" at once must not make us spin, whatever is wrong with it.
                stop.wait(max(0.0, begun_s + _SILENCE_S - self._clock.monotonic()))
                continue
            pace.heard += len(data)
            if wait_s := pace.wait_s(link.character_s):
                time.sleep(wait_s)
                more = link.read(0)
                pace.heard += len(more)
                data += more
            for item in decoder.feed(data):
                pace.expected, pace.heard = pace.heard, 0
                self._take(item, keep)

    def _take(self, item: Telegram | Damage, keep: Keeper) -> None:
        """Hand on one telegram, dated now: its last byte has just come."""
        if isinstance(item, Damage):
            for any_ear in self._ears.values():  # whose telegram it was, nobody can tell
                self._report.garbled(any_ear.meter.name, item.message)
            return
        self._told = True
        ear = self._whose(item)
        if ear is None:
            return
        at, meter = self._clock.now(), ear.meter
        try:
            measured = item.measured(meter.profile)
        except Garbled as error:
            self._report.garbled(meter.name, str(error))
            return
        if not measured.values:
            self._report.garbled(meter.name, "a telegram without any value that is known")
            return
        self._report.heard(meter.name, at)
        if ear.thinner.takes(at):
            keep.measured(Reading(meter.name, at, measured.values, doubt=measured.doubt))

    def _whose(self, telegram: Telegram) -> _Ear | None:
        """The meter that spoke; None for one that is not configured."""
        if self._only:
            return self._only
        for own in (*map(plain_id, telegram.ids), ""):
            if own in self._ears:
                return self._ears[own]
        stranger = telegram.ids[0] if telegram.ids else ""
        if stranger not in self._strangers and len(self._strangers) < _STRANGERS_MAX:
            self._strangers.add(stranger)
            _log.warning('line %s: a meter speaks that is not configured; its address is "%s"', self._name, stranger)
        return None
