"""What a long piece of work is at, on stderr of a terminal, with the time it has taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def steps(count: int, *, shown: bool) -> Iterator[Callable[[str], None]]:
    """Give a function to call at the beginning of each of `count` steps; it shows a bar when `shown`."""
    if not shown:
        yield lambda step: None  # noqa: ARG005 - nobody looks
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}")
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=count)
        begun = False

        def tell(step: str) -> None:
            nonlocal begun
            bar.update(task, description=step, advance=1 if begun else 0)
            begun = True

        yield tell


__all__ = ["steps"]
