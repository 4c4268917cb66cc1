"""The daemon: the one place that wires everything together."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from wattbook.api import ApiContext, Served, exposed
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
from wattbook.engine.share_line import shared_line
from wattbook.engine.status import ProxyStatus, SupplyNow
from wattbook.lasting import Begins, Lasting, begun, complete, on_signals
from wattbook.model import SystemClock, WattbookError
from wattbook.model.batch import to_ms
from wattbook.store import Book, BookReader

SWITCH_S = 0.00005  # a line's thread gets the interpreter within this time, whatever else computes (decision 4)
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
        lasting = Lasting(clock or SystemClock(), Begins(started, beside), stack)
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


async def _serve(config: Config, lasting: Lasting) -> None:
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
        access = lasting.access(config, book, stack)
        for message in exposed(config, access):
            _log.warning("%s", message)
        configuring = lasting.configuring(config, book)
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
            begun("clock", keep_time(clock, book)),
            begun("seal", seal_history(book, reader, config.site.timezone, clock)),
            begun("life", follow(EventsOf(book, reader), make_life_decider(config, book, reader, clock))),
        ]
        tasks += [begun(sink.status.follower, sink.run()) for sink in sinks]
        tasks += [begun(name, work) for name, work in alerts.work()]
        if config.backup:
            tasks.append(begun("backup", keep_backups(config, book, clock)))
        if config.retention:
            tasks.append(begun("retention", retain(book, reader, config.retention, clock)))
        if supply:
            tasks.append(begun(supply.name, follow(book, supply, idle_s=TICK_S)))
        tasks.append(begun("configuration", configuring.watch()))
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


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    """End them, and wait until they have let go of the book; a library that hangs is left."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=END_S_MAX)


def _supply(config: Config, book: Book, live: Live, lasting: Lasting) -> SupplyDecider | None:
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
    stopping = on_signals()
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
    lines.start(failed=lambda error: complete(failed, error))
    _on_thread_bugs(failed)
    stack.push_async_callback(lines.stop)
    return failed


def _on_thread_bugs(failed: asyncio.Future[None]) -> None:
    """A bug that ends a line's thread ends the daemon, loudly: a service manager starts it anew."""
    loop = asyncio.get_running_loop()

    def tell(caught: threading.ExceptHookArgs) -> None:
        if caught.exc_value is not None and not loop.is_closed():
            loop.call_soon_threadsafe(complete, failed, caught.exc_value)

    threading.excepthook = tell


async def _first(*futures: asyncio.Future[Any]) -> None:
    """Wait until one is done, and raise what it raises."""
    done, _ = await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    for future in done:
        future.result()
