"""The configuration in force, the file as it stands by now, and changes of it that are used at once."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from wattbook.config import Config, Edit, NotRight, Piece, Problem, change, examine
from wattbook.config.append import text_of
from wattbook.config.edit import SINGLE, tables_of
from wattbook.config.from_browser import permitted
from wattbook.config.told import table_told, tables_told, without_references
from wattbook.config.write_whole import write_whole
from wattbook.engine.in_step import in_step
from wattbook.engine.survey import check_port, serial_ports
from wattbook.model import Clock, ConfigError, Event, WattbookError
from wattbook.model.keeping import write_durably

LOOK_EVERY_S = 1.0  # between two looks at the file's date: one system call
PROBLEMS_MAX = 100  # that are told; a file can have one a line
_log = logging.getLogger(__name__)

T = TypeVar("T")
State = Literal["in force", "changed", "broken"]
Stamp = tuple[int, int, int]  # inode, size, nanoseconds of its last change
BeginAnew = Callable[[Config], Awaitable[None]]  # returns when it is in force; raises, and the old one is


class Broken(ConfigError):
    """The file on disk is wrong as it is."""

    def __init__(self, message: str, problems: Sequence[Problem]) -> None:
        super().__init__(message)
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands on disk, compared with what is in force. Without a problem the file can be used."""

    state: State
    problems: Sequence[Problem] = ()
    config: Config | None = None  # what the file says, when it is right


class Configuring:
    """The configuration that is in force, until another one is."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        tell: Callable[[Event], Future[int]],
        *,
        begin_anew: BeginAnew | None = None,
    ) -> None:
        self._clock, self._begin_anew = clock, begin_anew
        self._looking, self._changing = threading.Lock(), asyncio.Lock()
        self.in_force(config, tell)

    def in_force(
        self, config: Config, tell: Callable[[Event], Future[int]], *, refused: tuple[str, str] = ("", "")
    ) -> None:
        """Another configuration is in force now. `refused`: a text that could not be, and why."""
        with self._looking:
            self.config, self.since = config, self._clock.now()
            self._tell, self._refused = tell, refused
            self._stamp: Stamp | None = (0, 0, 0)  # of no file
            self._standing = Standing("in force")

    def standing(self) -> Standing:
        """What stands on disk. The file is examined only when its date has changed; blocks for that. Any thread."""
        with self._looking:
            stamp = self._stamp_now()
            if stamp != self._stamp:
                self._standing, self._stamp = self._looked(), stamp
            return self._standing

    def _stamp_now(self) -> Stamp | None:
        try:
            found = self.config.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _looked(self) -> Standing:
        try:
            text = text_of(self.config.path)
        except ConfigError as error:
            return Standing("broken", [Problem(0, str(error))])
        if text == self.config.text:
            return Standing("in force", (), self.config)
        if text == self._refused[0]:
            return Standing("broken", [Problem(0, f"it cannot be used: {self._refused[1]}")])
        try:
            config, problems = examine(self.config.path)
        except Exception:  # noqa: BLE001 - a text that nobody thought of must not end what reads meters
            _log.exception("%s cannot be judged, by a fault of wattbook itself", self.config.path.name)
            return Standing(
                "broken", [Problem(0, "it cannot be judged, by a fault of wattbook itself; its log says more")]
            )
        return Standing("broken", problems) if problems or config is None else Standing("changed", (), config)

    async def watch(self) -> None:
        """Tell in the log what somebody did to the file, once. Runs until cancelled."""
        told = await asyncio.to_thread(self.standing)
        while True:
            await in_step(LOOK_EVERY_S)
            found = await asyncio.to_thread(self.standing)
            if found is not told and not self._changing.locked():  # else it is our own change, that comes into force
                self._log_standing(found)
                told = found

    def _log_standing(self, standing: Standing) -> None:
        path = self.config.path
        for problem in standing.problems[:PROBLEMS_MAX]:
            _log.error("%s; the configuration before stays in force", problem.at(path))
        if standing.state == "changed":
            _log.info("%s has changed; `wattbook reload` uses it", path.name)

    def to_json(self) -> Mapping[str, Any]:
        """All that a page shows, without secrets."""
        standing = self.standing()
        try:
            tables = tables_told(text_of(self.config.path))
        except (ValueError, RecursionError, ConfigError):
            tables = tables_told(self.config.text)
        return {
            "file": self.config.path.name,
            "state": standing.state,
            "since": self.since,
            "problems": problems_json(standing.problems),
            "tables": tables,
        }

    def in_short(self) -> Mapping[str, str]:
        """The state and the first problem, for everybody who may read."""
        standing = self.standing()
        first = standing.problems[0].at(self.config.path) if standing.problems else ""
        return {"state": standing.state, "problem": without_references(first)}

    async def order(self, edit: Edit, actor: str) -> Mapping[str, Any]:
        """Change the file and use it. Raises NotRight or ConfigError: nothing was written; Broken; BookError."""
        async with self._changing:
            standing = await asyncio.to_thread(self.standing)
            if standing.config is None:
                raise Broken("the file is broken; mend that first, for a change would hide it", standing.problems)
            before = standing.config.text
            allowed = await asyncio.to_thread(self._allowed, standing.config, edit)
            await asyncio.to_thread(self._write, allowed, actor)
            try:
                await self._use()
            except WattbookError as error:
                await asyncio.to_thread(write_whole, self.config.path, before)
                raise NotRight(
                    f"it could not be used, and was taken back: {error}", place=self.config.path.name, fields={}
                ) from error
            return {"written": await asyncio.to_thread(_written, self.config, allowed), "applied": self.can_begin}

    @property
    def can_begin(self) -> bool:
        """Whether a change is used at once."""
        return self._begin_anew is not None

    def _allowed(self, config: Config, edit: Edit) -> Edit:
        ports = serial_ports(config) if edit.table == "line" else []
        return permitted(config, config.text, edit, lambda port: check_port(port, ports))

    def _write(self, edit: Edit, actor: str) -> None:
        change(self.config.path, edit, before=lambda: self.record(edit, actor))

    def record(self, edit: Edit, actor: str) -> None:
        """Write down in the book who changes what. Blocks until it is durable. Raises BookError."""
        # Before the change: one that is written down and then fails is seen; one that was made unseen is not.
        told = table_told(edit.table, {key: value for key, value in edit.keys.items() if value is not None})
        gone = [key for key, value in edit.keys.items() if value is None]
        body = {"do": edit.do, "table": edit.table, "keys": {**told, **dict.fromkeys(gone)}}
        subject = edit.name or str(edit.keys.get("name", edit.table))
        write_durably(self._tell, Event("configuration.changed", subject, self._clock.now(), body, actor))

    async def apply(self, actor: str) -> None:
        """Use the file as it stands. Raises Broken; then the one before is in force."""
        async with self._changing:
            standing = await asyncio.to_thread(self.standing)
            if standing.config is None:
                self._log_standing(standing)
                raise Broken(_in_words(standing, self.config), standing.problems)
            event = Event("configuration.applied", self.config.path.name, self._clock.now(), {}, actor)
            await asyncio.to_thread(write_durably, self._tell, event)
            await self._use()

    async def write(self, write: Callable[[], T]) -> tuple[T, bool]:
        """Have another part of the program write the file, in a thread; return what that returns, and whether the file
        is used now. It waits when it is wrong elsewhere. Raises what `write` raises."""
        async with self._changing:
            written = await asyncio.to_thread(write)
            if not self.can_begin or (await asyncio.to_thread(self.standing)).config is None:
                return written, False
            try:
                await self._use()
            except WattbookError:
                return written, False  # the log and the page tell why
            return written, True

    async def _use(self) -> None:
        standing = await asyncio.to_thread(self.standing)
        if self._begin_anew is not None and standing.config is not None:
            await self._begin_anew(standing.config)


def _in_words(standing: Standing, config: Config) -> str:
    first = standing.problems[0].at(config.path) if standing.problems else "it cannot be read"
    return f"{without_references(first)}; the configuration before stays in force"


def problems_json(problems: Sequence[Problem]) -> Sequence[Mapping[str, Any]]:
    """Problems with their lines; 0 = of the file as a whole."""
    return [{"line": each.line, "message": without_references(each.message)} for each in problems[:PROBLEMS_MAX]]


def _written(config: Config, edit: Edit) -> str:
    """The table as it stands now, without secrets."""
    if edit.do == "remove":
        return ""
    tables, name = tables_of(text_of(config.path), edit.table), edit.keys.get("name", edit.name)
    found = tables[0] if edit.table in SINGLE else next((each for each in tables if each.get("name") == name), {})
    told = table_told(edit.table, found)
    return Piece(edit.table, {key: _blotted(value) for key, value in told.items()}).text()


def _blotted(value: Any) -> Any:
    match value:
        case {"secret": True}:
            return "***"
        case Mapping():
            return {name: _blotted(each) for name, each in value.items()}
        case _:
            return value
