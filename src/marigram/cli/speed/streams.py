"""The streams that everyone runs over: Student t(3) noise about a level that moves, 1 % spikes, interleaved keys.

Seeded: every competitor of a run sees the same events. Keys take turns at random; times advance so that a key has an
event every five minutes on average. The files hold the same events as text and as columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

__all__ = ["Events", "key_names", "make_events", "warm_rounds", "write_json_lines", "write_parquet"]

_START = 1_767_225_600_000_000_000
_PACE = 300_000_000_000
_CHUNK = 262_144


@dataclass(frozen=True, slots=True)
class Events:
    """Events in order: `keys` (n,) int64 in [0, keys), `values` (n,) or (n, d), `times` (n,) int64 ns."""

    keys: NDArray[np.int64]
    values: NDArray[np.float64]
    times: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.values)

    def chunks(self, rows: int) -> Iterator["Events"]:
        """The events in parts of `rows`."""
        for at in range(0, len(self), rows):
            part = slice(at, at + rows)
            yield Events(self.keys[part], self.values[part], self.times[part])


def make_events(n: int, keys: int, d: int, seed: int, first: int = 0) -> Events:
    """Events number `first` to `first + n` of a stream; the level moves by up to 10 every 2,000 events of a key."""
    rng = np.random.default_rng([seed, first])
    who = rng.integers(0, keys, n) if keys > 1 else np.zeros(n, np.int64)
    return _events(rng, who, first, keys, d)


def warm_rounds(rounds: int, keys: int, d: int, seed: int) -> Iterator[Events]:
    """`rounds` events of every key, in parts of at most a million, before the events numbered 0."""
    at_once = max(1, min(rounds, 1_000_000 // keys))
    for done in range(0, rounds, at_once):
        now = min(at_once, rounds - done)
        rng = np.random.default_rng([seed, 1, done])
        yield _events(rng, np.tile(np.arange(keys), now), (done - rounds) * keys, keys, d)


def _events(rng: np.random.Generator, who: NDArray[np.int64], first: int, keys: int, d: int) -> Events:
    n = who.size
    number = np.arange(first, first + n)
    level = 10.0 * np.sin(1.7 * (number // (2000 * keys)) + who)
    values = rng.standard_t(3.0, (n, d)) + level[:, None]
    values += (rng.random((n, 1)) < 0.01) * rng.choice([-14.0, 14.0], (n, d))
    times = _START + number * (_PACE // keys)
    return Events(who, values[:, 0].copy() if d == 1 else values, times)


def key_names(keys: NDArray[np.int64]) -> pa.Array:
    """Names of the keys as files have them: host-0000042."""
    digits = pc.utf8_lpad(pa.array(keys).cast(pa.string()), 7, padding="0")
    return pc.binary_join_element_wise("host-", digits, "")


def write_json_lines(path: Path, events: Events, iso: bool) -> None:
    """One object a line with time (ISO-8601, or epoch milliseconds), key and value (4 decimals)."""
    with path.open("wb") as file:
        for part in events.chunks(_CHUNK):
            milliseconds = pa.array(part.times // 1_000_000)
            if iso:
                stamps = milliseconds.cast(pa.timestamp("ms"))
                moment = pc.binary_join_element_wise('"', pc.strftime(stamps, "%Y-%m-%dT%H:%M:%S"), 'Z"', "")
            else:
                moment = milliseconds.cast(pa.string())
            value = pa.array(np.round(part.values, 4)).cast(pa.string())
            line = pc.binary_join_element_wise(
                '{"time":', moment, ',"key":"', key_names(part.keys), '","value":', value, "}\n", ""
            )
            file.write("".join(line.to_pylist()).encode())


def write_parquet(path: Path, events: Events) -> None:
    """The same events as columns time (ms UTC), key and value."""
    schema = pa.schema([("time", pa.timestamp("ms", "UTC")), ("key", pa.string()), ("value", pa.float64())])
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        for part in events.chunks(_CHUNK):
            times = pa.array(part.times // 1_000_000).cast(schema.field("time").type)
            columns = [times, key_names(part.keys), pa.array(np.round(part.values, 4))]
            file.write_table(pa.table(columns, schema=schema))
