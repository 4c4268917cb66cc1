"""A small house behind the API: a real book, real settings, and a clock that stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from wattbook import config
from wattbook.access import Access, PeopleFile
from wattbook.api import ApiContext
from wattbook.api.app import make_app
from wattbook.engine.configure import Configuring
from wattbook.engine.judge import JudgedKeeper, make_amender, make_judges
from wattbook.engine.keep import BookKeeper
from wattbook.engine.listen import Attendance
from wattbook.engine.live import Live
from wattbook.engine.status import MeterStatus, SupplyNow
from wattbook.model import Reading
from wattbook.store import Book, BookReader

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

_METERS = """
[[line]]
name = "rs485"
port = "/dev/null"

[[line]]
name = "optical"
port = "/dev/zero"

[[meter]]
name = "main-a"
location = "house/panel/a"
line = "rs485"
model = "pzem-016"
address = 4
source = "utility"

[[meter]]
name = "generator"
line = "rs485"
model = "pzem-016"
address = 6
source = "generator"

[[meter]]
name = "heat-pump"
location = "house/cellar"
line = "optical"
model = "zpa-two-tariff"

[[meter]]
name = "workshop"
model = "push"

[[meter]]
name = "barn"
model = "push"

[[meter]]
name = "sheds"
location = "yard"
formula = "workshop + 2 * barn"
"""


class StandingClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - NOW).total_seconds()


@dataclass(frozen=True)
class House:
    """The API's context with what stands behind it."""

    context: ApiContext
    book: Book
    clock: StandingClock
    people: PeopleFile
    statuses: dict[str, MeterStatus] = field(default_factory=dict)
    supplies: list[SupplyNow] = field(default_factory=lambda: [SupplyNow("unknown")])  # the last one is now

    def keep(self, *readings: Reading) -> None:
        """Write readings down and show them, as the daemon does."""
        kept = self.book.append(readings, urgent=True).result(timeout=30)
        self.context.live.publish_kept(readings, kept.seqs)

    def supply(self, now: SupplyNow) -> None:
        """Another source feeds the house."""
        self.supplies.append(now)
        self.context.live.show_supply(now)

    @property
    def client(self) -> httpx.AsyncClient:
        return self.client_from("127.0.0.1")

    def client_from(self, address: str, host: str = "127.0.0.1:8600") -> httpx.AsyncClient:
        """A client at this address that calls the house by this name. No sockets."""
        transport = httpx.ASGITransport(make_app(self.context), client=(address, 50000), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=f"http://{host}")


@contextmanager
def house(folder: Path, api: str = "", *, site: str = "House", more: str = "") -> Iterator[House]:
    """A house whose [api] table holds these lines, with more tables at the end.

    Its page asks for no first password unless they say so.
    """
    api = api if "ask_password" in api else f"ask_password = false\n{api}"
    file = folder / "wattbook.toml"
    file.write_text(
        f'[site]\nname = "{site}"\ntimezone = "Europe/Prague"\n[api]\n{api}\n{_METERS}{more}', encoding="utf-8"
    )
    settings = config.load(file)
    clock = StandingClock()
    live = Live(clock)
    supplies = [SupplyNow("unknown")]
    judges = make_judges(settings)
    people = PeopleFile(settings.people)
    statuses = {meter.name: MeterStatus(meter.name, meter.model, meter.line) for meter in settings.meters}
    with Book.open(settings.book, clock=clock, commit_every_s=0.01) as book, BookReader(settings.book) as reader:
        context = ApiContext(
            config=settings,
            statuses=lambda: list(statuses.values()),
            reader=reader,
            keeper=JudgedKeeper(BookKeeper(book, live), judges),
            heard=Attendance(statuses, {}, clock=clock, note=lambda event: None).heard,
            live=live,
            clock=clock,
            statistics=book.statistics,
            access=Access(people, clock, book.append_event),
            supply=lambda: supplies[-1],
            amender=make_amender(settings, book, reader, clock, judges),
            configuring=Configuring(settings, clock, book.append_event),
        )
        yield House(context, book, clock, people, statuses, supplies)


def pzem(meter: str = "main-a", *, ago_s: float = 0, power: float = 1500.0, energy: float = 25409587.0) -> Reading:
    """A reading as a PZEM-016 gives it."""
    values = {"voltage": 230.1, "current": 6.52, "active_power": power, "active_energy_import": energy}
    return Reading(meter, NOW - timedelta(seconds=ago_s), values)


def pushed(count: int, meter: str = "workshop") -> Sequence[dict[str, object]]:
    """Reading JSON of a meter without a line, one a second up to now."""
    return [
        {
            "meter": meter,
            "at": (NOW - timedelta(seconds=count - number)).isoformat(),
            "values": {"active_power": float(number), "active_energy_import": 1000 + number},
        }
        for number in range(count)
    ]
