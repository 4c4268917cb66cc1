"""What outlives a configuration: the book, who may come in, the port that answers, and what signals ask for."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from wattbook.access import Access, LocalSecret, PeopleFile
from wattbook.api import ApiContext, Served, Serving
from wattbook.config import Config
from wattbook.engine.anew import Anew
from wattbook.engine.configure import Configuring
from wattbook.model import BookError, Event, SystemClock, WattbookError
from wattbook.store import Book
from wattbook.transports.systemd import Notifier

GC_OBJECTS = 50_000  # new ones between two looks for cycles: a body of 1,000 readings makes 10,000, with no cycle
SETTLE_S_MAX = 10.0  # for all that a configuration left to be written

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Begins:
    """What a first start calls."""

    started: Callable[[Served], None]
    beside: Callable[[Book], None] | None


class Lasting:
    """What outlives a configuration."""

    def __init__(self, clock: SystemClock, begins: Begins, stack: AsyncExitStack) -> None:
        self.clock, self.stack, self.since = clock, stack, clock.now()
        self.systemd, self.anew = Notifier(), Anew()
        self.stopping = on_signals()
        self.before: Config | None = None  # what comes back when the one that begins cannot
        self.over = False  # whether no other configuration follows
        self._serving: Serving | None = None
        self._access: Access | None = None
        self._people: PeopleFile | None = None
        self._secret: LocalSecret | None = None
        self._configuring: Configuring | None = None
        self._begins: Begins | None = begins  # None = it has begun
        self._book: Book | None = None
        self._opened_as: object = None
        stack.callback(self._close_book)

    def book(self, config: Config) -> Book:
        """The book of a configuration. It stays open where it can, so that nobody else takes it meanwhile."""
        site, wanted = config.site, (config.book, config.site.name, config.site.commit_every)
        if self._book is None or self._opened_as != wanted:
            self._close_book()
            self._book = Book.open(config.book, clock=self.clock, site=site.name, commit_every_s=site.commit_every)
            self._opened_as = wanted
            for message in self._book.opened_with:
                _log.warning("%s: %s", config.book.name, message)
        return self._book

    def _close_book(self) -> None:
        book, self._book = self._book, None
        if book is not None:
            book.close()

    def access(self, config: Config, book: Book, stack: AsyncExitStack) -> Access:
        """Who may come in; who has come in already stays."""
        if self._people is None or self._people.path != config.people:
            self._people = PeopleFile(config.people)
        self._secret = LocalSecret(config.secret, before=self._secret)
        stack.callback(self._secret.remove)
        tell = partial(book.append_event, urgent=True)  # who changes something waits for it
        self._access = Access(self._people, self.clock, tell, self._secret, before=self._access)
        return self._access

    def configuring(self, config: Config, book: Book) -> Configuring:
        """What stands in wattbook.toml by now, and changes of it."""
        tell = partial(book.append_event, urgent=True)
        if self._configuring is None:
            self._configuring = Configuring(config, self.clock, tell, begin_anew=self.anew.begin)
            _on_hangup(self._configuring, self.systemd)
        else:
            self._configuring.in_force(config, tell, refused=self.anew.refused)
        return self._configuring

    async def answer(self, context: ApiContext) -> Served:
        """Let this context answer; listen, the first time."""
        if self._serving is None:
            self._serving = Serving(context.config)
            self.stack.push_async_callback(self._serving.aclose)
        await self._serving.answer(context)
        return self._serving.served

    async def pause(self) -> None:
        """Nothing answers until the next context does, if one follows."""
        if self._serving is not None:
            await (self._serving.aclose() if self.over else self._serving.pause())

    def in_force(self, config: Config, served: Served, book: Book) -> None:
        """A configuration has begun."""
        # What lives now lives for good. Left to itself, Python looks through all of it every 700 new objects.
        gc.freeze()
        gc.set_threshold(GC_OBJECTS, 20, 50)
        self.systemd.ready(f"reading {len(config.meters)} meters, serving {served.url}")
        begins, self._begins = self._begins, None
        if begins is None:
            _log.info("the configuration is in force; the page is at %s", served.url)
        else:
            self._begin(begins, served, book)
        self.before = None
        self.anew.in_force()

    def _begin(self, begins: Begins, served: Served, book: Book) -> None:
        """What is done once, however many configurations follow."""
        if self.systemd.watchdog_s:
            self.stack.callback(begun("watchdog", _beat(self.systemd)).cancel)
        begins.started(served)
        if begins.beside:
            self.stack.callback(begun("beside", asyncio.to_thread(begins.beside, book)).cancel)

    async def settle(self, config: Config) -> None:
        """One configuration has ended, and another one begins: what it left is in the book by then."""
        gc.unfreeze()  # what lived for good is gone
        gc.collect()
        logging.getLogger().setLevel(config.log.level.upper())
        if self._book is None:
            return
        # Followers read their positions from the book, judges the last readings: what is on its way comes first.
        event = Event("configuration.begins", config.path.name, self.clock.now())
        try:
            async with asyncio.timeout(SETTLE_S_MAX):
                await asyncio.wrap_future(self._book.append_event(event, urgent=True))
        except (BookError, TimeoutError) as error:
            _log.warning("%s: %s; it is opened anew", config.book.name, error)
            await asyncio.to_thread(self._close_book)


def on_signals() -> asyncio.Future[None]:
    """A future that SIGINT and SIGTERM complete."""
    loop = asyncio.get_running_loop()
    stopping: asyncio.Future[None] = loop.create_future()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, complete, stopping)
    return stopping


def _on_hangup(configuring: Configuring, systemd: Notifier) -> None:
    """SIGHUP has wattbook.toml read again."""
    tasks: set[asyncio.Task[None]] = set()

    async def apply() -> None:
        systemd.reloading()
        try:
            await configuring.apply("SIGHUP")
        except WattbookError as error:
            _log.error("SIGHUP: %s", error)
            systemd.ready(str(error))

    def begin() -> None:
        task = asyncio.create_task(apply(), name="SIGHUP")
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, begin)


def begun(name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Begin what goes on until the stack ends."""
    return asyncio.create_task(work, name=name)


def complete(future: asyncio.Future[None], error: BaseException | None = None) -> None:
    """Complete a future, once: a second signal or a second failed line changes nothing."""
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


async def _beat(systemd: Notifier) -> None:
    """Tell the watchdog that the event loop runs, twice as often as it asks for."""
    while True:
        systemd.alive()
        await asyncio.sleep(systemd.watchdog_s / 2)
