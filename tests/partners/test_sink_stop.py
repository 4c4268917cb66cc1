"""A daemon stops in time, however a sink's library hangs."""

from __future__ import annotations

import json
import signal
import socket
import time
import urllib.request
from pathlib import Path

from running import daemon, get_json, until

HOUSE = """
[api]
listen = "127.0.0.1:0"
[[meter]]
name = "m0"
model = "push"
[[sink]]
name = "hanging"
kind = "sql"
url = "mariadb://somebody@127.0.0.1:{port}/energy"
timeout = "10min"
"""


def test_a_library_that_hangs_in_a_thread_is_left(tmp_path: Path) -> None:
    config = tmp_path / "wattbook.toml"
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts by its backlog, and never says a word
        config.write_text(HOUSE.replace("{port}", str(silent.getsockname()[1])), encoding="utf-8")
        with daemon(config, tmp_path / "log") as (url, process):
            reading = {"meter": "m0", "at": "2026-11-21T12:00:00Z", "values": {"voltage": 230.1}}
            request = urllib.request.Request(
                f"{url.rstrip('/')}/api/v1/readings", json.dumps(reading).encode(), {"content-type": "application/json"}
            )
            urllib.request.urlopen(request, timeout=60).close()
            until(lambda: get_json(f"{url.rstrip('/')}/api/v1/sinks")[0]["state"] == "reading")
            time.sleep(0.5)  # it connects by now
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
            assert time.monotonic() - began < 40
    assert "hangs" in (tmp_path / "log").read_text(encoding="utf-8")
