"""A bar for what takes a while, on standard error, where somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from wattbook.cli.show import console


@contextmanager
def progress(what: str, total: float = 1.0) -> Iterator[Callable[[float], None]]:
    """Yield what is told how much of `total` is done."""
    err = console(stderr=True)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
        console=err, transient=True, disable=not err.is_terminal,
    ) as shown:  # fmt: skip
        task = shown.add_task(what, total=total or 1.0)
        yield lambda done: shown.update(task, completed=done)
