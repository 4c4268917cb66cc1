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
from typing import Any

from wattbook.access import Access, LocalSecret, PeopleFile
from wattbook.api import ApiContext, Served, exposed, serving
from wattbook.config import Config
from wattbook.drivers.host import boot_id
from wattbook.engine.alerts import make_alerts
from wattbook.engine.back_up import keep_backups
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
from wattbook.engine.status import ProxyStatus, SupplyNow
from wattbook.model import SystemClock
from wattbook.store import Book, BookReader
from wattbook.transports.systemd import Notifier

SWITCH_S = 0.00005  # a line's thread gets the interpreter within this time, whatever else computes (decision 4)
GC_OBJECTS = 50_000  # new ones between two looks for cycles: a body of 1,000 readings makes 10,000, with no cycle

_log = logging.getLogger(__name__)


async def run(
    config: Config,
    *,
    started: Callable[[Served], None],
    clock: SystemClock | None = None,
    beside: Callable[[Book], None] | None = None,
) -> None:
    """Read, keep and serve until SIGINT or SIGTERM. Once the page answers, `started` is called, `beside` in a thread.

    Raises ConfigError, or BookError when the book cannot be opened.
    """
    sys.setswitchinterval(SWITCH_S)
    clock = clock or SystemClock()
    systemd = Notifier()
    stopping = _on_signals()
    async with AsyncExitStack() as stack:
        book = Book.open(config.book, clock=clock, site=config.site.name, commit_every_s=config.site.commit_every)
        stack.callback(book.close)
        for message in book.opened_with:
            _log.warning("%s: %s", config.book.name, message)
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
        supply = _supply(config, book, live, clock)
        sinks = make_sinks(config, book, reader, clock)
        alerts = make_alerts(
            config, book, reader, clock, lambda: [(each.settings.name, each.status) for each in sinks],
            show=live.show_alerts,
        )  # fmt: skip
        secret = LocalSecret(config.secret)
        stack.callback(secret.remove)
        access = Access(PeopleFile(config.people), clock, book.append_event, secret)
        for message in exposed(config, access):
            _log.warning("%s", message)
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
        )
        served = await stack.enter_async_context(serving(context))
        config.address.write_text(served.url, encoding="utf-8")
        stack.callback(config.address.unlink, missing_ok=True)
        tasks = [
            _begun(stack, "clock", keep_time(clock, book)),
            _begun(stack, "seal", seal_history(book, reader, config.site.timezone, clock)),
            _begun(stack, "life", follow(EventsOf(book, reader), make_life_decider(config, book, reader, clock))),
        ]
        tasks += [_begun(stack, sink.status.follower, sink.run()) for sink in sinks]
        tasks += [_begun(stack, name, work) for name, work in alerts.work()]
        if config.backup:
            tasks.append(_begun(stack, "backup", keep_backups(config, book, clock)))
        if config.retention:
            tasks.append(_begun(stack, "retention", retain(book, reader, config.retention, clock)))
        if supply:
            tasks.append(_begun(stack, supply.name, follow(book, supply, idle_s=TICK_S)))
        if systemd.watchdog_s:
            tasks.append(_begun(stack, "watchdog", _beat(systemd)))
        # What lives now lives for good. Left to itself, Python looks through all of it every 700 new objects.
        gc.freeze()
        gc.set_threshold(GC_OBJECTS, 20, 50)
        systemd.ready(f"reading {len(config.meters)} meters, serving {served.url}")
        started(served)
        if beside:
            _begun(stack, "beside", asyncio.to_thread(beside, book))
        await _first(stopping, failed, served.ended, *tasks)
        systemd.stopping()
        _log.info("stopping")


def _begun(stack: AsyncExitStack, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Begin what goes on until the stack ends."""
    task = asyncio.create_task(work, name=name)
    stack.callback(task.cancel)
    return task


def _supply(config: Config, book: Book, live: Live, clock: SystemClock) -> SupplyDecider | None:
    """What decides which source feeds the house, where a meter can tell."""
    rule = supply_rule(config)
    if rule is None:
        return None
    return SupplyDecider(
        rule,
        clock,
        boot=boot_id(),
        lag_s=config.site.commit_every,
        stalled=lambda: book.statistics().gap_since is not None,
        changed=live.show_supply,
    )


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


async def _first(*futures: asyncio.Future[None]) -> None:
    """Wait until one is done, and raise what it raises."""
    done, _ = await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    for future in done:
        future.result()


async def _beat(systemd: Notifier) -> None:
    """Tell the watchdog that the event loop runs, twice as often as it asks for."""
    while True:
        systemd.alive()
        await asyncio.sleep(systemd.watchdog_s / 2)
