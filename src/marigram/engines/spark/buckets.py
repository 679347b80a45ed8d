"""Virtual buckets: what Spark groups by instead of the natural key.

A call of Python for one group costs about 3 ms, whatever it holds, so ten thousand keys as ten thousand groups would
take half a minute a batch.  Keys are therefore hashed into B buckets, and a bucket is judged in one call.  B stays the
same for the life of a checkpoint: it says where the state of a key lies.

Spark puts group g into partition ``murmur3(g) mod P``.  Buckets numbered 0 to B-1 would fall on partitions as dice
do; they are labelled so that for every P that is a power of two, up to B, each partition gets the same number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from marigram.errors import ParameterError

if TYPE_CHECKING:
    from pyspark.sql import Column

DEFAULT = 64
MOST = 4096
_SEED = 42
_WORD = 0xFFFFFFFF


def check_buckets(buckets: int) -> int:
    """Return the number of buckets; ``ParameterError`` unless it is a power of two from 1 to 4096."""
    if type(buckets) is not int or not 1 <= buckets <= MOST or buckets & (buckets - 1):
        raise ParameterError(f"buckets must be a power of two from 1 to {MOST}, got {buckets!r}")
    return buckets


def bucket_of(key: Column, buckets: int) -> Column:
    """Return the bucket of each key, an integer in [0, buckets): Spark's 64-bit xxHash, the same in every version."""
    from pyspark.sql import functions as sf

    return sf.pmod(sf.xxhash64(key), sf.lit(buckets)).cast("int")


def labels(buckets: int) -> NDArray[np.int32]:
    """Return what each bucket is called as a group, (buckets,) int32, by the rule above."""
    found: dict[int, int] = {}
    label = 0
    while len(found) < buckets:
        found.setdefault(murmur3(label) % buckets, label)
        label += 1
    return np.array([found[bucket] for bucket in range(buckets)], np.int32)


def murmur3(number: int) -> int:
    """Return Spark's hash of a 32-bit integer, as an unsigned word: MurmurHash3 (Appleby) of one block, seed 42."""
    block = number * 0xCC9E2D51 & _WORD
    block = _rotated(block, 15) * 0x1B873593 & _WORD
    word = (_rotated(_SEED ^ block, 13) * 5 + 0xE6546B64) & _WORD
    word ^= 4
    word = (word ^ word >> 16) * 0x85EBCA6B & _WORD
    word = (word ^ word >> 13) * 0xC2B2AE35 & _WORD
    return word ^ word >> 16


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> (32 - bits)) & _WORD


__all__ = ["DEFAULT", "MOST", "bucket_of", "check_buckets", "labels", "murmur3"]
