"""Memory that is free goes back to the system: a body of broken lines becomes many small objects for a moment.

The allocator of glibc gives each thread a heap of its own and keeps what was freed between two objects that stay; after
a gigabyte of such bodies that is more than everything else.  One heap for all, large buffers outside of it, and
``malloc_trim`` after a rush keep it small.  With another C library none of that is done.

An error that was kept in a variable of its own frame holds the frames it went through, and with them the body, until
the collector comes; and a process that starts fast lets it come seldom.  So it is called after a rush, too, for the
young objects alone: those that stay, such as the keys of a large fleet, are not gone through each second.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
from typing import Any, Final

_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1
"""Numbers of ``mallopt``."""
_LARGE: Final = 1 << 18
"""Bytes from which a buffer is one of its own."""
_SECONDS: Final = 1.0
_MUCH: Final = 1 << 20
"""Bytes of bodies after which memory is given back."""
_YOUNG: Final = 1
"""The generation up to which the collector goes then."""


def one_heap() -> None:
    """Let all threads share one heap; before they begin."""
    mallopt = _libc("mallopt")
    if mallopt is not None:
        for number, value in ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, _LARGE), (_TRIM_THRESHOLD, 16 * _LARGE)):
            mallopt(number, value)


class Heap:
    """Counts what was read, and gives memory back now and then."""

    def __init__(self) -> None:
        self._since = 0

    def read(self, count: int) -> None:
        """Take note of so many bytes that were read."""
        self._since += count

    async def kept_small(self) -> None:
        """Give back what is free, at most once a second; until it is cancelled."""
        trim = _libc("malloc_trim")
        while True:
            await asyncio.sleep(_SECONDS)
            if self._since >= _MUCH:
                self._since = 0
                gc.collect(_YOUNG)
                if trim is not None:
                    await asyncio.to_thread(trim, 0)  # the other threads go on meanwhile


def _libc(name: str) -> Any:
    """Return a function of the C library, or None."""
    return getattr(ctypes.CDLL(None), name, None)


__all__ = ["Heap", "one_heap"]
