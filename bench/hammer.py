"""Query the HTTP API as hard as it answers, over several connections, until standard input ends.

Each connection asks in turn for the latest readings, an hour by the minute, the meters and the metrics, and asks again
as soon as it was answered. It says how many were answered and how long they took.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

_SAMPLES_MAX = 1_000_000  # of one connection: minutes


def paths(meter: str) -> Sequence[str]:
    """What is asked for."""
    since = quote((datetime.now(UTC) - timedelta(hours=1)).isoformat())
    question = f"/api/v1/query?meter={meter}&from={since}&every=1min&quantity="
    return [
        "/api/v1/readings/latest",
        question + "active_power",
        "/api/v1/meters",
        question + "active_energy_import",
        "/metrics",
    ]


def ask_on(port: int, meter: str, ending: threading.Event, took_s: list[float]) -> None:
    """One connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    asked = paths(meter)
    for number in range(_SAMPLES_MAX):
        if ending.is_set():
            break
        began_s = time.perf_counter()
        connection.request("GET", asked[number % len(asked)])
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        took_s.append(time.perf_counter() - began_s)
    connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--meter", default="m4")
    given = parser.parse_args()
    ending, took_s = threading.Event(), [list[float]() for _ in range(given.connections)]
    threads = [threading.Thread(target=ask_on, args=(given.port, given.meter, ending, own)) for own in took_s]
    began_s = time.monotonic()
    for thread in threads:
        thread.start()
    sys.stdin.read()
    ending.set()
    for thread in threads:
        thread.join()
    answered = sorted(each for own in took_s for each in own)
    print(
        json.dumps(
            {
                "requests_per_s": len(answered) / (time.monotonic() - began_s),
                "median_ms": statistics.median(answered) * 1000,
                "slowest_of_100_ms": answered[int(len(answered) * 0.99)] * 1000,
            }
        )
    )


if __name__ == "__main__":
    main()
