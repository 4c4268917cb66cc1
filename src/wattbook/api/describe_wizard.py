"""What the OpenAPI page says about the wizard that adds a meter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wattbook.api.describe import _get
from wattbook.api.shapes import OBJECT_OR_NULL, TEXT, Schema, one_of, order_of

_VALUES = [{"name": "voltage", "title": "Voltage", "unit": "V", "value": 230.1}]
_SURVEY: Mapping[str, Any] = {
    "port": "/dev/serial/by-id/usb-1a86_USB_Serial-if00-port0",
    "line": "",
    "settings": "",
    "state": "running",
    "error": "",
    "done_s": 12.5,
    "total_s": 61.0,
    "doing": "9600 8N1, address 31",
    "found": [
        {
            "address": 4,
            "baud": 9600,
            "parity": "none",
            "stopbits": 1,
            "model": "pzem-016",
            "title": "PZEM-014 / PZEM-016 AC energy meter (RS-485)",
            "certain": False,
            "also": ["pzem-004t"],
            "serial": "",
            "values": _VALUES,
            "meter": "",
        }
    ],
    "remarks": [],
}
_OF_DEVICE: Mapping[str, Schema] = {
    "port": TEXT,
    "model": TEXT,
    "address": {"type": ["integer", "string", "null"]},
    "baud": {"type": "integer"},
    "parity": one_of("", "none", "even", "odd"),
    "stopbits": {"type": "integer", "enum": [0, 1, 2]},
}
_DEVICE = {"port": "tcp://192.168.1.20:502", "model": "pzem-016", "address": 4}


def _ordered(
    described: Mapping[str, Any], order: Mapping[str, Any], status: int, words: str, *needed: str, **keys: Schema
) -> Mapping[str, Any]:
    extra = order_of(order, *needed, **keys)
    return {**described, "status_code": status, "description": words, "openapi_extra": extra}


WIZARD = _get(
    "What a new meter can be: ports of this machine, lines, models, and the scan that goes on",
    {
        "ports": [{"port": "/dev/ttyUSB0", "line": "rs485", "settings": "9600 8N1"}],
        "lines": [{"name": "rs485", "port": "/dev/ttyUSB0"}],
        "models": [{"name": "pzem-016", "title": "PZEM-014 / PZEM-016 AC energy meter", "protocol": "modbus"}],
        "scan": None,
    },
    loose={"scan": OBJECT_OR_NULL},
)
SCAN = _get("How far the scan is and what it found; null when there was none", _SURVEY, schema=OBJECT_OR_NULL)
START_SCAN = _ordered(
    _get(
        "Scan a port for Modbus meters, or stop",
        _SURVEY,
        schema=OBJECT_OR_NULL,
        _400="port: this machine has no serial port /dev/ttyUSB9; choose one of the list",
        _409="tcp://192.168.1.20 is being scanned; stop that first",
    ),
    {"do": "start", "port": "tcp://192.168.1.20:502"},
    202,
    "`do` is start or stop. One port is scanned at a time. One that the daemon reads is asked between its polls, with "
    "the line's settings: `line` and `settings` say so; other speeds cannot be tried while it is in use.",
    "do",
    do=one_of("start", "stop"),
    port=TEXT,
    thorough={"type": "boolean"},
)
TEST = _ordered(
    _get(
        "Read a meter once, before it is written down",
        {"values": _VALUES, "doubted": []},
        _400='no model is called "pzem-16"; did you mean "pzem-016"?',
        _409="nobody answers at address 4; check the wiring, the address, the speed and the model",
    ),
    _DEVICE,
    200,
    "Settings that are left out are the model's; on a line that the daemon reads they are the line's.",
    "model",
    **_OF_DEVICE,
)
ADD_METER = _ordered(
    _get(
        "Write a meter into wattbook.toml; the daemon begins to read it at once",
        {"written": '[[meter]]\nname = "press"\n…', "file": "wattbook.toml", "restart": False},
        _400='nothing was written, for it would not be right: two meters are called "press"',
    ),
    {**_DEVICE, "name": "press", "location": "plant/hall 2", "every": "5s", "source": ""},
    201,
    "What stands in the file stays, comments included. `restart` is true when it is read later, for the file is wrong "
    "elsewhere. A refusal says in `fields` what is wrong with which key.",
    "model",
    "name",
    **_OF_DEVICE,
    **dict.fromkeys(("name", "line", "serial", "location", "every", "source"), TEXT),
)
