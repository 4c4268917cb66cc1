"""The daemon: the one place that wires everything together."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from wattbook.access import Access, LocalSecret, PeopleFile
from wattbook.api import ApiContext, Served, Serving, exposed
from wattbook.config import Config
from wattbook.drivers.host import boot_id
from wattbook.engine.alerts import make_alerts
from wattbook.engine.anew import Anew
from wattbook.engine.back_up import keep_backups
from wattbook.engine.configure import Configuring
from wattbook.engine.decide_life import EventsOf, make_life_decider
from wattbook.engine.decide_supply import TICK_S, SupplyDecider, supply_rule
from wattbook.engine.follow import follow
from wattbook.engine.judge import JudgedKeeper, make_amender, make_judges, seed
from wattbook.engine.keep import BookKeeper
from wattbook.engine.keep_time import keep_time
from wattbook.engine.lines import Lines
from wattbook.engine.live import Live
from wattbook.engine.proxies import in_words, serving_proxies
from wattbook.engine.retain import retain
from wattbook.engine.run_sinks import make_sinks
from wattbook.engine.seal import seal_history
from wattbook.engine.share_line import shared_line
from wattbook.engine.status import ProxyStatus, SupplyNow
from wattbook.model import BookError, Event, SystemClock, WattbookError
from wattbook.model.batch import to_ms
from wattbook.store import Book, BookReader
from wattbook.transports.systemd import Notifier

SWITCH_S = 0.00005  # a line's thread gets the interpreter within this time, whatever else computes (decision 4)
GC_OBJECTS = 50_000  # new ones between two looks for cycles: a body of 1,000 readings makes 10,000, with no cycle
SETTLE_S_MAX = 10.0  # for all that a configuration left to be written
END_S_MAX = 10.0  # for what ends with a configuration: a sink may be in the midst of a batch

_log = logging.getLogger(__name__)


async def run(
    config: Config,
    *,
    started: Callable[[Served], None],
    clock: SystemClock | None = None,
    beside: Callable[[Book], None] | None = None,
) -> None:
    """Read, keep and serve until SIGINT or SIGTERM. Once the page answers, `started` is called, `beside` in a thread.

    SIGHUP, a command and the page have it go on with what wattbook.toml says by then (decision 12). Raises ConfigError,
    or BookError when the book cannot be opened.
    """
    sys.setswitchinterval(SWITCH_S)
    async with AsyncExitStack() as stack:
        lasting = _Lasting(clock or SystemClock(), _Begins(started, beside), stack)
        now = config
        while True:
            try:
                await _serve(now, lasting)
            except (WattbookError, OSError) as error:
                if lasting.before is None:
                    raise
                _log.error("the new configuration cannot be used: %s; the one before comes back", error)
                lasting.anew.failed(now, error)
                now, lasting.before = lasting.before, None
            else:
                if lasting.over:
                    return
                now, lasting.before = lasting.anew.take(now), now
            await lasting.settle(now)


@dataclass(frozen=True, slots=True)
class _Begins:
    """What a first start calls."""

    started: Callable[[Served], None]
    beside: Callable[[Book], None] | None


class _Lasting:
    """What outlives a configuration."""

    def __init__(self, clock: SystemClock, begins: _Begins, stack: AsyncExitStack) -> None:
        self.clock, self.stack, self.since = clock, stack, clock.now()
        self.systemd, self.anew = Notifier(), Anew()
        self.stopping = _on_signals()
        self.before: Config | None = None  # what comes back when the one that begins cannot
        self.over = False  # whether no other configuration follows
        self.serving: Serving | None = None
        self.access: Access | None = None
        self.people: PeopleFile | None = None
        self.secret: LocalSecret | None = None
        self.configuring: Configuring | None = None
        self._begins: _Begins | None = begins  # None = it has begun
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

    async def answer(self, context: ApiContext) -> Served:
        """Let this context answer; listen, the first time."""
        if self.serving is None:
            self.serving = Serving(context.config)
            self.stack.push_async_callback(self.serving.aclose)
        await self.serving.answer(context)
        return self.serving.served

    async def pause(self) -> None:
        """Nothing answers until the next context does, if one follows."""
        if self.serving is not None:
            await (self.serving.aclose() if self.over else self.serving.pause())

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

    def _begin(self, begins: _Begins, served: Served, book: Book) -> None:
        """What is done once, however many configurations follow."""
        if self.systemd.watchdog_s:
            self.stack.callback(_begun("watchdog", _beat(self.systemd)).cancel)
        begins.started(served)
        if begins.beside:
            self.stack.callback(_begun("beside", asyncio.to_thread(begins.beside, book)).cancel)

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


async def _serve(config: Config, lasting: _Lasting) -> None:
    """Read, keep and serve one configuration, until a signal comes or another one is asked for.

    Raises ConfigError or BookError when it cannot begin.
    """
    clock = lasting.clock
    async with AsyncExitStack() as stack:
        book = lasting.book(config)
        reader = stack.enter_context(BookReader(config.book))
        live = Live(clock)
        live.seed(reader.latest(now=clock.now()))
        judges = make_judges(config)
        seed(judges, reader)
        keeper = JudgedKeeper(BookKeeper(book, live), judges)
        lines = Lines(config, keeper=keeper, clock=clock, session=book.lineage)
        failed = _started(lines, stack)
        proxies = await stack.enter_async_context(serving_proxies(config, lines, keeper=keeper, clock=clock))
        for settings, proxy in zip(config.proxies, proxies, strict=True):
            _log.info("serving %s", in_words(config, settings, proxy.listen))
        supply = _supply(config, book, live, lasting)
        sinks = make_sinks(config, book, reader, clock)
        alerts = make_alerts(
            config, book, reader, clock, lambda: [(each.settings.name, each.status) for each in sinks],
            show=live.show_alerts,
        )  # fmt: skip
        access = _access(config, lasting, book, stack)
        for message in exposed(config, access):
            _log.warning("%s", message)
        configuring = _configuring(config, lasting, book)
        # The lines run already: the API takes half a second to import.
        context = ApiContext(
            config=config,
            statuses=lambda: lines.statuses,
            reader=reader,
            keeper=keeper,
            heard=lines.report.heard,
            live=live,
            clock=clock,
            statistics=book.statistics,
            access=access,
            supply=lambda: supply.now if supply else SupplyNow(),
            proxies=proxies,
            amender=make_amender(config, book, reader, clock, judges),
            sinks={sink.settings.name: sink for sink in sinks},
            alerts=alerts,
            configuring=configuring,
            started=lasting.since,
            note=book.append_event,
            shared=partial(shared_line, config, lines),
        )
        tasks: list[asyncio.Task[None]] = []
        stack.push_async_callback(_ended, tasks)
        stack.push_async_callback(lasting.pause)
        served = await lasting.answer(context)
        config.address.write_text(served.url, encoding="utf-8")
        stack.callback(config.address.unlink, missing_ok=True)
        tasks += [
            _begun("clock", keep_time(clock, book)),
            _begun("seal", seal_history(book, reader, config.site.timezone, clock)),
            _begun("life", follow(EventsOf(book, reader), make_life_decider(config, book, reader, clock))),
        ]
        tasks += [_begun(sink.status.follower, sink.run()) for sink in sinks]
        tasks += [_begun(name, work) for name, work in alerts.work()]
        if config.backup:
            tasks.append(_begun("backup", keep_backups(config, book, clock)))
        if config.retention:
            tasks.append(_begun("retention", retain(book, reader, config.retention, clock)))
        if supply:
            tasks.append(_begun(supply.name, follow(book, supply, idle_s=TICK_S)))
        tasks.append(_begun("configuration", configuring.watch()))
        lasting.in_force(config, served, book)
        lasting.over = True
        await _first(lasting.stopping, failed, served.ended, lasting.anew.wanted, *tasks)
        lasting.over = lasting.stopping.done()
        if lasting.over:
            lasting.systemd.stopping()
            _log.info("stopping")
        else:
            lasting.systemd.reloading()
            _log.info("another configuration comes into force")


def _access(config: Config, lasting: _Lasting, book: Book, stack: AsyncExitStack) -> Access:
    """Who may come in; who has come in already stays."""
    people = lasting.people
    if people is None or people.path != config.people:
        people = PeopleFile(config.people)
    lasting.people, lasting.secret = people, LocalSecret(config.secret, before=lasting.secret)
    stack.callback(lasting.secret.remove)
    tell = partial(book.append_event, urgent=True)  # who changes something waits for it
    lasting.access = Access(people, lasting.clock, tell, lasting.secret, before=lasting.access)
    return lasting.access


def _configuring(config: Config, lasting: _Lasting, book: Book) -> Configuring:
    """What stands in wattbook.toml by now, and changes of it."""
    tell = partial(book.append_event, urgent=True)
    if lasting.configuring is None:
        found = Configuring(config, lasting.clock, tell, begin_anew=lasting.anew.begin)
        lasting.configuring = found
        _on_hangup(found, lasting.systemd)
    else:
        lasting.configuring.in_force(config, tell, refused=lasting.anew.refused)
    return lasting.configuring


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


def _begun(name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Begin what goes on until the stack ends."""
    return asyncio.create_task(work, name=name)


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    """End them, and wait until they have let go of the book; a library that hangs is left."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=END_S_MAX)


def _supply(config: Config, book: Book, live: Live, lasting: _Lasting) -> SupplyDecider | None:
    """What decides which source feeds the house, where a meter can tell."""
    rule = supply_rule(config)
    if rule is None:
        return None
    found = SupplyDecider(
        rule,
        lasting.clock,
        boot=boot_id(),
        lag_s=config.site.commit_every,
        stalled=lambda: book.statistics().gap_since is not None,
        changed=live.show_supply,
        run=to_ms(lasting.since),
    )
    if position := book.position(found.name):
        found.recall(position.bookmark)
    return found


async def serve_proxies(config: Config, *, started: Callable[[Sequence[ProxyStatus]], None]) -> None:
    """Serve the proxies of a configuration and nothing else until SIGINT or SIGTERM; its book keeps what they write.

    Raises ConfigError, BookHeld when a daemon has the book, or BookError.
    """
    sys.setswitchinterval(SWITCH_S)
    clock = SystemClock()
    stopping = _on_signals()
    async with AsyncExitStack() as stack:
        book = Book.open(config.book, clock=clock, site=config.site.name, commit_every_s=config.site.commit_every)
        stack.callback(book.close)
        keeper = BookKeeper(book, Live(clock))
        lines = Lines(config, keeper=keeper, clock=clock, session=book.lineage)
        failed = _started(lines, stack)
        started(await stack.enter_async_context(serving_proxies(config, lines, keeper=keeper, clock=clock)))
        await _first(stopping, failed)


def _started(lines: Lines, stack: AsyncExitStack) -> asyncio.Future[None]:
    """Start the lines, to be stopped with the stack; the future raises what ends one by itself."""
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    lines.start(failed=lambda error: _settle(failed, error))
    _on_thread_bugs(failed)
    stack.push_async_callback(lines.stop)
    return failed


def _on_signals() -> asyncio.Future[None]:
    """A future that SIGINT and SIGTERM complete."""
    loop = asyncio.get_running_loop()
    stopping: asyncio.Future[None] = loop.create_future()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _settle, stopping)
    return stopping


def _on_thread_bugs(failed: asyncio.Future[None]) -> None:
    """A bug that ends a line's thread ends the daemon, loudly: a service manager starts it anew."""
    loop = asyncio.get_running_loop()

    def tell(caught: threading.ExceptHookArgs) -> None:
        if caught.exc_value is not None and not loop.is_closed():
            loop.call_soon_threadsafe(_settle, failed, caught.exc_value)

    threading.excepthook = tell


def _settle(future: asyncio.Future[None], error: BaseException | None = None) -> None:
    """Complete a future, once: a second signal or a second failed line changes nothing."""
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


async def _first(*futures: asyncio.Future[Any]) -> None:
    """Wait until one is done, and raise what it raises."""
    done, _ = await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    for future in done:
        future.result()


async def _beat(systemd: Notifier) -> None:
    """Tell the watchdog that the event loop runs, twice as often as it asks for."""
    while True:
        systemd.alive()
        await asyncio.sleep(systemd.watchdog_s / 2)
