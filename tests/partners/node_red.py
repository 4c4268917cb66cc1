"""A real Node-RED on a free port of this machine, with the example's flow."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ports import free_port
from running import WAIT_S_MAX, get_json, until

ROOT = Path(__file__).parents[2]
INSTALLED = ROOT / ".cache" / "node-red"
FLOW = ROOT / "examples" / "node-red" / "flow.json"
SETTINGS = """module.exports = {
    uiHost: "127.0.0.1",
    credentialSecret: false,
    telemetry: { enabled: false, updateNotification: false },
    externalModules: { palette: { allowInstall: false }, modules: { allowInstall: false } },
    logging: { console: { level: "warn" } },
};
"""


class NodeRed:
    """Where it answers, and what its admin API says."""

    def __init__(self, port: int, log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}/"
        self.log = log

    def deploy(self, flow: list[dict[str, Any]]) -> None:
        """Put a flow in the place of all that runs."""
        request = urllib.request.Request(
            self.url + "flows",
            data=json.dumps({"flows": flow}).encode(),
            headers={"content-type": "application/json", "node-red-api-version": "v2"},
        )
        with urllib.request.urlopen(request, timeout=WAIT_S_MAX) as answer:
            assert answer.status == 200

    def meters(self) -> Mapping[str, Any]:
        """What the flow knows, by site and meter."""
        tab = next(node["id"] for node in example_flow() if node["type"] == "tab")
        told = get_json(f"{self.url}context/flow/{tab}/meters")
        known: Mapping[str, Any] = json.loads(told["msg"]) if told["format"] == "Object" else {}
        return known


def example_flow(broker: int | None = None) -> list[dict[str, Any]]:
    """The nodes of the example, with the port of another broker."""
    nodes: list[dict[str, Any]] = json.loads(FLOW.read_text(encoding="utf-8"))
    for node in nodes:
        if node["type"] == "mqtt-broker" and broker is not None:
            node["port"] = str(broker)
    return nodes


@contextlib.contextmanager
def node_red(folder: Path, *, zone: str = "Europe/Prague") -> Iterator[NodeRed]:
    """Run Node-RED with its data in `folder`. `zone` is where its days begin."""
    if not (INSTALLED / "node").exists():
        pytest.skip("Node-RED is not installed: python web/partners.py")
    node, port = (INSTALLED / "node").read_text(encoding="utf-8"), free_port()
    (folder / "settings.js").write_text(SETTINGS, encoding="utf-8")
    program = INSTALLED / "node_modules" / "node-red" / "red.js"
    server = NodeRed(port, folder / "node-red.log")
    with server.log.open("wb") as words:
        process = subprocess.Popen(
            [node, program, "--userDir", folder, "--port", str(port)],
            stdin=subprocess.DEVNULL, stdout=words, stderr=words, env=os.environ | {"TZ": zone, "HOME": str(folder)},
        )  # fmt: skip
        try:
            until(lambda: _answers(process, server))
            yield server
        finally:
            process.terminate()
            process.wait(WAIT_S_MAX)


def _answers(process: subprocess.Popen[bytes], server: NodeRed) -> bool:
    assert process.poll() is None, server.log.read_text(encoding="utf-8")
    try:
        return "version" in get_json(server.url + "settings")
    except OSError:
        return False
