"""What `wattbook mover` answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wattbook.cli.main import run_command


def said(capsys: pytest.CaptureFixture[str], *typed: str) -> tuple[int, str]:
    """Its exit code and all its words."""
    code = run_command(["mover", *typed])
    out, err = capsys.readouterr()
    return code, out + err


def told(capsys: pytest.CaptureFixture[str], *typed: str) -> Any:
    """What it tells as JSON, with its exit code under `code`."""
    code, text = said(capsys, *typed, "--json")
    assert text.startswith("{"), text
    return {"code": code, **json.loads(text)}
