"""A folder that one process holds, until it ends however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from marigram.errors import ParameterError


def hold(folder: Path) -> int:
    """Make the folder and hold it; returns the descriptor whose closing lets it go.

    Raises
    ------
    ParameterError
        Another process holds it, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ParameterError(f"{folder} cannot hold a state: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "?"
        os.close(descriptor)
        raise ParameterError(f"{folder} is in use by process {holder}") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def refuse_foreign(folder: Path, pattern: str, whose: str) -> None:
    """Raise ParameterError if the folder holds the state of another command, told by files of that pattern."""
    if next(folder.glob(pattern), None) is not None:
        raise ParameterError(f"{folder} holds the state of `{whose}`: give another folder")


__all__ = ["hold", "refuse_foreign"]
