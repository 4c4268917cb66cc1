"""The lines of a configuration: what to ask, what to listen to, and how all their meters fare."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from wattbook.codecs.decoder import make_decoder
from wattbook.config import Config, LineSettings, MeterSettings
from wattbook.drivers.host import Host
from wattbook.drivers.mqtt import MqttSource
from wattbook.drivers.source import Listened, Report, Source
from wattbook.drivers.telegram import TelegramSource
from wattbook.engine.collect import LineTask, MeterTask, SerialLine, TcpLine, make_line
from wattbook.engine.examine import Examination
from wattbook.engine.examined import ExaminedKeeper
from wattbook.engine.listen import STRANGER_S, Attendance, watch
from wattbook.engine.look_at_host import HostSource
from wattbook.engine.status import MeterStatus
from wattbook.model import Clock, Keeper
from wattbook.transports.mqtt import BrokerSettings, TlsSettings, parse_broker, session_name
from wattbook.transports.open import open_link

_log = logging.getLogger(__name__)


class Lines:
    """Every line of a configuration. `start` and `stop` on the event loop."""

    def __init__(self, config: Config, *, keeper: Keeper, clock: Clock, session: str) -> None:
        """Prepare all lines. `session` names this book to brokers. Raises ConfigError for what can never be read."""
        examined = ExaminedKeeper(
            keeper, {meter.name: Examination(config.profiles[meter.name], meter.source) for meter in config.meters}
        )
        self._config, self._keeper, self._clock = config, examined, clock
        self._statuses = {meter.name: _status(meter) for meter in config.meters}
        heard = [meter for meter in config.meters if not meter.line or config.profiles[meter.name].listens]
        self._attendance = Attendance(
            {meter.name: self._statuses[meter.name] for meter in heard},
            {meter.name: _expected_every_s(config, meter) for meter in heard},
            first_s={meter.name: STRANGER_S for meter in heard if config.profiles[meter.name].protocol == "mqtt"},
            clock=clock,
            note=keeper.note,
        )
        self._asked: dict[str, SerialLine | TcpLine] = {}
        self._sources: dict[str, Source] = {}
        self._tasks: list[asyncio.Task[None]] = []
        for line in config.lines:
            meters = config.meters_of(line)
            if not meters and line.name not in {proxy.line for proxy in config.proxies}:
                _log.warning("line %s has no meter", line.name)
            elif meters and config.profiles[meters[0].name].listens:
                self._sources[line.name] = _source(
                    config, line, meters, clock=clock, report=self._attendance, session=session
                )
            else:
                asked = make_line(_task(config, line, meters, keeper=examined, clock=clock))
                self._asked[line.name] = asked
                self._statuses |= {status.meter: status for status in asked.statuses}
        for meter in config.meters:
            if config.profiles[meter.name].protocol == "host":
                self._sources[f"of {meter.name}"] = HostSource(
                    meter.name,
                    Host(config.profiles[meter.name], config.book.parent),
                    every_s=config.every_s(meter),
                    clock=clock,
                    report=self._attendance,
                )
        examined.statuses = self._statuses

    @property
    def statuses(self) -> Sequence[MeterStatus]:
        """How every configured meter fares, in the order of the file."""
        return list(self._statuses.values())

    def asked(self, line: str) -> SerialLine | TcpLine | None:
        """A line of meters that are asked by its name, to be asked for somebody else; None: nobody is asked there."""
        return self._asked.get(line)

    @property
    def report(self) -> Report:
        """Who must be told when a meter without a line was sent to us."""
        return self._attendance

    def start(self, *, failed: Callable[[BaseException], None]) -> None:
        """Begin to read. `failed` is told when a task ended by itself: a bug, or for the operator to mend.

        A thread that ends by a bug goes to `threading.excepthook`.
        """
        started = [line.start() for line in self._asked.values()]
        self._tasks += [task for task in started if task is not None]  # a serial line has threads instead
        for name, source in self._sources.items():
            self._tasks.append(asyncio.create_task(source.run(self._keeper), name=f"line {name}"))
        self._tasks.append(asyncio.create_task(watch(self._attendance), name="attendance"))
        for task in self._tasks:
            task.add_done_callback(lambda task: _tell(task, failed))

    async def stop(self) -> None:
        """End every line, all at once, within about a second."""
        for task in self._tasks:
            task.cancel()
        stops = [
            line.stop() if isinstance(line, TcpLine) else asyncio.to_thread(line.stop) for line in self._asked.values()
        ]
        await asyncio.gather(*stops, *self._tasks, return_exceptions=True)


def _status(meter: MeterSettings) -> MeterStatus:
    return MeterStatus(meter.name, meter.model, meter.line, meter.location)


def _expected_every_s(config: Config, meter: MeterSettings) -> float:
    """How often a meter must speak to be present; who is sent to us without a promise is never missed."""
    sent = config.profiles[meter.name].protocol != "host" and not meter.line
    return meter.every or math.inf if sent else config.every_s(meter)


def _tell(task: asyncio.Task[None], failed: Callable[[BaseException], None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        failed(error)


def _task(
    config: Config, line: LineSettings, meters: Sequence[MeterSettings], *, keeper: Keeper, clock: Clock
) -> LineTask:
    return LineTask(
        name=line.name,
        ports=line.ports or (line.port,),
        meters=tuple(
            MeterTask(
                meter.name,
                config.profiles[meter.name],
                meter.address,
                config.every_s(meter),
                meter.location,
                str(meter.serial),
                meter.retries,
                meter.timeout,
            )
            for meter in meters
        ),
        keeper=keeper,
        clock=clock,
        settings=config.serial_of(line),
        tls=_tls(config, line),
        taken=tuple(port for other in config.lines if other is not line for port in (other.port, *other.ports) if port),
    )


def _source(
    config: Config, line: LineSettings, meters: Sequence[MeterSettings], *, clock: Clock, report: Report, session: str
) -> Source:
    listened = [
        Listened(
            name=meter.name,
            profile=config.profiles[meter.name],
            address="" if meter.address is None else str(meter.address),
            every_s=config.every_s(meter),
        )
        for meter in meters
    ]
    profile = listened[0].profile
    if profile.protocol == "mqtt":
        return MqttSource(_broker(config, line, session), listened, clock=clock, report=report)
    port, settings = line.port or line.ports[0], line.serial(profile.serial)
    return TelegramSource(
        line.name,
        listened,
        open_link=lambda: open_link(port, settings),
        decoder=lambda: make_decoder(profile),
        clock=clock,
        report=report,
    )


def _broker(config: Config, line: LineSettings, session: str) -> BrokerSettings:
    """The broker of a line."""
    tls = _tls(config, line)
    broker = parse_broker(
        line.port,
        client_id=line.client_id or session_name(session, line.name),
        tls=tls if tls != TlsSettings() else None,
    )
    return replace(broker, user=line.username or broker.user, password=line.password.reveal() or broker.password)


def _tls(config: Config, line: LineSettings) -> TlsSettings:
    """The certificates of a line, found relative to the configuration file."""
    return TlsSettings(
        *(str(config.path.parent / file) if file else "" for file in (line.ca, line.certificate, line.key))
    )
