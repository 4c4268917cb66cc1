"""A form costs an idle daemon little: it imports none of the libraries that only a sink at work needs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from wattbook.config.forms import forms
from wattbook.sinks import KINDS

PACKAGES = sorted({package for kind in KINDS.values() for package in kind.packages})
_FRESH = """
import asyncio, json, sys, tempfile
from pathlib import Path
from api_house import house

async def ask():
    with tempfile.TemporaryDirectory() as folder, house(Path(folder)) as here:
        async with here.client as client:
            return (await client.get("/api/v1/configuration/forms")).json()

found = asyncio.run(ask())
after = {name.partition(".")[0] for name in sys.modules}
print(json.dumps({"kinds": sorted(found["sink"]["kinds"]), "after": sorted(after)}))
"""


def _fresh() -> Mapping[str, Any]:
    """What a process of its own has imported once it answered the request."""
    done = subprocess.run([sys.executable, "-c", _FRESH], capture_output=True, text=True, check=True, timeout=60,
                          env={"PYTHONPATH": ":".join(sys.path)})  # fmt: skip
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


def test_the_request_for_forms_imports_no_library_of_a_sink() -> None:
    found = _fresh()
    assert found["kinds"] == sorted(KINDS)
    assert not set(found["after"]) & set(PACKAGES)


def test_every_package_that_a_kind_names_can_be_imported_here() -> None:
    assert PACKAGES and all(__import__(package) for package in PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_missing_is_told_without_importing_it(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    forms.cache_clear()
    try:
        sink = forms()["sink"]
    finally:
        forms.cache_clear()
    needy = {kind for kind, where in KINDS.items() if package in where.packages}
    assert sink["missing"].keys() == needy and sink["kinds"].keys() == KINDS.keys() - needy
    for kind in needy:
        extra = KINDS[kind].extra
        assert sink["missing"][kind] == (
            f'a sink of kind "{kind}" needs the package {package}: pip install "wattbook[{extra}]"'
        )
