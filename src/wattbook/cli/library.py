"""Which models a command knows: those that wattbook has, and a folder of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wattbook.profiles import Library

FolderOption = Annotated[Path | None, typer.Option("--profiles", help="A folder with models of one's own.")]


def library_of(folder: Path | None) -> Library:
    """The models that come with wattbook, and those of the folder."""
    return Library([folder] if folder else [])
