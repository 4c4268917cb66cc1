"""The files in examples/, brought to where a test can run them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from wattbook.profiles import Library
from wattbook.simulate import Options, SimulatedLine, SimulatedMeter, Simulation, build

EXAMPLES = Path(__file__).parents[2] / "examples"
SECRETS = ("MONGO_PASSWORD", "ELASTIC_PASSWORD", "INFLUX_PASSWORD", "MSSQL_PASSWORD")


def here(example: str, folder: Path, replaced: Mapping[str, str] | None = None) -> Path:
    """The example with its ports in `folder`, a free port for its page, and other addresses of foreign systems.

    What is replaced must stand there: a test says in which way it is not what the example says.
    """
    text = (EXAMPLES / example).read_text(encoding="utf-8").replace("/dev/", f"{folder}/")
    for old, new in (replaced or {}).items():
        assert old in text, old
        text = text.replace(old, new)
    path = folder / "wattbook.toml"
    path.write_text(re.sub(r'listen = "[^"]*"', 'listen = "127.0.0.1:0"', text), encoding="utf-8")
    if "listen" not in text:
        path.write_text(text + '\n[api]\nlisten = "127.0.0.1:0"\n', encoding="utf-8")
    return path


def one_meter(folder: Path, model: str, address: str | int = "") -> Simulation:
    """A meter at the first port."""
    profile = Library().get(model)
    return build(
        [SimulatedLine("line", str(folder / "ttyUSB0"))], [SimulatedMeter("meter", "line", profile, address)],
        Options(folder),
    )  # fmt: skip


def pzems(folder: Path, ports: Mapping[str, str]) -> Simulation:
    """Three PZEM-016, each on an adapter of its own: name -> port."""
    model, addresses = Library().get("pzem-016"), dict(zip(ports, (4, 5, 6), strict=True))
    lines = [SimulatedLine(f"adapter of {name}", str(folder / port)) for name, port in ports.items()]
    meters = [SimulatedMeter(name, f"adapter of {name}", model, addresses[name]) for name in ports]
    return build(lines, meters, Options(folder))
