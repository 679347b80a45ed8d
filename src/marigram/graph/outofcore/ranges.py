"""Scores of all nodes, range by range, each written once: a run that was killed goes on, several share the work.

The folder holds ``about.json``, which says of which model and graph the scores are, and a file for each range of
nodes, put in place whole. Scoring a range again gives the same file, so it does not matter who did it, or whether
twice.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self, final

import msgspec
import numpy as np
from numpy.typing import NDArray

from marigram import snapshots
from marigram.errors import ParameterError, SnapshotError
from marigram.graph.data import EdgeTable, Graph, NodeTable

if TYPE_CHECKING:
    from marigram.graph.detectors.detector import NodeDetector

ROWS: Final = 1 << 17
"""Nodes of a range."""
_KIND = "scores"
_ABOUT = "about.json"
_LOOKED_AT = 1 << 14
"""Rows of each column by which a graph is known again."""
Doubles = NDArray[np.float64]


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which scores a folder holds."""

    model: str
    graph: str
    which: str
    node_type: str
    count: int
    rows: int


@final
class RangeScores:
    """The scores of one graph by one model, as far as they are there.

    Parameters
    ----------
    folder
        Made when it does not exist.
    detector
        Fitted or loaded.
    graph
        To be scored; it may be mapped from a file.
    which
        As for :meth:`NodeDetector.score`.
    rows
        Nodes of a range, from 1.

    Raises
    ------
    ParameterError
        The folder holds scores by another model, of another graph or in other ranges, or ``rows`` is not from 1.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from marigram import graph as mgg
    >>> values = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)
    >>> accounts = mgg.NodeTable.bare(1000).with_attributes(mgg.Columns.of_numbers(values))
    >>> data = mgg.Graph(nodes={"account": accounts}, edges={})
    >>> model = mgg.NodeDetector("unsupervised", hops=1, node_type="account").fit(data)
    >>> scores = RangeScores(tempfile.mkdtemp(), model, data, rows=300)
    >>> _ = scores.run()
    >>> scores.missing, bool(np.array_equal(scores.gathered(), model.score(data)))
    ([], True)
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        detector: NodeDetector,
        graph: Graph,
        *,
        which: Literal["best", "graph", "control"] = "best",
        rows: int = ROWS,
    ) -> None:
        if type(rows) is not int or rows < 1:
            raise ParameterError(f"rows must be an integer of at least 1, got {rows!r}")
        self.folder, self._detector, self._graph = Path(folder), detector, graph
        self.about = About(
            detector.fingerprint(which), fingerprint(graph), which, detector.node_type,
            graph.nodes[detector.node_type].count, rows,
        )  # fmt: skip
        self.folder.mkdir(parents=True, exist_ok=True)
        _check(self.folder / _ABOUT, self.about)

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """Where each range begins and ends."""
        return [
            (start, min(start + self.about.rows, self.about.count))
            for start in range(0, self.about.count, self.about.rows)
        ]

    @property
    def missing(self) -> list[tuple[int, int]]:
        """The ranges that are not there yet."""
        return [(start, stop) for start, stop in self.ranges if not self._path(start, stop).exists()]

    def run(
        self, number: int = 1, of: int = 1, *, tell: Callable[[int, int], None] = lambda *_: None
    ) -> Self:
        """Score what is missing, or of it the share of process ``number``, from 1, ``of`` several.

        Parameters
        ----------
        tell
            Called with the end of each range and the number of nodes.
        """
        if not 1 <= number <= of:
            raise ParameterError(f"a process has a number from 1 to {of}, got {number}")
        which: Any = self.about.which
        for start, stop in self.ranges[number - 1 :: of]:
            if not self._path(start, stop).exists():
                scores = self._detector.score_rows(self._graph, start, stop, which)
                self._write(start, stop, scores)
            tell(stop, self.about.count)
        return self

    def pieces(self) -> Iterator[tuple[int, Doubles]]:
        """Yield the beginning and the scores of each range, in order.

        Raises
        ------
        SnapshotError
            A range is not there, or its file is not as it was written.
        """
        for start, stop in self.ranges:
            meta, arrays = snapshots.load(self._path(start, stop), _KIND)
            scores = arrays.get("scores")
            told = (meta.get("first"), meta.get("model"), meta.get("graph"))
            if scores is None or scores.shape != (stop - start,) or told != (start, *self._owner):
                raise SnapshotError(f"{self._path(start, stop)} holds other scores")
            yield start, scores

    def gathered(self) -> Doubles:
        """Return all scores in the order of the source, as :meth:`NodeDetector.score`: float64 (N,)."""
        whole = np.empty(self.about.count)
        for start, scores in self.pieces():
            whole[start : start + len(scores)] = scores
        return np.asarray(self._graph.flat({self.about.node_type: whole}))

    @property
    def _owner(self) -> tuple[str, str]:
        return self.about.model, self.about.graph

    def _path(self, start: int, stop: int) -> Path:
        return self.folder / f"scores-{start:012d}-{stop:012d}.mg"

    def _write(self, start: int, stop: int, scores: Doubles) -> None:
        model, graph = self._owner
        meta = {"first": start, "model": model, "graph": graph}
        snapshots.save(self._path(start, stop), _KIND, meta, {"scores": scores})


def fingerprint(graph: Graph) -> str:
    """Return what a graph is known by: its types and counts, and some thousand evenly spread rows of each column."""
    digest = hashlib.blake2b(digest_size=16)
    tables: list[tuple[Any, NodeTable | EdgeTable]] = [*graph.nodes.items(), *graph.edges.items()]
    for kind, table in tables:
        digest.update(repr((kind, table.count)).encode())
        rows = np.unique(
            np.linspace(0, max(table.count - 1, 0), min(_LOOKED_AT, table.count)).astype(np.int64)
        )
        some = table.take(rows)
        columns = [some.attributes.numeric, some.attributes.codes, some.attributes.text, some.time]
        columns += [getattr(some, "src", None), getattr(some, "dst", None)]
        for column in columns:
            digest.update(b"-" if column is None else np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


def _check(path: Path, about: About) -> None:
    """Say whose scores the folder is to hold; refuse one that holds others."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=About)
    except FileNotFoundError:
        snapshots.replace_file(path, lambda sink: sink.write(msgspec.json.encode(about)))
        return
    except msgspec.MsgspecError as error:
        raise SnapshotError(f"{path} is damaged: {error}") from error
    other = [name for name in About.__struct_fields__ if getattr(found, name) != getattr(about, name)]
    if other:
        told = ", ".join(f"{name} was {getattr(found, name)}, is {getattr(about, name)}" for name in other)
        raise ParameterError(f"{path.parent} holds other scores: {told}")


__all__ = ["ROWS", "RangeScores", "fingerprint"]
