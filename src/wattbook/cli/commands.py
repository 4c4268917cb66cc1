"""The commands: what each does in a line, and the room that holds it.

Only the room of the asked command is imported, and none for a list of them: half a second matters on the command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ROOMS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "demo": {"demo": "Simulate a house, read its meters and show it on a page."},
        "run": {
            "run": "Read the meters, keep every reading, and serve the page.",
            "reload": "Let the running daemon use wattbook.toml as it is now.",
        },
        "proxy": {"proxy": "Serve a line to other Modbus masters."},
        "simulate": {"simulate": "Let the configured meters answer on simulated lines."},
        "check": {"check": "Find every problem of a configuration."},
        "ask": {"read": "Ask one meter once and print what it says."},
        "capture": {"capture": "Record what a meter answers, to decode it later."},
        "decode": {"decode": "Print what captured telegrams and readouts say."},
        "book": {"latest": "Print the latest reading of each meter."},
        "top": {"top": "Show the meters live in the terminal."},
        "query": {"query": "Print readings or energy of a stretch of time."},
        "cost": {"cost": "Print what energy costs, in all or step by step."},
        "export": {"export": "Write readings to a file: CSV, Parquet, XLSX and more."},
        "grafana": {"grafana": "Write Grafana's data sources and dashboards."},
        "importing": {"import": "Bring readings from other systems into the book."},
        "mover": {"mover": "Copy history between any two stores, and prove it."},
        "keeping": {
            "backup": "Copy the whole book, and read the copy back.",
            "restore": "Put a backup in the place of the book.",
            "verify": "Check the whole book: every checksum, every block.",
            "storage": "Tell how large the book is, and when the disk is full.",
        },
        "scan": {"scan": "Find the Modbus meters on a line."},
        "commission": {
            "set-address": "Give a device another address.",
            "reset-energy": "Set a meter's counters of energy to zero, for ever.",
        },
        "models": {"models": "The library of meter models: list, show, check, import."},
        "meter": {"meter": "A meter's life: what happened to it, and repairs."},
        "sink": {"sink": "How readings reach other systems."},
        "alert": {"alert": "What is watched, and who is told."},
        "people": {"user": "Who can log in.", "token": "Tokens of programs."},
    }
)
COMMANDS: Mapping[str, str] = MappingProxyType({name: does for room in ROOMS.values() for name, does in room.items()})
GROUPS = ("models", "meter", "sink", "alert", "user", "token")  # of commands; alone, one lists what it has


def room_of(command: str) -> str | None:
    """The module that holds a command; None where there is no such command."""
    return next((room for room, commands in ROOMS.items() if command in commands), None)
