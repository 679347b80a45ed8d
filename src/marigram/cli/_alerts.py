"""Alerts on standard output: one readable line each for people, one JSON object each for programs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from marigram.cli._errors import naming
from marigram.cli._options import Told
from marigram.kinds import Kind
from marigram.verdicts import Verdicts, alert_line

_BULK = 1000
"""From so many rows on, the column-wise writer is worth loading."""
_WIDE = 110
"""Columns of a terminal that show a whole alert; on a narrower one it goes over two lines rather than lose its end."""


def told_rows(verdicts: Verdicts, told: Told) -> NDArray[np.intp]:
    """Numbers of the rows that people are told of: notices and drifts, or also every other anomaly."""
    kinds = [Kind.DRIFT] if told is Told.NOTICES else [Kind.DRIFT, Kind.ANOMALY]
    return np.flatnonzero(verdicts["notice"] | np.isin(verdicts["kind"], kinds))


class Alerts:
    """Prints what people are to be told, batch by batch.

    Parameters
    ----------
    stream
        Where to; its `buffer` takes the JSON.
    told
        Which verdicts are alerts.
    everything
        Print all verdicts; what counts as an alert stays the same.
    human
        Lines for people rather than JSON.
    before
        Called before anything is printed, to make room on the terminal.

    Attributes
    ----------
    names
        Names of the coordinates when events have several.
    count, kinds
        How many alerts were told, and of which kinds.
    """

    def __init__(
        self,
        stream: TextIO,
        told: Told,
        human: bool,
        everything: bool = False,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        self._stream = stream
        self._told = told
        self._human = human
        self._everything = everything
        self._before = before
        self._colour = human and stream.isatty() and not os.environ.get("NO_COLOR")
        self.names: Sequence[str] | None = None
        self.count = 0
        self.kinds: set[Kind] = set()

    def take(self, verdicts: Verdicts) -> None:
        """Print the alerts of one batch."""
        rows = told_rows(verdicts, self._told)
        self.count += len(rows)
        self.kinds.update(Kind(code) for code in np.unique(verdicts["kind"][rows]))
        if self._everything or len(rows):
            self._print(verdicts if self._everything else verdicts[rows])

    def _print(self, chosen: Verdicts) -> None:
        self._before()
        with naming("standard output"):
            if self._human:
                self._stream.write(self._lines(chosen))
                self._stream.flush()
            else:
                self._stream.buffer.write(_objects(chosen))
                self._stream.buffer.flush()

    def _lines(self, chosen: Verdicts) -> str:
        columns = shutil.get_terminal_size((0, 0)).columns if self._stream.isatty() else 0
        width = columns if columns >= _WIDE else 0
        return "".join(
            f"{alert_line(verdict, width, self._colour, names=self.names)}\n" for verdict in chosen
        )


def _objects(chosen: Verdicts) -> bytes:
    if len(chosen) >= _BULK:
        return chosen.json_lines()
    return b"".join(verdict.to_json() + b"\n" for verdict in chosen)


__all__ = ["Alerts", "told_rows"]
