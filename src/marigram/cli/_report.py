"""What is told on stderr beside the alerts: how columns are read, what was rejected, how far it is, the summary."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from marigram.cli._errors import say
from marigram.cli._rejected import RejectTeller
from marigram.events import Reject, Source

if TYPE_CHECKING:
    from rich.progress import Progress

    from marigram.cli._totals import Summary
    from marigram.engines.kafka.source import KafkaSource

_LONG_WORK = 1.0
"""Seconds after which a person wants to see that it moves."""
_BETWEEN = 0.1


class Report:
    """Tells a person, or with `json` a program, how a run goes; with `quiet` nothing.

    Parameters
    ----------
    quiet, json
        As the options of the same name.
    size
        Bytes of text to read, for the progress bar; None when unknown.
    clock
        Seconds that never go back.
    """

    def __init__(
        self, quiet: bool, json: bool, size: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._quiet = quiet
        self._json = json
        self._size = size
        self._clock = clock
        self._start = self._last = clock()
        self._teller = RejectTeller()
        self._bar: Progress | None = None
        self._shown = not quiet and sys.stderr.isatty()

    def inferred(self, source: Source | KafkaSource) -> None:
        """Say which column was taken for what and why, and the TOML that fixes it."""
        if self._quiet or not source.reasons:
            return
        for reason in source.reasons:
            say(reason)
        say("to fix this, keep the following in a file and give it with --schema:")
        sys.stderr.write(source.schema.to_toml())
        sys.stderr.flush()

    def rejected(self, rejects: Sequence[Reject]) -> None:
        """Say which lines could not be used and why."""
        if not self._quiet:
            for sentence in self._teller.sentences(rejects):
                self.note(sentence)

    def note(self, sentence: str) -> None:
        """Say one thing that people should know."""
        if not self._quiet:
            self.hide()
            say(sentence)

    def moved(self, rows: int, position: int | None) -> None:
        """Move the progress bar, once the work is long: `rows` judged, `position` of the bytes read."""
        now = self._clock()
        if not self._shown or now - self._start < _LONG_WORK or now - self._last < _BETWEEN:
            return
        self._last = now
        if self._bar is None:
            self._bar = _progress_bar(None if position is None else self._size)
        rate = rows / (now - self._start)
        self._bar.update(
            self._bar.task_ids[0], completed=position, told=f"{rows:,} events, {rate:,.0f} a second"
        )
        self._bar.start()
        self._bar.refresh()

    def hide(self) -> None:
        """Take the bar away, so that something can be printed in its place."""
        if self._bar is not None:
            self._bar.stop()

    def summary(self, summary: Summary) -> None:
        """Tell the end."""
        self.hide()
        if self._json:
            sys.stderr.write(msgspec.json.encode(summary.as_object()).decode() + "\n")
        elif not self._quiet:
            say(str(summary))


def _progress_bar(size: int | None) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    bar.add_task("watching", total=size, told="")
    return bar


__all__ = ["Report"]
