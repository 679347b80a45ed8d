"""Memory that is free goes back to the system: a body of broken lines becomes many small objects for a moment.

The allocator of glibc keeps what was freed between two objects that stay, and after a gigabyte of such bodies that is
more than everything else.  ``malloc_trim`` gives it back; where there is none, nothing is done.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Final

_EVERY: Final = 1 << 24
"""Bytes of bodies after which it is done."""


class Heap:
    """Counts what was read, and gives memory back now and then.

    Parameters
    ----------
    every
        Bytes between two times.
    trim
        Gives memory back; what the C library offers unless it is given.
    """

    def __init__(self, every: int = _EVERY, trim: Callable[[], object] | None = None) -> None:
        self._every, self._trim = every, trim or _trim
        self._since = 0

    def read(self, count: int) -> None:
        """Take note of so many bytes that were read."""
        self._since += count
        if self._since >= self._every:
            self._since = 0
            self._trim()


def _trim() -> None:
    """Give back what is free; the other threads go on meanwhile."""
    malloc_trim: Any = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)


__all__ = ["Heap"]
