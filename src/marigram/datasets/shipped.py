"""The series inside the package: where they are, what they hold, and their labels as published."""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from marigram.errors import ParameterError

__all__ = ["Dataset", "Info", "info", "load", "names", "path"]

_FOLDER = Path(__file__).parent / "data"
_NAB = "Numenta Anomaly Benchmark, "


@dataclass(frozen=True, slots=True)
class Info:
    """What a shipped series is. `windows` are the labelled stretches, ends included, ISO-8601 UTC."""

    name: str
    about: str
    origin: str
    licence: str
    rows: int
    windows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A shipped series: `times` (n,) int64 ns UTC, `values` (n,), `truth` (n,) bool, true inside a labelled window."""

    info: Info
    key: str
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    truth: NDArray[np.bool_]


_SHIPPED = {
    one.name: one
    for one in (
        Info(
            "nyc-taxi",
            "taxi passengers in New York, every half hour for 7 months: daily and weekly season, holidays, a storm",
            _NAB + "realKnownCause/nyc_taxi",
            "MIT",
            10_320,
            (
                ("2014-10-30T15:30", "2014-11-03T22:30"),
                ("2014-11-25T12:00", "2014-11-29T19:00"),
                ("2014-12-23T11:30", "2014-12-27T18:30"),
                ("2014-12-29T21:30", "2015-01-03T04:30"),
                ("2015-01-24T20:30", "2015-01-29T03:30"),
            ),
        ),
        Info(
            "rds-cpu",
            "CPU percent of a database, every 5 minutes for 14 days: spikes, and a level that moves from 6 to 15",
            _NAB + "realAWSCloudwatch/rds_cpu_utilization_cc0c53",
            "MIT",
            4_032,
            (("2014-02-24T22:50", "2014-02-25T15:35"), ("2014-02-26T16:30", "2014-02-27T09:10")),
        ),
        Info(
            "request-latency",
            "latency of requests, every 5 minutes for 14 days: single spikes before a failure",
            _NAB + "realKnownCause/ec2_request_latency_system_failure",
            "MIT",
            4_032,
            (
                ("2014-03-14T03:31", "2014-03-14T14:41"),
                ("2014-03-18T17:06", "2014-03-19T04:16"),
                ("2014-03-20T21:26", "2014-03-21T03:41"),
            ),
        ),
    )
}


def names() -> list[str]:
    """Names of the series that ship with the package."""
    return sorted(_SHIPPED)


def info(name: str) -> Info:
    """Origin, licence, size and labels of a shipped series."""
    if name not in _SHIPPED:
        near = get_close_matches(name, _SHIPPED, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ParameterError(f"no shipped series is called {name!r}: there are {', '.join(names())}{hint}")
    return _SHIPPED[name]


def path(name: str) -> Path:
    """The Parquet file of a shipped series (columns time, key, value), as `marigram watch` reads it."""
    return _FOLDER / f"{info(name).name}.parquet"


def load(name: str) -> Dataset:
    """Read a shipped series."""
    about = info(name)
    table = pq.read_table(path(name))
    times = pc.cast(table["time"], pa.timestamp("ns", "UTC")).to_numpy().astype(np.int64)
    truth = np.zeros(times.size, bool)
    for left, right in about.windows:
        truth |= (times >= _nanoseconds(left)) & (times <= _nanoseconds(right))
    return Dataset(about, table["key"][0].as_py(), times, table["value"].to_numpy(), truth)


def _nanoseconds(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))
