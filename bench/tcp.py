"""200 Modbus TCP meters: the reader alone as fast as it goes, the whole daemon at a second each, and pymodbus.

    python -m bench.tcp [--seconds 8] [--only reader pymodbus dead daemon] [--json]

The meters are PZEM-016, nine registers in one request, each behind a port of its own. One process serves them all with
answers made beforehand, as cheaply as Python can: it shares the two cores with the reader. Ten dead hosts are five that
take a connection and never answer, and five whose queue of connections is full, so that nobody even connects.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from bench import machine
from bench.daemon import count
from bench.figures import Figure, progress, show
from bench.running import get_json, run_daemon

METERS, DEAD = 200, 10
UNIT, REGISTERS = 4, 9
POLLS_PER_S_MIN, CPU_US_MAX = 20_000.0, 40.0  # the reader alone
CORE_MAX = 25.0  # % of one, the whole daemon at a second each
GAP_S_MAX = 1.2  # from reading to reading of a healthy meter at a second each, beside dead hosts
_SETTLE_S = 2.0
_WORDS = (2301, 1500, 0, 3450, 0, 4711, 0, 500, 98)
_GC_OBJECTS = 50_000  # as the daemon does


# the meters, in a process of their own


class _Meter(asyncio.BufferedProtocol):
    """Answers whatever is asked with the same registers."""

    _body = b"".join(word.to_bytes(2, "big") for word in _WORDS)
    _tail = bytes((0, 0, 0, 3 + len(_body), UNIT, 4, len(_body))) + _body

    def __init__(self) -> None:
        self._buffer = memoryview(bytearray(256))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._write = transport.write

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._write(bytes(self._buffer[:2]) + self._tail)


class _Mute(asyncio.Protocol):
    """Takes the connection and never answers."""


async def serve(healthy: int, dead: int) -> None:
    """Print the ports, the healthy ones first, and answer until killed."""
    loop = asyncio.get_running_loop()
    kinds = [_Meter] * healthy + [_Mute] * (dead // 2)
    servers = [await loop.create_server(kind, "127.0.0.1", 0) for kind in kinds]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    held = []
    for _ in range(dead - dead // 2):
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(2):  # more than fit: the next one's greeting is dropped
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            held.append(filler)
        held.append(listener)
        ports.append(listener.getsockname()[1])
    print(json.dumps(ports), flush=True)
    await loop.create_future()


class Meters:
    """The process with the meters, from entering to leaving."""

    def __init__(self, healthy: int = METERS, dead: int = 0) -> None:
        self._command = [sys.executable, "-m", "bench.tcp", "--serve", str(healthy), str(dead)]

    def __enter__(self) -> Meters:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.ports: list[int] = json.loads(self._process.stdout.readline())
        return self

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()


# the readers, each in a process of its own: they print what they found


class _Counting:
    """A keeper that counts, and notes the longest time without a reading of each meter."""

    def __init__(self) -> None:
        self.last_s: dict[str, float] = {}
        self.gap_s = 0.0
        self.polls = 0

    def measured(self, reading: object) -> None:
        self.polls += 1

    def note(self, event: object) -> None:
        """Events are not counted."""


class _Watching(_Counting):
    def measured(self, reading: object) -> None:
        self.polls += 1
        meter, now = reading.meter, time.monotonic()  # type: ignore[attr-defined]
        self.gap_s = max(self.gap_s, now - self.last_s.get(meter, now))
        self.last_s[meter] = now


async def read_wattbook(ports: Sequence[int], seconds: float, every_s: float) -> dict[str, float]:
    """Our own lines, values decoded."""
    from wattbook.engine.collect import LineTask, MeterTask, TcpLine
    from wattbook.model import SystemClock
    from wattbook.profiles import Library

    keeper, clock, profile = (_Watching() if every_s else _Counting()), SystemClock(), Library().get("pzem-016")
    for port in ports:
        meter = MeterTask(f"m{port}", profile, UNIT, every_s)
        TcpLine(LineTask(f"l{port}", (f"tcp://127.0.0.1:{port}",), (meter,), keeper, clock)).start()  # type: ignore[arg-type]
    gc.freeze()
    gc.set_threshold(_GC_OBJECTS, 20, 50)
    await asyncio.sleep(_SETTLE_S)
    keeper.last_s, keeper.gap_s = {}, 0.0
    found = await _window(lambda: keeper.polls, seconds)
    return {**found, "gap_s": keeper.gap_s, "heard": float(len(keeper.last_s))}


async def read_pymodbus(ports: Sequence[int], seconds: float, every_s: float) -> dict[str, float]:
    """pymodbus' asynchronous client, registers as they are."""
    from pymodbus.client import AsyncModbusTcpClient

    polls = 0

    async def read(port: int) -> None:
        nonlocal polls
        client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=1, retries=0)
        assert await client.connect()
        while True:
            answer = await client.read_input_registers(0, count=REGISTERS, device_id=UNIT)
            assert tuple(answer.registers) == _WORDS
            polls += 1

    tasks = [asyncio.create_task(read(port)) for port in ports]
    gc.freeze()
    gc.set_threshold(_GC_OBJECTS, 20, 50)
    await asyncio.sleep(_SETTLE_S)
    found = await _window(lambda: polls, seconds)
    for task in tasks:
        task.cancel()
    return found


async def _window(polls: Callable[[], int], seconds: float) -> dict[str, float]:
    before, cpu_s, began_s = polls(), time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    return {
        "polls": float(polls() - before),
        "cpu_s": time.process_time() - cpu_s,
        "took_s": time.monotonic() - began_s,
    }


READERS = {"wattbook": read_wattbook, "pymodbus": read_pymodbus}


def run_reader(name: str, meters: Meters, seconds: float, every_s: float = 0.0) -> dict[str, float]:
    """What a reader found, and what the meters' process needed meanwhile."""
    command = [sys.executable, "-m", "bench.tcp", "--reader", name, "--seconds", str(seconds), "--every", str(every_s)]
    cpu_s = machine.cpu_s(meters.pid)
    done = subprocess.run(
        command, input=json.dumps(meters.ports), stdout=subprocess.PIPE, text=True, timeout=seconds + 60, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return {**found, "server_cpu_s": machine.cpu_s(meters.pid) - cpu_s}


# the measurements


def measure_reader(seconds: float) -> list[Figure]:
    """Ours, as fast as it goes."""
    return _reader("wattbook", seconds, at_least=POLLS_PER_S_MIN, at_most=CPU_US_MAX)


def measure_pymodbus(seconds: float) -> list[Figure]:
    """The peer."""
    return _reader("pymodbus", seconds)


_found: dict[str, dict[str, float]] = {}  # of the readers of this run, for the ratios


def _reader(name: str, seconds: float, *, at_least: float | None = None, at_most: float | None = None) -> list[Figure]:
    progress(f"{name} reads {METERS} Modbus TCP meters: {seconds:.0f} s")
    with Meters() as meters:
        found = _found[name] = run_reader(name, meters, seconds)
    decoded = "values decoded" if name == "wattbook" else "registers only"
    figures = [
        Figure(f"{name}, {METERS} Modbus TCP meters, {decoded}", _rate(found), "polls/s", at_least=at_least),
        Figure("  CPU a poll", _cpu_us(found), "µs", at_most=at_most),
        Figure("  of a core", 100 * found["cpu_s"] / found["took_s"], "%"),
        Figure("  load average of the machine", machine.load_average()),
    ]
    ours = _found.get("wattbook")
    if name == "pymodbus" and ours:
        figures.append(Figure("  wattbook's polls to its own, same run", _rate(ours) / _rate(found), "times"))
        figures.append(Figure("  its CPU a poll to wattbook's, same run", _cpu_us(found) / _cpu_us(ours), "times"))
    return figures


def _rate(found: Mapping[str, float]) -> float:
    return found["polls"] / found["took_s"]


def _cpu_us(found: Mapping[str, float]) -> float:
    return 1e6 * found["cpu_s"] / max(found["polls"], 1)


def measure_dead(seconds: float) -> list[Figure]:
    """Ten of the 200 are dead: what the others see of it at a second each."""
    progress(f"{DEAD} of {METERS} hosts are dead: {seconds:.0f} s")
    with Meters(METERS - DEAD, DEAD) as meters:
        found = run_reader("wattbook", meters, seconds, every_s=1.0)
    healthy = METERS - DEAD
    return [
        Figure(f"{DEAD} of {METERS} hosts are dead: healthy meters heard", found["heard"], at_least=healthy),
        Figure("  readings a second and healthy meter", _rate(found) / healthy, "/s", at_least=0.95),
        Figure("  longest time without a reading of a healthy one", found["gap_s"], "s", at_most=GAP_S_MAX),
    ]


def measure_daemon(seconds: float) -> list[Figure]:
    """The whole daemon at a second each, journal included."""
    progress(f"the daemon reads {METERS} Modbus TCP meters at a second each: {seconds:.0f} s")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wattbook-bench-", dir=Path.cwd())))
        meters = stack.enter_context(Meters())
        with run_daemon(folder, _config(meters.ports)) as run:
            run.wait_for_all([f"m{port}" for port in meters.ports])
            time.sleep(_SETTLE_S)
            cpu_s, began_s, threads = machine.cpu_s(run.pid), time.monotonic(), machine.threads_cpu_s(run.pid)
            time.sleep(seconds)
            cpu_s, took_s = machine.cpu_s(run.pid) - cpu_s, time.monotonic() - began_s
            used = machine.threads_cpu_s(run.pid)
            answers = sum(meter["counters"]["answers"] for meter in get_json(run.port, "/api/v1/meters"))
        kept = count(folder / "wattbook.db")
    loop_s = used[run.pid] - threads[run.pid]
    return [
        Figure(f"wattbook run, {METERS} Modbus TCP meters at 1 s: CPU", 100 * cpu_s / took_s, "% of a core",
               at_most=CORE_MAX),
        Figure("  of it in the event loop", 100 * loop_s / took_s, "% of a core"),
        Figure("  CPU a poll", 1e6 * cpu_s / (took_s * METERS), "µs"),
        Figure("  answers that are not in the book", max(answers - kept, 0), at_most=0),
        Figure("  load average of the machine", machine.load_average()),
    ]  # fmt: skip


def _config(ports: Sequence[int]) -> str:
    return "".join(
        f'[[line]]\nname = "l{port}"\nport = "tcp://127.0.0.1:{port}"\n'
        f'[[meter]]\nname = "m{port}"\nline = "l{port}"\nmodel = "pzem-016"\naddress = {UNIT}\nevery = "1s"\n'
        for port in ports
    )


MEASUREMENTS: Mapping[str, Callable[[float], list[Figure]]] = {
    "reader": measure_reader,
    "pymodbus": measure_pymodbus,
    "dead": measure_dead,
    "daemon": measure_daemon,
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--only", nargs="*", choices=list(MEASUREMENTS), default=[])
    parser.add_argument("--json", action="store_true", help="one JSON array")
    parser.add_argument("--serve", nargs=2, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--reader", choices=list(READERS), help=argparse.SUPPRESS)
    parser.add_argument("--every", type=float, default=0.0, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.serve:
        asyncio.run(serve(*given.serve))
    elif given.reader:
        ports = json.load(sys.stdin)
        print(json.dumps(asyncio.run(READERS[given.reader](ports, given.seconds, given.every))), flush=True)
    else:
        chosen = given.only or list(MEASUREMENTS)
        show([figure for name in chosen for figure in MEASUREMENTS[name](given.seconds)], as_json=given.json)


if __name__ == "__main__":
    main()
