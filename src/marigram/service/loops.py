"""The loops beside a service's tenants, as routes and pages see them: one object a folder, one question at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from marigram.bridge.loop.context import AlertContext
from marigram.bridge.loop.contexts import Contexts
from marigram.bridge.loop.folder import LoopFolder
from marigram.bridge.loop.loop import Loop

T = TypeVar("T")

FOLDER: Final = "loop"
"""Within the folder of the service."""
_OPEN: Final[dict[Path, tuple[Loop, Contexts]]] = {}
_LOCK: Final = threading.Lock()


def answer_of(state: Path, question: Callable[[Loop], T]) -> T | None:
    """Return a loop's answer to a question; None where none was begun in a folder, or it has no events."""
    with _LOCK:
        found = _opened(state / FOLDER)
        return None if found is None else question(found[0])


def contexts_of(state: Path, events: Sequence[str]) -> list[AlertContext | None]:
    """Return what a folder's loop knows of events; None of those that it has not taken, and where there is no loop."""
    with _LOCK:
        found = _opened(state / FOLDER)
        return [None] * len(events) if found is None else found[1].of(events)


def _opened(folder: Path) -> tuple[Loop, Contexts] | None:
    held = LoopFolder(folder)
    if not held.exists or not held.index().parts:
        return None
    if folder not in _OPEN:
        loop = Loop(folder)
        _OPEN[folder] = loop, Contexts(loop)
    return _OPEN[folder]


__all__ = ["FOLDER", "answer_of", "contexts_of"]
