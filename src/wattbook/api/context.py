"""What the API is made of, handed in by the daemon."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from wattbook.access import Access
from wattbook.config import Config, MeterSettings
from wattbook.engine.alerts import Alerts
from wattbook.engine.amend import Amender
from wattbook.engine.configure import Configuring
from wattbook.engine.live import Live
from wattbook.engine.run_sinks import RunningSink
from wattbook.engine.status import MeterStatus, ProxyStatus, SupplyNow
from wattbook.engine.take_turns import SharedLine
from wattbook.model import Clock, Event, Keeper
from wattbook.store import BookReader, BookStatistics


@dataclass(frozen=True)
class ApiContext:
    """Everything the routes need."""

    config: Config
    statuses: Callable[[], Sequence[MeterStatus]]
    reader: BookReader
    keeper: Keeper
    heard: Callable[[str, datetime, int], None]  # meter, instant, count: readings were sent to us
    live: Live
    clock: Clock
    statistics: Callable[[], BookStatistics]
    access: Access
    supply: Callable[[], SupplyNow] = SupplyNow
    proxies: Sequence[ProxyStatus] = field(default=())  # live
    amender: Amender | None = None  # None = this book cannot be changed from here
    sinks: Mapping[str, RunningSink] = field(default_factory=dict)  # name -> sink
    alerts: Alerts | None = None
    started: datetime | None = None  # when the daemon began, before any change of its configuration
    configuring: Configuring | None = None  # None = the configuration cannot be changed from here
    note: Callable[[Event], object] = lambda event: None  # writes an event into the book
    shared: Callable[[str], SharedLine | None] = lambda port: None  # the line that holds a port; raises ConfigError

    @cached_property
    def meters(self) -> Mapping[str, MeterSettings]:
        """Meter name -> its settings."""
        return {meter.name: meter for meter in self.config.meters}
