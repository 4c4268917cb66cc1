"""A broker and a publisher for the MQTT benchmarks: mosquitto, and a plain socket that fills it as fast as it takes."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which

from bench.running import free_port

METERS = 100
_START = datetime(2026, 11, 21, tzinfo=UTC)
_WINDOW = 2_000  # messages on their way without the broker's acknowledgement


@contextmanager
def broker(folder: Path, *, inflight: int | None = None) -> Iterator[int]:
    """Run mosquitto; yields its port. Its queue is unlimited, or it would drop what waits for a killed consumer."""
    program = which("mosquitto") or which("mosquitto", path="/usr/sbin")
    if program is None:
        sys.exit("mosquitto is not installed: apt-get install mosquitto")
    port = free_port()
    config = folder / "mosquitto.conf"
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "max_queued_messages 0", "log_type error"]
    lines += [f"max_inflight_messages {inflight}"] if inflight is not None else []
    config.write_text("\n".join(lines) + "\n")
    process = subprocess.Popen([program, "-c", str(config)])
    try:
        wait_for_port(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def wait_for_port(port: int, *, seconds: float = 10) -> None:
    """Return when somebody listens there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.02)
    sys.exit(f"nobody listens on port {port}")


def message(number: int) -> tuple[str, bytes]:
    """Topic and payload (about 99 bytes) of the n-th message; every one is a reading of its own."""
    meter, step = number % METERS, number // METERS
    at = (_START + timedelta(milliseconds=10 * step)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    payload = (
        f'{{"time":"{at}","voltage":{230 + step % 50 / 10:.1f},"current":{1 + step % 7}.234,'
        f'"power":{283 + meter}.9,"energy":{10000 + step}.678}}'
    )
    return f"meters/m{meter}/reading", payload.encode()


def publish(port: int, count: int, *, rate: float = 0) -> None:
    """Publish `count` messages with quality of service 1, at most `rate` a second (0 = as fast as they are taken)."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x00\x00\x04load")
        assert link.recv(4)[3] == 0
        packets = [_publish(number) for number in range(count)]
        sent = answered = 0
        start = time.monotonic()
        while answered < count:
            due = count if not rate else min(count, int((time.monotonic() - start) * rate))
            step = min(due - sent, _WINDOW - (sent - answered), 500)
            if step > 0:
                link.sendall(b"".join(packets[sent : sent + step]))
                sent += step
            elif sent == answered:
                time.sleep(0.002)
                continue
            if sent - answered >= _WINDOW or sent == count or rate:
                heard = len(link.recv(65_536))
                heard += len(link.recv(-heard % 4, socket.MSG_WAITALL)) if heard % 4 else 0
                answered += heard // 4


def _publish(number: int) -> bytes:
    topic, payload = message(number)
    body = len(topic).to_bytes(2, "big") + topic.encode() + (number % 65_535 + 1).to_bytes(2, "big") + payload
    assert len(body) < 16_384
    return bytes((0x32, len(body) & 0x7F | 0x80, len(body) >> 7)) + body


if __name__ == "__main__":
    publish(int(sys.argv[1]), int(sys.argv[2]), rate=float(sys.argv[3]))
