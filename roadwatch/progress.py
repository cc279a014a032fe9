"""Progress on a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from roadwatch.context import errors


@contextmanager
def downloads(what: str) -> Iterator[Callable[[int, int], None]]:
    """A callback for bytes done and bytes in all, drawn as a bar that appears with the first call."""
    with _bars(DownloadColumn()) as progress:
        task = progress.add_task(f"Fetching {what}", total=None, visible=False)
        yield lambda done, total: progress.update(task, completed=done, total=total, visible=True)


@contextmanager
def counted() -> Iterator[Callable[[str, int, int], None]]:
    """A callback for what is done, how many of it are done and how many there are: a bar for each."""
    tasks: dict[str, TaskID] = {}
    with _bars(MofNCompleteColumn()) as progress:

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, total=total)

        yield report


def _bars(amount: ProgressColumn) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    return Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)
