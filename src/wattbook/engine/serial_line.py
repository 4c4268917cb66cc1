"""A serial line, in a thread per port that blocks on absolute deadlines (an event loop's are too coarse)."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from wattbook.codecs.conversation import Conversation
from wattbook.codecs.modbus_ask import Rtu
from wattbook.engine.port_worker import LOOK_S, STOP_S_MAX, Pool, PortWorker
from wattbook.engine.record import LineTask, MeterRecord
from wattbook.engine.status import MeterStatus
from wattbook.model.errors import Unreachable
from wattbook.transports.link import LinkLost
from wattbook.transports.open import list_ports
from wattbook.transports.ports import AUTO

log = logging.getLogger(__name__)
T = TypeVar("T")

_PORTS_MAX = 64  # threads of one line; the largest USB hubs have 16


class SerialLine:
    """Asks the meters of one line. Start it once, stop it once; all methods may be called from any thread."""

    def __init__(self, task: LineTask) -> None:
        """Prepare. Raises ConfigError for an address or model that cannot be asked."""
        self._task = task
        self.framing = Rtu()
        self._records = [MeterRecord(meter, task, self.framing) for meter in task.meters]
        self._stopping = threading.Event()
        self._fixed = len(task.ports) == 1 and task.ports[0] != AUTO
        self._unbound = Pool(self._records)
        self._workers: dict[str, PortWorker] = {}
        self._finder = threading.Thread(target=self._find_ports, name=f"ports of {task.name}", daemon=True)

    @property
    def statuses(self) -> Sequence[MeterStatus]:
        """How each meter fares, live."""
        return [record.status for record in self._records]

    def start(self) -> None:
        """Begin to ask."""
        if self._fixed:
            self._work_on(self._task.ports[0])
        else:
            self._finder.start()

    def stop(self) -> None:
        """End within a second, even in the middle of a readout; commands that wait are cancelled."""
        self._stopping.set()
        if self._finder.is_alive():
            self._finder.join(STOP_S_MAX)
        for worker in list(self._workers.values()):
            worker.stop()

    def holds(self, port: str) -> bool:
        """Whether this port is ours now; a line of several lets go of those where none of its meters is."""
        return any(map(partial(_is_same, port), list(self._workers)))

    def submit(
        self, conversation: Conversation[T], *, meter: str = "", port: str = "", guest: bool = False
    ) -> Future[T]:
        """Play a conversation before any further poll, on this port, that of `meter`, or the line's first one.

        A `guest`'s (a request of another program) goes between polls. The future raises LinkLost when the line is
        gone, LineBusy when too many wait.
        """
        for held, worker in list(self._workers.items()):
            if port and not _is_same(port, held):
                continue
            if not meter or self._fixed or worker.has(meter):
                return worker.submit(conversation, guest=guest)
        refused: Future[T] = Future()
        refused.set_exception(LinkLost("it is on no port now", meter=meter or self._task.name))
        return refused

    def _work_on(self, port: str) -> None:
        worker = PortWorker(port, self._task, self._unbound, self._stopping, self.framing, bound=self._fixed)
        self._workers[port] = worker
        worker.start()

    def _find_ports(self) -> None:
        """Keep a worker on each port there is; the worker of a port that vanished ends by itself."""
        complained = ""
        while not self._stopping.is_set():
            try:
                ports = self._candidates()
                complained = ""
            except Unreachable as error:
                ports = []
                if str(error) != complained:
                    log.warning("%s: %s", self._task.name, error)
                    complained = str(error)
            for port, worker in list(self._workers.items()):
                if not worker.is_alive():
                    del self._workers[port]
            for port in ports[:_PORTS_MAX]:
                if port not in self._workers and self._unbound.sought:
                    self._work_on(port)
            if not ports:
                self._unbound.all_gone("no serial port is there; is the adapter plugged in?")
            elif reason := self._unbound.all_shut(ports):
                self._unbound.all_gone(reason)
            self._stopping.wait(LOOK_S)

    def _candidates(self) -> list[str]:
        """The ports where our meters may be: never one that belongs to another line. Raises Unreachable."""
        if AUTO not in self._task.ports:
            return list(self._task.ports)
        taken = {os.path.realpath(port) for port in self._task.taken}
        return [port for port in list_ports() if os.path.realpath(port) not in taken]


def _is_same(port: str, other: str) -> bool:
    return os.path.realpath(port) == os.path.realpath(other)
