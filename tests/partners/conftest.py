"""Fixtures of tests that speak to real partners."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, and a certificate each for a server on this machine and for us."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-addext", "subjectAltName=IP:127.0.0.1"]
    for name, more in (("ca", []), ("server", signed), ("client", signed)):
        files = ["-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}"]
        command = ["openssl", "req", "-x509", *key, *more, *files]
        subprocess.run(command, cwd=folder, check=True, timeout=60, capture_output=True)
        (folder / f"{name}.key").chmod(0o644)  # a broker that is no root reads it, too
    return folder


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A browser for the tests of one module; each of them opens a window of its own."""
    from playwright.sync_api import expect  # most partners need no browser

    from page_browser import CHROMIUM, PATIENCE_MS, chromium

    if not CHROMIUM.exists():
        pytest.skip("Chromium is missing: apt-get install chromium-headless-shell")
    expect.set_options(timeout=PATIENCE_MS)
    with chromium() as browser:
        yield browser
