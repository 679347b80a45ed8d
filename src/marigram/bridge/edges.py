"""A fast stream of edges: how unusual is it that this source reaches this target so often, now."""

from __future__ import annotations

import os
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from marigram.bridge.kernels.rates import HISTORY, score_edges
from marigram.bridge.streams.codes import Codebook, packed, unpacked
from marigram.bridge.streams.saving import load_state, save_state
from marigram.bridge.streams.tables import LEAST_KEPT, OpenTable, grown, histories, stretches
from marigram.errors import ParameterError

__all__ = ["EdgeScores", "EdgeStream"]

Array = NDArray[Any]
_KIND = "edge stream"
_STRETCH = 1 << 16
ENDS = ("source", "target", "pair")
"""Whose count an edge may be unusual by."""


class EdgeScores(NamedTuple):
    """Of n edges."""

    score: NDArray[np.float64]
    """(n,) -log of Cantelli's bound on the probability of so many, in nats; 0 where there are no more than usual."""
    strongest: NDArray[np.int8]
    """(n,) by whose count: 0 the source's, 1 the target's, 2 the pair's; see ``ENDS``."""


class EdgeStream:
    """Scores edges by the counts of source, target and pair against their own drifting histories.

    Parameters
    ----------
    tick
        What times are counted by, in their unit, at least 1.
    half_life
        Ticks, from 10 to 10^7, in which a history forgets half; the default is about a week of minutes.
    keys
        ``str`` for hosts with names, ``int`` for hosts that are numbers from 0 to 2^31 - 2 without large gaps.
    most_pairs
        Pairs that are remembered, at least 1000; past it those touched longest ago are forgotten, and are new when
        they come again. So many take about 235 MB at most.

    Raises
    ------
    ParameterError
        A setting is outside its range.

    Examples
    --------
    >>> minutes = np.repeat(np.arange(100), 2)
    >>> stream = EdgeStream(tick=1, keys=int)
    >>> calm = stream.update(np.tile([0, 1], 100), np.tile([2, 3], 100), minutes)
    >>> flood = stream.update(np.zeros(50, int), np.full(50, 2), np.full(50, 100))
    >>> float(calm.score[-1]) < 1 < 5 < float(flood.score[-1])
    True
    """

    def __init__(
        self, *, tick: int = 1, half_life: float = 7000.0, keys: type = str, most_pairs: int = 1_500_000
    ) -> None:
        if tick < 1:
            raise ParameterError(f"tick must be at least 1, not {tick}")
        if not 10 <= half_life <= 1e7:
            raise ParameterError(f"half_life must lie in 10 .. 1e7 ticks, not {half_life}")
        if keys not in (str, int):
            raise ParameterError(f"keys must be str or int, not {keys!r}")
        if most_pairs < LEAST_KEPT:
            raise ParameterError(f"most_pairs must be at least {LEAST_KEPT}, not {most_pairs}")
        self.tick, self.half_life, self.most_pairs = tick, half_life, most_pairs
        self._named = keys is str
        self._book = Codebook()
        self._hosts = [np.zeros(1024, HISTORY), np.zeros(1024, HISTORY)]
        self._pairs = OpenTable(history=(HISTORY, ()))
        self._clock, self._seen = np.zeros(1, np.int64), np.zeros(1, np.int64)

    def update(self, source: Any, target: Any, time: ArrayLike) -> EdgeScores:
        """Score n edges, then learn each; a late one counts as if it came with the edge before it.

        Parameters
        ----------
        source, target
            (n,) names (Arrow, lists, arrays of texts) or numbers, as ``keys`` says.
        time
            (n,) whole numbers.

        Raises
        ------
        ParameterError
            Columns of different lengths, or a host that is missing or no such number.
        """
        times = np.asarray(time)
        if times.ndim != 1 or times.dtype.kind not in "iu":
            raise ParameterError(f"time must be whole numbers (n,), not {times.dtype} of shape {times.shape}")
        ends = [
            self._codes(name, column, len(times)) for name, column in (("source", source), ("target", target))
        ]
        ticks = np.maximum.accumulate(np.concatenate([self._clock, times // self.tick]))[1:]
        self._clock[:] = ticks[-1:] if len(ticks) else self._clock
        self._hosts = [
            grown(hosts, int(codes.max(initial=0)) + 1)
            for hosts, codes in zip(self._hosts, ends, strict=True)
        ]
        score, strongest = np.empty(len(ticks)), np.empty(len(ticks), np.int8)
        step = float(np.log(2.0)) / self.half_life
        for part, begins in stretches(int(self._seen[0]), len(ticks), _STRETCH):
            if begins:
                self._pairs.forget(self.most_pairs, self._pairs["history"]["tick"])
            self._pairs.room(len(ticks[part]))
            score_edges(
                ends[0][part], ends[1][part], ticks[part], step, self._hosts[0], self._hosts[1],
                self._pairs.keys, self._pairs["history"], score[part], strongest[part],
            )  # fmt: skip
        self._seen += len(ticks)
        return EdgeScores(score, strongest)

    @property
    def pairs(self) -> int:
        """Pairs that are remembered; each takes about 120 bytes."""
        return len(self._pairs)

    @property
    def forgotten(self) -> int:
        """Pairs that were forgotten for others."""
        return self._pairs.forgotten

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the whole state to one checksummed file; never pickle."""
        settings = {"tick": self.tick, "half_life": self.half_life, "most_pairs": self.most_pairs}
        names = {f"names.{part}": array for part, array in packed(self._book.names).items()}
        hosts = {
            "sources": self._hosts[0],
            "targets": self._hosts[1],
            "clock": self._clock,
            "seen": self._seen,
        }
        meta = {"settings": settings, "named": self._named}
        save_state(path, _KIND, meta, hosts | names | self._pairs.arrays("pairs"))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the stream whose state was saved there.

        Raises
        ------
        SnapshotError
            The file is damaged or cut short, or of another kind or layout.
        """
        return load_state(path, _KIND, cls._made)

    @classmethod
    def _made(cls, meta: dict[str, Any], arrays: dict[str, Array]) -> Self:
        stream = cls(**meta["settings"], keys=str if meta["named"] else int)
        stream._book = Codebook(unpacked(arrays["names.bytes"], arrays["names.ends"]))
        stream._hosts = [histories(arrays["sources"]), histories(arrays["targets"])]
        stream._clock[...], stream._seen[...] = arrays["clock"], arrays["seen"]
        stream._pairs.put("pairs", arrays)
        return stream

    def _codes(self, name: str, column: Any, n: int) -> Array:
        """Codes of the ends of the edges."""
        if self._named:
            texts = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
            array = texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())
            codes = self._book.code(array.cast(pa.string()))
        else:
            numbers = np.asarray(column)
            if numbers.dtype.kind not in "iu":
                raise ParameterError(f"{name}: hosts are numbers here, not {numbers.dtype}")
            codes = np.ascontiguousarray(numbers, np.int64)
        if codes.shape != (n,):
            raise ParameterError(f"{name}: {codes.shape} hosts for {n} times")
        if n and not 0 <= int(codes.min()) <= int(codes.max()) < 2**31 - 1:
            raise ParameterError(f"{name}: a host is missing, or no number from 0 to 2^31 - 2")
        return codes
