"""Connections to one SQL database: held between batches, used in threads, and cut when nobody answers."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection, Engine, Transaction
from sqlalchemy.exc import SQLAlchemyError

from wattbook.model import SinkRefused, SinkUnavailable
from wattbook.sinks.sql_address import Address
from wattbook.sinks.sql_errors import in_words

T = TypeVar("T")
_CUT_S_MAX = 2.0  # how long a thread may take to notice that its connection is cut
_IDLE_MAX = 2  # one for the backlog, one for what is live


@dataclass(slots=True)
class _Use:
    """One use of a connection by a thread; whoever waits for the thread may cut it off."""

    raw: object = None
    is_cut: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, connection: Connection) -> None:
        with self.lock:
            if self.is_cut:
                raise SinkUnavailable("it was given up meanwhile")
            self.raw = connection.connection.dbapi_connection

    def cut(self) -> None:
        """End a wait for the network. PyMySQL and FreeTDS end theirs by their own time-outs, psycopg has none."""
        with self.lock:
            self.is_cut = True
            number = getattr(getattr(self.raw, "pgconn", None), "socket", -1)
            if number >= 0:
                with socket.socket(fileno=os.dup(number)) as line:
                    line.shutdown(socket.SHUT_RDWR)


class SqlLine:
    """One database. Every `use` has a connection of its own for its duration."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._engine: Engine = address.engine()
        self._idle: list[Connection] = []

    async def use(self, work: Callable[[Connection], T], *, keep: bool = True) -> T:
        """Do the work in one transaction, in a thread; `keep` false = undo it. Raises SinkUnavailable, SinkRefused."""
        use = _Use()
        job = asyncio.ensure_future(asyncio.to_thread(self._used, use, work, keep))
        job.add_done_callback(_noticed)
        try:
            done, _ = await asyncio.wait({job}, timeout=self.address.limit_s)
        except asyncio.CancelledError:
            use.cut()
            raise
        if not done:
            use.cut()
            await asyncio.wait({job}, timeout=_CUT_S_MAX)
            raise SinkUnavailable(f"{self.address.shown}: no answer within {self.address.limit_s:.0f} s")
        return job.result()

    async def aclose(self) -> None:
        """Close what is idle; what is in use is closed by its time-out."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await asyncio.to_thread(_drop, connection)

    def _used(self, use: _Use, work: Callable[[Connection], T], keep: bool) -> T:
        connection: Connection | None = None
        transaction: Transaction | None = None
        try:
            connection = self._idle.pop() if self._idle else self._engine.connect()
            use.take(connection)
            transaction = connection.begin()
            self._limit(connection)
            result = work(connection)
            (transaction.commit if keep else transaction.rollback)()
        except SQLAlchemyError as error:
            told = in_words(error, self.address)
            if connection is not None and isinstance(told, SinkRefused) and _is_undone(transaction):
                self._keep(connection, use)
            else:
                _drop(connection)
            raise told from error
        except BaseException:
            _drop(connection)
            raise
        self._keep(connection, use)
        return result

    def _keep(self, connection: Connection, use: _Use) -> None:
        with use.lock:
            keep = not use.is_cut and len(self._idle) < _IDLE_MAX
        if keep:
            self._idle.append(connection)
        else:
            _drop(connection)

    def _limit(self, connection: Connection) -> None:
        """A server that waits for a lock gives up too, for this transaction alone: a pooler may lend its connection."""
        if self.address.family == "postgresql":
            milliseconds = int(self.address.limit_s * 1000)
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}; SET LOCAL timezone = 'UTC'")


def _is_undone(transaction: Transaction | None) -> bool:
    """SQL Server undoes some by itself, and is then astonished."""
    try:
        if transaction is not None:
            transaction.rollback()
    except SQLAlchemyError:
        return False
    return True


def _drop(connection: Connection | None) -> None:
    """Close without a farewell, which may get no answer: a server undoes what was begun."""
    if connection is not None:
        connection.invalidate()
        connection.close()


def _noticed(job: asyncio.Future[T]) -> None:
    """What a thread that was given up says afterwards is of no interest."""
    if not job.cancelled():
        job.exception()
