"""What the machine and its processes tell: CPU time to the nanosecond, memory, load."""

from __future__ import annotations

import os
import platform
import re
import time
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one process, in MB of 1,000,000 bytes."""

    rss: float  # everything mapped and present
    pss: float  # shared pages divided among those who share them


def cpu_s(pid: int) -> float:
    """CPU seconds of a whole process so far, ended threads too. /proc/PID/stat has only ticks of 10 ms."""
    return time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3), which Python does not offer


def threads_cpu_s(pid: int) -> dict[int, float]:
    """CPU seconds of every living thread."""
    found = {}
    for folder in (_PROC / str(pid) / "task").iterdir():
        try:
            found[int(folder.name)] = int((folder / "schedstat").read_text().split()[0]) / 1e9
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
    return found


def line_threads(pid: int) -> list[int]:
    """The threads of serial lines. Python names threads for itself alone, but only these ask for exact wake-ups."""
    return [tid for tid in threads_cpu_s(pid) if (_PROC / str(tid) / "timerslack_ns").read_text().strip() == "1"]


def memory(pid: int) -> Memory:
    """What a process holds now."""
    text = (_PROC / str(pid) / "smaps_rollup").read_text()
    sizes = {name: int(kb) * 1024 / 1e6 for name, kb in re.findall(r"^(Rss|Pss): +(\d+) kB", text, re.MULTILINE)}
    return Memory(sizes["Rss"], sizes["Pss"])


def load_average() -> float:
    """Of the last minute: threads that wanted to run. Beyond the number of cores somebody waited."""
    return os.getloadavg()[0]


def describe() -> str:
    """One line: processor, cores, memory, system."""
    model = re.search(r"^model name\s*: (.+)$", (_PROC / "cpuinfo").read_text(), re.MULTILINE)
    total_kb = re.search(r"^MemTotal: +(\d+)", (_PROC / "meminfo").read_text(), re.MULTILINE)
    return (
        f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, "
        f"{int(total_kb[1]) / 1e6 if total_kb else 0:.0f} GB, Linux {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}"
    )
