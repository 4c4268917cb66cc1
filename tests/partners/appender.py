"""A process that appends to a book and says what was acknowledged, until it is killed: see test_kill.py."""

from __future__ import annotations

import sys
from collections import deque
from pathlib import Path

from book_tools import poll
from wattbook.model import SystemClock
from wattbook.store import Book

METERS = ("main-a", "main-b", "generator")
IN_FLIGHT = 3  # so that a kill meets commits, what waits for one, and answers


def main(path: str, first: str) -> None:
    with Book.open(Path(path), clock=SystemClock()) as book:
        print("open", flush=True)
        waiting: deque[tuple[int, object]] = deque()
        number = int(first)
        while True:  # until killed
            readings = [poll(3 * number + place, meter) for place, meter in enumerate(METERS)]
            waiting.append((number, book.append(readings, fresh=number % 2 == 0, urgent=number % 3 > 0)))
            if number % 3 == 0:
                book.acknowledge("sink", str(number))
            number += 1
            if len(waiting) == IN_FLIGHT:
                done, future = waiting.popleft()
                kept = future.result(timeout=30)  # type: ignore[attr-defined]
                print(done, *kept.seqs, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
