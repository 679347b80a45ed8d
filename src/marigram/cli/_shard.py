"""One of several processes that share a stream: which keys are its own, and where it keeps what it writes.

A key belongs to one of 4,096 virtual buckets, for ever, and a process to a range of them. Every process reads the
whole source, so that lateness and silence are measured against the same clock as in one process alone, and judges
its own keys; keys do not influence each other, so all processes together give the verdicts that one would have
given. A topic of Kafka is shared out by its partitions instead, and nothing is read twice.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from marigram.errors import ParameterError
from marigram.events import Batch, KeyNames, Schema

BUCKETS: Final = 4096
"""Virtual buckets; never to be changed, because the states of runs depend on it."""
MOST: Final = 1024
_FOREIGN: Final = -1
_FORM = re.compile(r"(\d{1,4})/(\d{1,4})")


@dataclass(frozen=True)
class Shard:
    """Process ``number`` of ``count``, from 1.

    Examples
    --------
    >>> shard = Shard.parse("2/8")
    >>> shard.number, shard.count, str(shard)
    (2, 8, '2/8')
    >>> shard.beside(Path("out/day.csv.gz"))
    PosixPath('out/day.2-of-8.csv.gz')
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``2/8``; ``ParameterError`` unless it is I/N with I from 1 to N, and N at most 1,024."""
        match = _FORM.fullmatch(text.strip())
        number, count = (int(match[1]), int(match[2])) if match else (0, 0)
        if not 1 <= number <= count <= MOST:
            raise ParameterError(
                f"--shard {text!r}: write I/N, as in 2/8: this process is number I, from 1, of N, at most {MOST:,}"
            )
        return cls(number, count)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def beside(self, path: Path) -> Path:
        """Return the path of this process's own file where the user named one for all of them."""
        if str(path) == "-" or str(path).startswith("kafka:"):
            return path
        stem, dot, suffix = path.name.partition(".")
        return path.with_name(f"{stem}.{self.number}-of-{self.count}{dot}{suffix}")

    def owns(self, buckets: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for each bucket, from 0, whether it is in this process's range."""
        return np.asarray(buckets * self.count // BUCKETS == self.number - 1)

    def partitions(self, found: Sequence[int]) -> list[int]:
        """Return which of a topic's partitions this process reads: every ``count``-th one."""
        return sorted(found)[self.number - 1 :: self.count]

    def check(self, schema: Schema) -> None:
        """Raise ``ParameterError`` when there are no keys to share out."""
        if not schema.key:
            raise ParameterError(f"--shard {self}: no column is the key, so there is nothing to share out")


@final
class Sieve:
    """Takes out of batches what belongs to a process.

    Parameters
    ----------
    shard
        Whose; the first one also tells the lines that cannot be used, for these have no key.

    Attributes
    ----------
    names
        The process's own keys in the order of their first appearance, which the codes of :meth:`of` number: as many
        names as there are keys, one behind another, are looked up at once.
    """

    def __init__(self, shard: Shard) -> None:
        self.names: list[str] = []
        self._shard = shard
        self._all: KeyNames | None = None
        self._codes = np.zeros(0, np.int64)
        self._known = 0

    def of(self, batch: Batch) -> Batch:
        """Return a batch without the rows and rejects of other processes; its codes are those of :attr:`names`."""
        if batch.key_codes is None:
            raise ValueError("events without keys cannot be shared out")
        self._learn(batch.key_names)
        codes = self._codes[batch.key_codes]
        keep = np.flatnonzero(codes >= 0)
        return replace(
            batch,
            values=batch.values[keep],
            times=None if batch.times is None else batch.times[keep],
            key_codes=codes[keep],
            ids=None if batch.ids is None else batch.ids[keep],
            rejects=batch.rejects if self._shard.number == 1 else [],
        )

    def _learn(self, names: KeyNames) -> None:
        """Number those of the names that came since the last batch that are the process's own."""
        if names is not self._all:
            self._all, self._known, self.names = names, 0, []
        count = len(names)
        if count > len(self._codes):
            self._codes = np.concatenate([self._codes, np.full(count, _FOREIGN)])
        if count > self._known:
            new = names[self._known : count]
            ours = self._shard.owns(buckets_of(new))
            first = len(self.names)
            self.names += compress(new, ours)
            self._codes[self._known : count] = np.where(ours, first + np.cumsum(ours) - 1, _FOREIGN)
            self._known = count


def buckets_of(names: Sequence[str]) -> NDArray[np.int64]:
    """Return the virtual bucket of each key, int64 (n,) from 0 to 4,095: CRC-32 of its UTF-8, modulo 4,096.

    >>> buckets_of(["web-1", "web-2"]).tolist()
    [2408, 2258]
    """
    hashes = np.fromiter(map(zlib.crc32, map(str.encode, names)), np.int64, len(names))
    return hashes % BUCKETS


__all__ = ["BUCKETS", "Shard", "Sieve", "buckets_of"]
