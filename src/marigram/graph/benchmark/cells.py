"""What is kept of a benchmark while it runs: one line of JSON for each cell, so that a run that was killed goes on.

A cell is one competitor on one split. It is known by the set, a digest of the graph, the labels, the run and the
competitor; a line that was cut off is measured again.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np

from marigram.errors import InputError
from marigram.graph.data import Graph


class Key(NamedTuple):
    """What a cell is known by."""

    set: str
    graph: str
    labels: str
    run: int
    competitor: str


Cell = dict[str, Any]
"""``rows``: name -> figures and seconds; ``reason`` when it did not run; of ours also verdict and validation."""


@final
class Cells:
    """The cells that are known; in a file when one is named.

    Parameters
    ----------
    path
        JSON Lines, made when it is not there.

    Raises
    ------
    InputError
        A whole line of the file is not a cell.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._known: dict[Key, Cell] = {}
        if self.path is not None and self.path.exists():
            self._read(self.path)

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: Key) -> Cell | None:
        """Return a cell, None when it was not measured yet."""
        return self._known.get(key)

    def put(self, key: Key, cell: Cell) -> None:
        """Keep a cell; when this returns it is on the disk."""
        self._known[key] = cell
        if self.path is None:
            return
        with self.path.open("ab") as sink:
            sink.write(json.dumps(key._asdict() | {"cell": cell}, allow_nan=False).encode() + b"\n")
            sink.flush()
            os.fsync(sink.fileno())

    def _read(self, path: Path) -> None:
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        for number, line in enumerate(content[:whole].splitlines()):
            try:
                told = json.loads(line)
                cell = dict(told.pop("cell"))
                self._known[Key(**told)] = cell
            except (ValueError, TypeError, AttributeError, KeyError) as error:
                raise InputError(number, f"{path} is not what a benchmark keeps: {error}") from error
        if whole < len(content):
            with path.open("r+b") as sink:
                sink.truncate(whole)


def digest(graph: Graph) -> str:
    """Return 16 hexadecimal digits that change with any attribute, label, edge or time of a graph."""
    found = hashlib.sha256()
    for name, nodes in graph.nodes.items():
        found.update(name.encode())
        for array in (nodes.labels, nodes.splits, nodes.time, *_attributes(nodes.attributes)):
            _add(found, array)
    for kind, edges in graph.edges.items():
        found.update("\0".join(kind).encode())
        for array in (edges.src, edges.dst, edges.time, *_attributes(edges.attributes)):
            _add(found, array)
    return found.hexdigest()[:16]


def _attributes(columns: Any) -> tuple[Any, ...]:
    return columns.numeric, columns.codes, columns.text


def _add(found: Any, array: Any) -> None:
    if array is None:
        found.update(b"nothing")
        return
    found.update(repr((array.shape, array.dtype.str)).encode())
    found.update(np.ascontiguousarray(array).data)


__all__ = ["Cell", "Cells", "Key", "digest"]
