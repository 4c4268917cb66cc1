"""Install the packages of npm that tests work with into .cache, with the Node.js that the page is built with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from build import ROOT, node_folders

PARTNERS = {"node-red": "examples/node-red", "grafana-schema": "tests/partners/grafana_schema"}
CI = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


def main() -> None:
    """Install what the lock file of each names, when it has changed."""
    search = os.pathsep.join([*node_folders(), os.environ["PATH"]])
    node, npm = shutil.which("node", path=search), shutil.which("npm", path=search)
    if node is None or npm is None:
        sys.exit("npm was not found beside Node.js")
    with ThreadPoolExecutor() as together:  # each waits for the network most of the time
        done = [
            together.submit(install, ROOT / folder, ROOT / ".cache" / name, npm, node)
            for name, folder in PARTNERS.items()
        ]
    for each in done:
        each.result()


def install(lock: Path, into: Path, npm: str, node: str) -> None:
    """Fill `into`; the file `node` in it says which Node.js it is for, and that all of it is there."""
    done = into / "node"
    if done.exists() and done.stat().st_mtime >= (lock / "package-lock.json").stat().st_mtime:
        return
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    for file in ("package.json", "package-lock.json"):
        shutil.copyfile(lock / file, into / file)
    environment = os.environ | {"PATH": os.pathsep.join([str(Path(node).parent), os.environ["PATH"]])}
    subprocess.run([npm, *CI], cwd=into, env=environment, check=True)  # noqa: S603 - fixed arguments
    done.write_text(node, encoding="utf-8")


if __name__ == "__main__":
    main()
