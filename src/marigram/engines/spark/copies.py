"""A copy of a bucket's records on the disk of the machine that judges it, so that few of them need be asked of Spark.

The state that counts lies in Spark's store, and every page that is asked of it costs about a millisecond. What a worker
has read or written it keeps beside: records as they are, in a file that all workers of the machine may map, and the
bucket's names. A copy says which version of the state it is of; a version is a random word that is written with every
change of the state. If a batch failed, was judged elsewhere or was rolled back, the version differs and the copy counts
for nothing. The head, with the version, is removed before anything is changed, and comes last. A copy that another
worker has in hand is left alone.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from marigram.fleet.records import Words

Names = list[tuple[int, bytes]]


class _Head(msgspec.Struct, frozen=True):
    """What a copy is of, and which pages it has."""

    version: bytes
    loaded: bytes


class Copy:
    """Records of a bucket by key number, and which pages of them are here.

    Parameters
    ----------
    folder
        Where it lies; None: in memory, for one batch.
    width
        8-byte words of a record.
    size
        Records of a page.

    Attributes
    ----------
    loaded
        (pages,) whether a page is here.
    words
        (records, width).
    """

    def __init__(self, folder: Path | None, width: int, size: int) -> None:
        self._folder, self._width, self._size = folder, width, size
        self.loaded = np.zeros(0, np.bool_)
        self.words: Words = np.zeros((0, width), np.uint64)

    @property
    def lasts(self) -> bool:
        """Whether it is there for the next batch."""
        return self._folder is not None

    def taken_up(self, version: bytes) -> bool:
        """Take up what is here, and whether it is of this version; a copy of another one begins anew."""
        if self._folder is None:
            return False
        head = self._folder / "head"
        try:
            found = msgspec.msgpack.decode(head.read_bytes(), type=_Head)
        except (FileNotFoundError, msgspec.MsgspecError):
            found = None
        head.unlink(missing_ok=True)
        if found is None or found.version != version:
            return False
        self.loaded = np.frombuffer(found.loaded, np.bool_).copy()
        self._map(len(self.loaded))
        return True

    def names(self) -> Names:
        """Return the pages of names of the copy that was taken up."""
        content = (self._home() / "names").read_bytes()
        return msgspec.msgpack.decode(content, type=list[tuple[int, bytes]])

    def keep_names(self, names: Names) -> None:
        """Replace the pages of names."""
        (self._home() / "names").write_bytes(msgspec.msgpack.encode(names))

    def extend(self, pages: int) -> None:
        """Make room for so many pages; new ones are not loaded."""
        if pages > len(self.loaded):
            self.loaded = np.concatenate([self.loaded, np.zeros(pages - len(self.loaded), np.bool_)])
            self._map(pages)

    def finish(self, version: bytes) -> None:
        """Say which version of the state this is a copy of now."""
        head = self._home() / "head"
        new = head.with_suffix(".new")
        new.write_bytes(msgspec.msgpack.encode(_Head(version, self.loaded.tobytes())))
        new.replace(head)

    def _map(self, pages: int) -> None:
        shape = (pages * self._size, self._width)
        if self._folder is None:
            self.words = np.zeros(shape, np.uint64)
            return
        with (self._folder / "records").open("ab") as file:
            file.truncate(shape[0] * shape[1] * 8)
        if pages:
            self.words = np.memmap(self._folder / "records", np.uint64, "r+", shape=shape)

    def _home(self) -> Path:
        if self._folder is None:
            raise ValueError("a copy in memory has no files")
        return self._folder


@contextmanager
def copy_of(root: Path | None, bucket: bytes, width: int, size: int) -> Iterator[Copy]:
    """Have a bucket's copy in hand; one in memory if there is no folder, or another worker has it."""
    folder = None if root is None else root / bucket.hex()
    if folder is None:
        yield Copy(None, width, size)
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("ab") as lock:
        yield Copy(folder if _locked(lock) else None, width, size)


def folder_of_spark() -> Path | None:
    """Return the folder of this executor, which it removes when it ends; None outside of Spark."""
    told = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0]
    return Path(told) / "marigram" if told and os.path.isdir(told) else None


def _locked(file: Any) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


__all__ = ["Copy", "Names", "copy_of", "folder_of_spark"]
