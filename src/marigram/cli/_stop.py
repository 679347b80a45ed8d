"""Ctrl-C and SIGTERM, honoured between two batches: never while a batch is half judged and half written.

A batch changes the state, the out file and the counters, in this order; stopping in the middle would leave them telling
different stories. So a signal that comes during the work is remembered, and one that comes while the source waits for
input ends the wait. A second signal does not wait for anything.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType
from typing import Any, TypeVar

T = TypeVar("T")


class Stop:
    """Context manager that takes over both signals; `code` is the exit code afterwards, 0 when none came.

    Use it in the main thread only, which is where Python delivers signals.
    """

    def __init__(self) -> None:
        self.code = 0
        self._waiting = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Stop:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def over(self, source: Iterable[T]) -> Iterator[T]:
        """Yield what `source` yields until it ends or a signal comes."""
        items = iter(source)
        while not self._told():
            try:
                self._waiting = True
                if self._told():  # the signal came just before
                    return
                item = next(items)
                self._waiting = False
            except (StopIteration, KeyboardInterrupt):
                return
            finally:
                self._waiting = False
            yield item

    def _told(self) -> bool:
        return self.code != 0

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        again = self._told()
        self.code = 128 + number
        if self._waiting or again:
            raise KeyboardInterrupt


__all__ = ["Stop"]
