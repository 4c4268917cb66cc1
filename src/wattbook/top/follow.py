"""Following a daemon: two threads that wait, one on its live stream, one for the next question to ask.

What comes is told piece by piece; a connection that is lost is told at once, and tried again until it is there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from wattbook.top.answers import About, Life, Meter, Quantity, Reading, Series, Sink, Storage, Supply, Virtual, Watched
from wattbook.top.ask import Asker, NoAnswer, Place, Stream
from wattbook.top.computed import POWER
from wattbook.top.house import (
    ENERGY,
    Computed,
    Energy,
    Heard,
    Learned,
    Lost,
    Meters,
    News,
    Opened,
    Past,
    Sinks,
    zone_of,
)
from wattbook.top.trace import SPAN_S

RETRY_S = 2.0
STOP_S_MAX = 0.5  # a thread that still connects is left behind
CHECK_S = 10.0  # a network that is gone is not noticed by an open stream
SELDOM_S = 60.0  # energy of the day and the disk
NAMES_MAX = 200  # of one question, as the API allows
POINTS = 200  # of the past of one meter: as many as a wide line has blocks


class Follower:
    """`tell` is called from its threads."""

    def __init__(self, place: Place, tell: Callable[[News], object]) -> None:
        self._place = place
        self._tell = tell
        self._stopped = threading.Event()
        self._hurry = threading.Event()  # somebody does not want to wait for the next try
        self._wake = threading.Event()  # there is something to ask
        self._open = False
        self._stream = Stream(place)
        self._first_asker = Asker(place)  # of what stands when a stream begins
        self._asker = Asker(place)
        self._about = About(site="")
        self._told: dict[str, set[str]] = {}  # meter -> names of its quantities
        self._asked: set[str] = set()  # names whose titles are known, or not to be known
        self._virtual: dict[str, Virtual] = {}
        self._wanted = ""  # the meter whose life is shown
        self._due: dict[str, float] = {}  # question -> when it is asked again
        self._threads = [
            threading.Thread(target=self._to_the_end, args=(work,), daemon=True) for work in (self._listen, self._check)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Tell nothing any more, and let the threads end."""
        self._stopped.set()
        self._hurry.set()
        self._wake.set()
        for each in (self._stream, self._asker, self._first_asker):
            each.hang_up()
        for thread in self._threads:
            thread.join(STOP_S_MAX)

    def look_at(self, meter: str) -> None:
        """Tell the life of this meter, now and then again."""
        self._wanted = meter
        self._due.pop("life", None)
        self._wake.set()

    def refresh(self) -> None:
        """Ask everything again; try again at once where the connection is lost."""
        self._due.clear()
        self._hurry.set()
        self._wake.set()

    def _to_the_end(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            self._say(Lost("a fault of wattbook top itself; start it again"))

    def _say(self, news: News) -> None:
        if not self._stopped.is_set():
            self._tell(news)

    # The live stream

    def _listen(self) -> None:
        asker = self._first_asker
        while not self._stopped.is_set():
            try:
                self._begin(asker)
                for kind, data in self._stream.events():
                    self._hear(kind, data, asker.skew)
            except NoAnswer as error:
                self._open = False
                self._say(Lost(str(error)))
            self._hurry.wait(RETRY_S)
            self._hurry.clear()
        asker.close()

    def _begin(self, asker: Asker) -> None:
        """What stands, before the stream says what changes."""
        self._about = asker.ask(About, "about")
        self._say(self._about)
        self._say(Meters(asker.ask(list[Meter], "meters")))
        self._say(asker.ask(Supply, "supply"))
        for reading in asker.ask(list[Reading], "readings/latest"):
            self._take(reading)
        self._stream = Stream(self._place)

    def _hear(self, kind: str, data: bytes, skew: timedelta) -> None:
        try:
            if kind == "open":
                self._open = True
                self._due.clear()
                self._say(Opened(skew))
                self._wake.set()
            elif kind == "message":
                self._take(msgspec.json.decode(data, type=Reading))
            elif kind == "status":
                self._say(msgspec.json.decode(data, type=Meter))
            elif kind == "supply":
                self._say(msgspec.json.decode(data, type=Supply))
            elif kind == "alerts":  # the words are asked for
                self._due.pop("alerts", None)
                self._wake.set()
        except msgspec.DecodeError as error:
            raise NoAnswer(f"{self._place.url} tells what wattbook top does not understand: {error}") from error

    def _take(self, reading: Reading) -> None:
        if reading.site:  # of another house, whose meter may have the same name
            return
        self._say(reading)
        known = self._told.setdefault(reading.meter, set())
        if not reading.values.keys() <= known:
            known.update(reading.values)
            self._wake.set()

    # The questions

    def _check(self) -> None:
        while not self._stopped.is_set():
            self._wake.wait(CHECK_S)
            self._wake.clear()
            self._try(self._learn)
            self._ask_what_is_due()
        self._asker.close()

    def _try(self, chore: Callable[[], None]) -> None:
        """Ask while the stream is open. When nobody answers, say so, and let the other thread find them again.

        A no is no loss: a daemon of another version may not know the question, a token may not ask it.
        """
        try:
            if self._open:
                chore()
        except NoAnswer as error:
            if error.status == 0:
                self._open = False
                self._say(Lost(str(error)))
                self._stream.hang_up()

    def _ask_what_is_due(self) -> None:
        chores: Mapping[str, tuple[float, Callable[[], None]]] = {
            "virtual": (SELDOM_S, self._ask_virtual),
            "life": (SELDOM_S, self._ask_life),
            "past": (float("inf"), self._ask_past),
            "energy": (SELDOM_S, self._ask_energy),
            "meters": (CHECK_S, self._ask_meters),
            "sinks": (CHECK_S, self._ask_sinks),
            "alerts": (CHECK_S, self._ask_alerts),
            "storage": (SELDOM_S, self._ask_storage),
        }
        for name, (every_s, chore) in chores.items():
            now = time.monotonic()
            if now >= self._due.get(name, 0.0):
                self._due[name] = now + every_s - 0.5  # the next look is not put off for an instant
                self._try(chore)

    def _learn(self) -> None:
        names = sorted(set().union(*self._told.values()) - self._asked)[:NAMES_MAX]
        if names:
            self._say(Learned(self._asker.ask(list[Quantity], "quantities", [("name", name) for name in names])))
            self._asked.update(names)

    def _ask_life(self) -> None:
        if self._wanted and self._wanted not in self._virtual:
            self._say(self._asker.ask(Life, f"meters/{self._wanted}/life"))

    def _ask_virtual(self) -> None:
        known = self._asker.ask(list[Virtual], "meters/virtual")
        self._virtual = {meter.name: meter for meter in known}
        self._say(Computed(known))

    def _ask_meters(self) -> None:
        self._say(Meters(self._asker.ask(list[Meter], "meters")))
        self._say(self._asker.ask(About, "about"))

    def _ask_sinks(self) -> None:
        self._say(Sinks(self._asker.ask(list[Sink], "sinks")))
        self._say(Heard())

    def _ask_alerts(self) -> None:
        self._say(self._asker.ask(Watched, "alerts"))

    def _ask_storage(self) -> None:
        self._say(self._asker.ask(Storage, "storage"))

    def _ask_past(self) -> None:
        series = self._query(POWER, ("from", f"-{SPAN_S / 60:.0f}min"), ("points", str(POINTS)))
        self._say(Past(series))

    def _ask_energy(self) -> None:
        """Of yesterday what was used up to the same time of the clock, whatever length the day has."""
        zone = zone_of(self._about)
        then = (datetime.now(UTC) + self._asker.skew).astimezone(zone).replace(tzinfo=None) - timedelta(days=1)
        to = then.isoformat(timespec="seconds")
        today = self._query(ENERGY, ("from", "today"), ("every", "1d"))
        yesterday = self._query(ENERGY, ("from", "yesterday"), ("to", to), ("every", "1d"))
        self._say(Energy(_sums(today), _sums(yesterday)))

    def _query(self, quantity: str, *parameters: tuple[str, str]) -> Sequence[Series]:
        """The series of every meter that tells this, or its power."""
        able = [meter for meter, names in list(self._told.items()) if names & {quantity, POWER}]
        able += [each.name for each in self._virtual.values() if each.parts and set(each.parts) <= set(able)]
        able = able[:NAMES_MAX]
        if not able:
            return ()
        asked = [*(("meter", meter) for meter in able), ("quantity", quantity), *parameters]
        found = self._asker.ask(list[Series] | Series, "query", asked)  # type: ignore[arg-type]  # msgspec takes unions
        return found if isinstance(found, list) else [found]


def _sums(series: Sequence[Series]) -> Mapping[str, float]:
    """Meter -> its energy; not those of which nothing is known."""
    known = {each.meter: [point.value for point in each.points if point.value is not None] for each in series}
    return {meter: sum(values) for meter, values in known.items() if values}
