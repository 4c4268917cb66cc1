"""Other readers on the same simulated line: four PZEM-016 at 9600 Bd, all registers in one request, as fast as it goes.

    python -m bench.peers [--seconds 10] [--only wattbook minimalmodbus pymodbus mbpoll] [--json]

Each is a process of its own and stores nothing; `wattbook` here is its line's thread with a keeper that only counts.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shutil import which

from bench import machine
from bench.figures import Figure, progress, show
from bench.laboratory import Laboratory
from wattbook.profiles import SerialSettings

ADDRESSES = (4, 5, 6, 7)
BAUD, REGISTERS = 9600, 9
_SETTLE_S = 2.0
_LAST_S = 3600.0  # a reader whose parent died ends by itself


def read_wattbook(port: str) -> None:
    """Our own line."""
    from bench.line import SWITCH_INTERVAL_S, Counting
    from wattbook.engine.collect import LineTask, MeterTask, SerialLine
    from wattbook.model import SystemClock
    from wattbook.profiles import Library

    sys.setswitchinterval(SWITCH_INTERVAL_S)
    profile = Library().get("pzem-016")
    meters = tuple(MeterTask(f"m{address}", profile, address) for address in ADDRESSES)
    SerialLine(LineTask("line", (port,), meters, Counting(), SystemClock(), SerialSettings(baud=BAUD))).start()
    time.sleep(_LAST_S)


def read_minimalmodbus(port: str) -> None:
    """minimalmodbus on pyserial."""
    import minimalmodbus
    import serial

    opened = serial.Serial(port, BAUD, timeout=0.5)
    instruments = [minimalmodbus.Instrument(opened, address) for address in ADDRESSES]
    end_s = time.monotonic() + _LAST_S
    while time.monotonic() < end_s:
        for instrument in instruments:
            instrument.read_registers(0, REGISTERS, 4)


def read_pymodbus(port: str) -> None:
    """pymodbus' blocking client."""
    from pymodbus.client import ModbusSerialClient

    client = ModbusSerialClient(port, baudrate=BAUD, timeout=0.5, retries=0)
    assert client.connect()
    end_s = time.monotonic() + _LAST_S
    while time.monotonic() < end_s:
        for address in ADDRESSES:
            client.read_input_registers(0, count=REGISTERS, device_id=address)


def read_bare(port: str) -> None:
    """The least a reader can do, and no reader: sleep, write, sleep, read; nothing is checked, decoded or learnt."""
    import os
    import select
    import tty

    from wattbook.codecs.modbus import Request, encode_request, frame_silence_s
    from wattbook.transports.pace import wake_on_time

    wake_on_time()
    fd = os.open(port, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(fd)
    character_s = SerialSettings(baud=BAUD).character_s
    silence_s, size = frame_silence_s(character_s), 5 + 2 * REGISTERS
    requests = [encode_request(Request(address, 4, 0, REGISTERS)) for address in ADDRESSES]
    free_at = time.monotonic()
    end_s = free_at + _LAST_S
    while free_at < end_s:
        for request in requests:
            time.sleep(max(0.0, free_at - time.monotonic()))
            asked = time.monotonic()
            os.write(fd, request)
            time.sleep(max(0.0, asked + (len(request) + size) * character_s + silence_s - time.monotonic()))
            heard = 0
            while heard < size and select.select([fd], [], [], 0.5)[0]:
                heard += len(os.read(fd, 256))
            free_at = time.monotonic() + silence_s


READERS: Mapping[str, Callable[[str], None]] = {
    "wattbook": read_wattbook,
    "minimalmodbus": read_minimalmodbus,
    "pymodbus": read_pymodbus,
    "a bare loop": read_bare,
}
NAMES = [*READERS, "mbpoll"]


def command(name: str, port: Path) -> list[str] | None:
    """What to start; None when it is not installed."""
    if name != "mbpoll":
        return [sys.executable, "-m", "bench.peers", "--reader", name, str(port)]
    program = which("mbpoll")
    addresses = ",".join(map(str, ADDRESSES))
    # 11 ms between two rounds are the least that mbpoll accepts, whatever its help says.
    options = ["-m", "rtu", "-a", addresses, "-b", str(BAUD), "-P", "none", "-t", "3", "-r", "1"]
    return [program, *options, "-c", str(REGISTERS), "-l", "11", "-o", "0.5", str(port)] if program else None


def measure(name: str, seconds: float) -> list[Figure]:
    """One reader on a fresh line."""
    with tempfile.TemporaryDirectory(prefix="wattbook-bench-") as folder:
        port = Path(folder) / "rs485"
        started = command(name, port)
        if started is None:
            progress(f"{name} is not installed")
            return []
        progress(f"{name} on the line: {seconds:.0f} s")
        with Laboratory(port, "pzem-016", ADDRESSES, baud=BAUD) as laboratory:
            process = subprocess.Popen(started, stdout=subprocess.DEVNULL)
            try:
                laboratory.first_request()
                time.sleep(_SETTLE_S)
                laboratory.reset()
                cpu_s = machine.cpu_s(process.pid)
                time.sleep(seconds)
                cpu_s = machine.cpu_s(process.pid) - cpu_s
                seen = laboratory.statistics()
            finally:
                process.kill()
                process.wait()
    return [
        Figure(f"{name}, 4 × PZEM-016 at {BAUD} Bd: share of the line's limit", seen["share"] * 100, "%"),
        Figure("  requests before 3.5 characters of silence", seen["offences"]),
        Figure("  CPU per 1,000 polls", 1000 * cpu_s / max(1, seen["answers"]), "s"),
    ]


def ratios(found: Mapping[str, Sequence[Figure]]) -> list[Figure]:
    """Ours against each peer of the same run: polls on the line, and CPU a poll."""
    ours = found.get("wattbook")
    figures = []
    for name, theirs in found.items():
        if ours and theirs and name != "wattbook":
            figures.append(Figure(f"  wattbook / {name}: polls in the same time", ours[0].value / theirs[0].value))
            figures.append(Figure(f"  wattbook / {name}: CPU a poll", ours[-1].value / theirs[-1].value))
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--only", nargs="*", choices=NAMES, default=[])
    parser.add_argument("--json", action="store_true", help="one JSON array")
    parser.add_argument("--reader", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.reader:
        READERS[given.reader[0]](given.reader[1])
        return
    found = {name: measure(name, given.seconds) for name in given.only or NAMES}
    show([*(figure for figures in found.values() for figure in figures), *ratios(found)], as_json=given.json)


if __name__ == "__main__":
    main()
