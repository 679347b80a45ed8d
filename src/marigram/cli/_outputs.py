"""The files a run writes beside its alerts: verdicts in `--out`, unusable lines in `--rejects`.

Packing verdicts into a file takes as long as judging them. Large batches are therefore written by a thread of their
own while the next ones are judged, a few at most ahead; whatever asks where the files stand waits for it.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from marigram.cli._errors import naming
from marigram.engines.kafka.reader import is_address
from marigram.errors import ParameterError
from marigram.events import Reject
from marigram.events.sinks import RejectSink, Sink, open_rejects, open_sink
from marigram.verdicts import Verdicts

S = TypeVar("S")
_TABLES = frozenset((".parquet", ".pq", ".arrow", ".feather", ".ipc"))
"""Files that cannot be read before they are complete."""
_AHEAD = 3
"""Batches that wait to be written."""
_LARGE = 4096
"""Rows from which a batch is written while the next is judged; those of a slow stream are written at once."""
_EVERY = 0.2
"""Seconds between two times that a slow stream's rows are handed to whoever reads the file."""


class Outputs:
    """Both files, as far as they were asked for.

    Parameters
    ----------
    out, rejects
        Paths; None for none.
    stood
        What `settle` returned in the run that is resumed; a file that is not in it begins anew.
    resumable
        Whether there will be a state to resume from.
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        out: Path | None,
        rejects: Path | None,
        stood: Mapping[str, Any],
        resumable: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._paths = {"out": out, "rejects": rejects}
        self._stood = stood
        self._clock = clock
        self._last = clock()
        self._dirty = False
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="verdicts")
        self._waiting: deque[Future[None]] = deque()
        self._out: Sink | None = None
        self._rejects: RejectSink | None = None
        if out is not None:
            self._out = _usable("--out", out, lambda: _sink(out, self._start("out"), resumable))
        if rejects is not None:
            start = self._start("rejects")
            self._rejects = _usable("--rejects", rejects, lambda: open_rejects(rejects, start=start))
        self._is_text = out is None or out.suffix.lower() not in _TABLES

    @property
    def wanted(self) -> bool:
        """Whether verdicts are written anywhere."""
        return self._out is not None

    def write(self, verdicts: Verdicts, rejects: Sequence[Reject]) -> None:
        """Add one batch."""
        if self._out is not None and len(verdicts):
            later = (
                len(verdicts) >= _LARGE and str(self._paths["out"]) != "-"
            )  # alerts stand between its rows
            self._wait(_AHEAD if later else 0)
            if later:
                self._waiting.append(self._writer.submit(self._out.write, verdicts))
            else:
                with naming(self._paths["out"]):
                    self._out.write(verdicts)
            self._dirty = True
        if self._rejects is not None and rejects:
            with naming(self._paths["rejects"]):
                self._rejects.write(rejects)
            self._dirty = True

    def show(self) -> None:
        """Let readers of the files see what was written, if that was not done a moment ago."""
        now = self._clock()
        if self._dirty and self._is_text and now - self._last >= _EVERY:
            self.settle()
            self._last = now

    def settle(self) -> dict[str, Any]:
        """Put everything on the disk; return where the files stand, as JSON."""
        self._wait(0)
        self._dirty = False
        stood = {}
        for name, sink in self._sinks():
            with naming(self._paths[name]):
                stood[name] = {"path": _place(self._paths[name]), "at": sink.flush()}
        return stood

    def close(self) -> None:
        """Complete both files."""
        self._wait(0)
        self._writer.shutdown()
        for name, sink in self._sinks():
            with naming(self._paths[name]):
                sink.close()

    def _wait(self, most: int) -> None:
        """Wait until at most so many batches are still to be written; what one failed of is raised here."""
        with naming(self._paths["out"]):
            while len(self._waiting) > most:
                self._waiting.popleft().result()

    def _sinks(self) -> Iterator[tuple[str, Sink | RejectSink]]:
        if self._out is not None:
            yield "out", self._out
        if self._rejects is not None:
            yield "rejects", self._rejects

    def _start(self, name: str) -> Any:
        stood = self._stood.get(name)
        return stood["at"] if stood is not None and stood["path"] == _place(self._paths[name]) else None


def _place(path: Path | None) -> str:
    """What a file or topic is known by in another folder, too."""
    return str(path) if is_address(path) else os.path.abspath(str(path))


def _sink(out: Path, start: Any, resumable: bool) -> Sink:
    if is_address(out):
        from marigram.engines.kafka.sink import KafkaSink

        return KafkaSink(str(out), start=start)
    return open_sink(out, start=start, resumable=resumable)


def _usable(option: str, path: Path, opened: Callable[[], S]) -> S:
    try:
        return opened()
    except FileNotFoundError as error:
        folder = path.absolute().parent
        what = (
            "is gone; the run that is resumed had written to it"
            if folder.is_dir()
            else f"there is no folder {folder}"
        )
        raise ParameterError(f"{option} {path}: {what}") from error
    except OSError as error:
        raise ParameterError(f"{option} {path}: {error.strerror}") from error


__all__ = ["Outputs"]
